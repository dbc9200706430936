package remus.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.locks.LockSupport;

/**
 * One thread of another process, held still so that it can be made to do system calls (ptrace(2)). Stops the thread
 * when made and lets it go on, with its registers and signal mask as they were, when closed.
 *
 * <p>Invariants: the thread executes no instruction of its own while held; a system call that it slept in is restarted
 * by the kernel, because the restored registers say so; signals that arrive meanwhile are handed on, none is dropped.
 * Confined to one platform thread, since a tracer is a thread: a virtual one would change its carrier and lose the
 * tracee. If that thread ends, the kernel lets the tracee go. Every wait is bounded by {@link #STOP_LIMIT_NANOS}.
 *
 * <p>x86-64 only. Must not be used on the leader of a process that this JVM started: the JVM's reaper waits for the
 * leader and would take its stops for its death.
 */
final class Tracee implements AutoCloseable {
    /** How long a thread may take to stop; in practice microseconds, unless it hangs in the kernel. */
    static final long STOP_LIMIT_NANOS = 5_000_000_000L;

    // ptrace requests (include/uapi/linux/ptrace.h).
    static final int PTRACE_CONT = 7;
    static final int PTRACE_SINGLESTEP = 9;
    static final int PTRACE_DETACH = 17;
    static final int PTRACE_GETREGSET = 0x4204;
    static final int PTRACE_SETREGSET = 0x4205;
    static final int PTRACE_SEIZE = 0x4206;
    static final int PTRACE_INTERRUPT = 0x4207;
    static final int PTRACE_GETSIGMASK = 0x420a;
    static final int PTRACE_SETSIGMASK = 0x420b;
    static final int PTRACE_EVENT_STOP = 128;
    static final int NT_PRSTATUS = 1;

    // struct user_regs_struct of x86-64 (sys/user.h).
    static final int REGISTERS_BYTES = 216;
    static final int R10 = 56;
    static final int R9 = 64;
    static final int R8 = 72;
    static final int RAX = 80;
    static final int RDX = 96;
    static final int RSI = 104;
    static final int RDI = 112;
    static final int ORIG_RAX = 120;
    static final int RIP = 128;

    private static final int[] ARGUMENT_OFFSETS = {RDI, RSI, RDX, R10, R8, R9};
    private static final int SIGNAL_SET_BYTES = 8;
    private static final int WNOHANG = 1;
    private static final int WALL = 0x40000000;
    private static final int SIGTRAP = 5;
    private static final int STOPPED = 0x7f;
    private static final long NO_SYSTEM_CALL = -1;
    /** A step normally ends at once; each further one is a signal that came in between. */
    private static final int MAX_STEPS = 64;

    private static final long POLL_NANOS = 20_000;

    private final long pid;
    private final int threadId;
    private final Arena arena = Arena.ofConfined();
    private final MemorySegment original = arena.allocate(REGISTERS_BYTES, 8);
    private final MemorySegment current = arena.allocate(REGISTERS_BYTES, 8);
    private final MemorySegment vector = arena.allocate(16, 8);
    private final MemorySegment status = arena.allocate(8, 8);
    private final MemorySegment originalMask = arena.allocate(SIGNAL_SET_BYTES, 8);
    private final MemorySegment currentMask = arena.allocate(SIGNAL_SET_BYTES, 8);
    private final int[] heldSignals = new int[MAX_STEPS];
    private int heldSignalCount;
    private boolean stopped;
    private long instruction;

    private Tracee(long pid, int threadId) {
        this.pid = pid;
        this.threadId = threadId;
    }

    /**
     * Stops {@code threadId} of {@code pid}.
     *
     * @throws LinuxException where tracing is not allowed, or the thread is gone or does not stop in time
     */
    static Tracee stop(long pid, int threadId) throws LinuxException {
        if (Thread.currentThread().isVirtual()) {
            throw new IllegalStateException("tracing needs a platform thread");
        }
        Tracee tracee = new Tracee(pid, threadId);
        boolean ready = false;
        try {
            tracee.seize();
            tracee.registers(PTRACE_GETREGSET, tracee.original);
            tracee.request("PTRACE_GETSIGMASK", PTRACE_GETSIGMASK, SIGNAL_SET_BYTES, tracee.originalMask.address());
            boolean inSystemCall = tracee.original.get(JAVA_LONG, ORIG_RAX) >= 0;
            long afterInstruction = tracee.original.get(JAVA_LONG, RIP);
            tracee.instruction = SyscallInstruction.find(pid, inSystemCall, afterInstruction);
            ready = true;
            return tracee;
        } finally {
            if (!ready) {
                tracee.detach();
                tracee.arena.close();
            }
        }
    }

    private void seize() throws LinuxException {
        request("PTRACE_SEIZE", PTRACE_SEIZE, 0, 0);
        request("PTRACE_INTERRUPT", PTRACE_INTERRUPT, 0, 0);
        for (int stops = 0; stops < MAX_STEPS; stops++) {
            int wait = awaitStop();
            if (wait >>> 16 == PTRACE_EVENT_STOP) {
                if (signalOf(wait) != SIGTRAP) {
                    throw new LinuxException(
                            "tracing thread " + threadId + " of process " + pid,
                            Errno.EBUSY,
                            "the process is stopped by a signal (SIGSTOP): let it go on with SIGCONT first");
                }
                return;
            }
            // A signal was about to be delivered before our interrupt: let it, the interrupt comes next.
            request("PTRACE_CONT", PTRACE_CONT, 0, signalOf(wait));
            stopped = false;
        }
        throw new LinuxException("tracing thread " + threadId + " of process " + pid, Errno.EBUSY);
    }

