package remus.linux;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Makes descriptors inside another process and brings them here, without its cooperation. One of its threads is held
 * for a few milliseconds and made to do the system calls; afterwards the process is as it was and has no descriptor
 * more than before. Thread-safe; works on a platform thread of its own for each call. x86-64 only.
 */
public final class RemoteDescriptors {
    private static final boolean SUPPORTED =
            System.getProperty("os.arch").toLowerCase(Locale.ROOT).matches("amd64|x86_64");
    /** How long to wait for a thread that sleeps in a lock without a time limit; then any thread must do. */
    private static final long SLEEPER_LIMIT_NANOS = 1_000_000_000L;

    private static final long SLEEPER_POLL_NANOS = 5_000_000L;
    private static final String FUTEX = "202";

    private RemoteDescriptors() {}

    /**
     * A userfaultfd for the memory of process {@code pid}. Protection set through it ends when it is closed here.
     *
     * @param flags as userfaultfd(2) takes them
     * @throws LinuxException saying what is missing; EPERM where the process itself lacks the privilege
     */
    static FileDescriptor userfaultfdIn(long pid, int flags) throws LinuxException {
        if (!SUPPORTED) {
            throw new LinuxException(
                    "userfaultfd in process " + pid,
                    Errno.ENOSYS,
                    "another process's memory can be tracked on x86-64 only, and this is "
                            + System.getProperty("os.arch"));
        }
        return onTracerThread(pid, () -> fetch(pid, flags));
    }

    private static FileDescriptor fetch(long pid, int flags) throws LinuxException {
        @Nullable FileDescriptor here = null;
        boolean complete = false;
        try {
            try (Tracee tracee = Tracee.stop(pid, chooseThread(pid))) {
                long remote =
                        Syscalls.check("userfaultfd in process " + pid, tracee.call(SyscallNumbers.USERFAULTFD, flags));
                try {
                    here = bringHere(pid, remote);
                } finally {
                    tracee.call(SyscallNumbers.CLOSE, remote);
                }
            }
            complete = true;
            return here;
        } finally {
            // The process may have died when all was done but to let it go on.
            if (!complete && here != null) {
                here.close();
            }
        }
    }

    private static FileDescriptor bringHere(long pid, long remote) throws LinuxException {
        long process = Syscalls.check("pidfd_open(" + pid + ")", Syscalls.call(SyscallNumbers.PIDFD_OPEN, pid, 0, 0));
        try {
            long here = Syscalls.call(SyscallNumbers.PIDFD_GETFD, process, remote, 0);
            return new FileDescriptor(
                    (int) Syscalls.check("pidfd_getfd(process " + pid + ")", here), "userfaultfd of process " + pid);
        } finally {
            Syscalls.call(SyscallNumbers.CLOSE, process);
        }
    }

    /**
     * A thread that is not the leader, best one that sleeps in a futex without a time limit, as QEMU's call_rcu thread
     * does: its call restarts without a trace. Threads made by the kernel have no registers of their own.
     */
    private static int chooseThread(long pid) throws LinuxException {
        long deadline = System.nanoTime() + SLEEPER_LIMIT_NANOS;
        while (true) {
            List<Path> candidates = userThreads(pid);
            for (Path thread : candidates) {
                if (sleepsWithoutLimit(thread)) {
                    return number(thread);
                }
            }
            if (System.nanoTime() > deadline) {
                if (candidates.isEmpty()) {
                    throw new LinuxException(
                            "tracing process " + pid, Errno.ESRCH, "it has no thread besides its first one");
                }
                return number(candidates.getLast());
            }
            LockSupport.parkNanos(SLEEPER_POLL_NANOS);
        }
    }

    private static List<Path> userThreads(long pid) throws LinuxException {
        List<Path> threads = new ArrayList<>();
        try (DirectoryStream<Path> tasks = Files.newDirectoryStream(Path.of("/proc/" + pid + "/task"))) {
            for (Path task : tasks) {
                boolean runsUserCode = ProcessStat.read(task.resolve("stat"))
                        .filter(stat -> !stat.isKernelMade() && !stat.hasEnded())
                        .isPresent();
                if (number(task) != pid && runsUserCode) {
                    threads.add(task);
                }
            }
        } catch (IOException e) {
            throw new LinuxException("looking at the threads of process " + pid, Errno.ESRCH);
        }
        return threads;
    }

    private static int number(Path task) {
        return Integer.parseInt(String.valueOf(task.getFileName()));
    }

    private static boolean sleepsWithoutLimit(Path task) throws LinuxException {
        try {
            // Number, six arguments, stack pointer and position; the fourth argument of futex is the time limit.
            String[] fields = Files.readString(task.resolve("syscall"), StandardCharsets.US_ASCII)
                    .split(" ", -1);
            return fields.length > 4 && fields[0].equals(FUTEX) && fields[4].equals("0x0");
        } catch (AccessDeniedException e) {
            throw new LinuxException(
                    "reading " + task + "/syscall", Errno.EPERM, "the process may not be traced: run as root");
        } catch (IOException e) {
            // The thread ended while we looked.
            return false;
        }
    }

    private interface Work {
        FileDescriptor perform() throws LinuxException;
    }

    /** ptrace binds the tracee to the thread that traces: it gets one of its own, which ends with the work. */
    private static FileDescriptor onTracerThread(long pid, Work work) throws LinuxException {
        class Outcome implements Runnable {
            private @Nullable FileDescriptor descriptor;
            private @Nullable LinuxException refusal;
            private @Nullable Throwable failure;

            @Override
            public void run() {
                try {
                    descriptor = work.perform();
                } catch (LinuxException e) {
                    refusal = e;
                } catch (Throwable e) {
                    failure = e;
                }
            }
        }
        Outcome outcome = new Outcome();
        Thread tracer = Thread.ofPlatform().name("tracer-" + pid).start(outcome);
        joinUninterruptibly(tracer);
        if (outcome.refusal != null) {
            throw outcome.refusal;
        }
        if (outcome.descriptor == null) {
            throw new IllegalStateException("tracing process " + pid + " failed", outcome.failure);
        }
        return outcome.descriptor;
    }

    /** All that the tracer does is bounded in time; to leave it half-way would leave the other process held. */
    private static void joinUninterruptibly(Thread thread) {
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
