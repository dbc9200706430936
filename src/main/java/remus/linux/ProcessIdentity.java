package remus.linux;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One process of this machine for all time: numbers are used again after a process has ended, a number together with
 * its start time and the boot it belongs to is not. May be written down ({@link #toString}) and read again by another
 * process ({@link #parse}). Immutable.
 *
 * @param pid the process number, at least 1
 * @param startTicks when it started, in clock ticks since boot (field 22 of {@code /proc/PID/stat}, proc_pid_stat(5))
 * @param bootId the kernel's {@code random/boot_id}, so that a process of an earlier boot is never mistaken
 */
public record ProcessIdentity(long pid, long startTicks, String bootId) {
    public static final int SIGTERM = 15;
    public static final int SIGKILL = 9;

    private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");
    private static final Pattern TEXT = Pattern.compile("(\\d{1,10})@(\\d{1,19})@([0-9a-f-]{36})");

    public ProcessIdentity {
        if (pid < 1 || startTicks < 0) {
            throw new IllegalArgumentException("pid=" + pid + " startTicks=" + startTicks + " is no process");
        }
    }

    /** The process that has this number now; empty where there is none, or it has ended and awaits its parent. */
    public static Optional<ProcessIdentity> of(long pid) {
        return ProcessStat.read(pid)
                .filter(stat -> !stat.hasEnded())
                .map(stat -> new ProcessIdentity(pid, stat.startTicks(), currentBootId()));
    }

    /**
     * Reads what {@link #toString} wrote.
     *
     * @throws IllegalArgumentException where the text is anything else
     */
    public static ProcessIdentity parse(String text) {
        Matcher matcher = TEXT.matcher(text.strip());
        if (!matcher.matches()) {
            throw new IllegalArgumentException("'" + text + "' is not a process identity (PID@STARTTICKS@BOOTID)");
        }
        return new ProcessIdentity(
                Long.parseLong(matcher.group(1)), Long.parseLong(matcher.group(2)), matcher.group(3));
    }

    /** Whether this very process still runs; one that has ended and awaits its parent does not. */
    public boolean isAlive() {
        return of(pid).filter(this::equals).isPresent();
    }

    /**
     * Sends {@code signal} to this process, and never to another that has got its number since.
     *
     * @return false where the process has ended already
     */
    public boolean signal(int signal) throws LinuxException {
        long opened = Syscalls.call(SyscallNumbers.PIDFD_OPEN, pid, 0, 0);
        if (opened == -Errno.ESRCH) {
            return false;
        }
        try (FileDescriptor process =
                new FileDescriptor((int) Syscalls.check("pidfd_open(" + pid + ")", opened), "process " + pid)) {
            // From here on the descriptor means one process for good: if that is ours, the signal can't go astray.
            if (!isAlive()) {
                return false;
            }
            long result = Syscalls.call(SyscallNumbers.PIDFD_SEND_SIGNAL, process.number(), signal, 0);
            if (result == -Errno.ESRCH) {
                return false;
            }
            Syscalls.check("pidfd_send_signal(" + pid + ", " + signal + ")", result);
            return true;
        }
    }

    /**
     * Waits until this process has ended, whoever's child it is (pidfd_open(2): the descriptor is readable then).
     *
     * @return false where it still runs after {@code nanos}
     */
    public boolean awaitEnd(long nanos) throws LinuxException {
        long deadline = System.nanoTime() + nanos;
        long opened = Syscalls.call(SyscallNumbers.PIDFD_OPEN, pid, 0, 0);
        if (opened == -Errno.ESRCH) {
            return true;
        }
        try (FileDescriptor process =
                        new FileDescriptor((int) Syscalls.check("pidfd_open(" + pid + ")", opened), "process " + pid);
                Poller poller = new Poller(1)) {
            while (isAlive()) {
                long left = deadline - System.nanoTime();
                if (left <= 0) {
                    return false;
                }
                poller.enable(0, process, true, false);
                poller.await(left);
            }
            return true;
        }
    }

    /** Ends this process at once; false where it has ended already. */
    public boolean kill() throws LinuxException {
        return signal(SIGKILL);
    }

    private static String currentBootId() {
        try {
            return Files.readString(BOOT_ID, StandardCharsets.US_ASCII).strip();
        } catch (IOException e) {
            throw new IllegalStateException(BOOT_ID + " can't be read", e);
        }
    }

    @Override
    public String toString() {
        return pid + "@" + startTicks + "@" + bootId;
    }
}