    /**
     * Makes the thread do system call {@code number} with up to six arguments.
     *
     * @return what the kernel returned: a result, or {@code -errno}
     */
    long call(int number, long... arguments) throws LinuxException {
        current.copyFrom(original);
        for (int i = 0; i < ARGUMENT_OFFSETS.length; i++) {
            current.set(JAVA_LONG, ARGUMENT_OFFSETS[i], i < arguments.length ? arguments[i] : 0);
        }
        current.set(JAVA_LONG, RAX, number);
        // Tells the kernel that no call is under way, so that it does not restart one on top of ours.
        current.set(JAVA_LONG, ORIG_RAX, NO_SYSTEM_CALL);
        current.set(JAVA_LONG, RIP, instruction);
        registers(PTRACE_SETREGSET, current);
        for (int steps = 0; steps < MAX_STEPS; steps++) {
            request("PTRACE_SINGLESTEP", PTRACE_SINGLESTEP, 0, 0);
            stopped = false;
            int wait = awaitStop();
            registers(PTRACE_GETREGSET, current);
            long position = current.get(JAVA_LONG, RIP);
            boolean plainStop = wait >>> 16 == 0;
            if (plainStop && signalOf(wait) == SIGTRAP && position == instruction + SyscallInstruction.BYTES) {
                return current.get(JAVA_LONG, RAX);
            }
            if (plainStop && signalOf(wait) != SIGTRAP && heldSignalCount < MAX_STEPS) {
                heldSignals[heldSignalCount++] = signalOf(wait);
            }
            if (position != instruction) {
                break;
            }
        }
        throw new LinuxException(
                "a system call in process " + pid, Errno.EIO, "the thread stopped where it should not: report this");
    }

    private int awaitStop() throws LinuxException {
        long deadline = System.nanoTime() + STOP_LIMIT_NANOS;
        while (true) {
            // SAFETY: the kernel writes one int into a segment of eight bytes that lives as long as this object.
            long result = Syscalls.call(SyscallNumbers.WAIT4, threadId, status.address(), WALL | WNOHANG, 0, 0, 0);
            if (result == threadId) {
                int wait = status.get(JAVA_INT, 0);
                if ((wait & 0xff) != STOPPED) {
                    throw new LinuxException("tracing process " + pid, Errno.ESRCH, "it ended meanwhile");
                }
                stopped = true;
                return wait;
            }
            if (result != -Errno.EINTR) {
                Syscalls.check("wait4(" + threadId + ")", result);
            }
            if (System.nanoTime() > deadline) {
                throw new LinuxException(
                        "tracing thread " + threadId + " of process " + pid,
                        Errno.EBUSY,
                        "it did not stop within " + STOP_LIMIT_NANOS / 1_000_000_000L + " s");
            }
            LockSupport.parkNanos(POLL_NANOS);
        }
    }

    private static int signalOf(int wait) {
        return wait >>> 8 & 0xff;
    }

    private void registers(int request, MemorySegment registers) throws LinuxException {
        vector.set(JAVA_LONG, 0, registers.address());
        vector.set(JAVA_LONG, 8, REGISTERS_BYTES);
        // SAFETY: struct iovec points to 216 bytes that live as long as this object.
        request(
                request == PTRACE_GETREGSET ? "PTRACE_GETREGSET" : "PTRACE_SETREGSET",
                request,
                NT_PRSTATUS,
                vector.address());
        if (vector.get(JAVA_LONG, 8) != REGISTERS_BYTES) {
            throw new LinuxException("tracing process " + pid, Errno.EINVAL, "it is not a 64-bit process");
        }
    }

    private void request(String name, int request, long address, long data) throws LinuxException {
        // SAFETY: where data is an address, the caller passes a segment of this object's arena of the size that the
        // request needs; ptrace is called on the tracer's own platform thread.
        long result = Syscalls.call(SyscallNumbers.PTRACE, request, threadId, address, data, 0, 0);
        if (result == -Errno.EPERM) {
            throw new LinuxException(
                    name + "(" + threadId + ")",
                    Errno.EPERM,
                    "process " + pid + " may not be traced: run as its user or as root, with CAP_SYS_PTRACE where the"
                            + " system restricts tracing (kernel.yama.ptrace_scope), and see that no debugger holds it");
        }
        Syscalls.check(name + "(" + threadId + " of process " + pid + ")", result);
    }

    /** Restores the thread and lets it go on; where it has ended meanwhile there is nothing to restore. */
    @Override
    public void close() throws LinuxException {
        try {
            if (stopped) {
                registers(PTRACE_SETREGSET, original);
                restoreSignalMask();
            }
        } finally {
            detach();
            arena.close();
        }
    }

    private void restoreSignalMask() throws LinuxException {
        request("PTRACE_GETSIGMASK", PTRACE_GETSIGMASK, SIGNAL_SET_BYTES, currentMask.address());
        // A single step forces SIGTRAP out of the mask of a thread that blocks it.
        if (currentMask.get(JAVA_LONG, 0) != originalMask.get(JAVA_LONG, 0)) {
            request("PTRACE_SETSIGMASK", PTRACE_SETSIGMASK, SIGNAL_SET_BYTES, originalMask.address());
        }
    }

    private void detach() {
        if (!stopped) {
            // Only a stopped thread can be let go; one that never stopped, or ended, is when this tracer thread ends.
            return;
        }
        int first = heldSignalCount > 0 ? heldSignals[0] : 0;
        Syscalls.call(SyscallNumbers.PTRACE, PTRACE_DETACH, threadId, 0, first, 0, 0);
        for (int i = 1; i < heldSignalCount; i++) {
            Syscalls.call(SyscallNumbers.TGKILL, pid, threadId, heldSignals[i]);
        }
        stopped = false;
    }
}
