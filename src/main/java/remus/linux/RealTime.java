package remus.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Real-time scheduling of single threads (sched(7)): whoever has it gets a processor as soon as it wants one, ahead of all usual
 * threads. The kernel keeps some of each second for those (sched_rt_runtime_us), so that a thread that never waits does not take
 * the machine.
 */
public final class RealTime {
    /** The calling thread. */
    public static final long SELF = 0;

    private static final int SCHED_OTHER = 0;
    private static final int SCHED_RR = 2;
    private static final int SCHED_RESET_ON_FORK = 0x4000_0000;
    private static final int LOWEST_PRIORITY = 1;

    private RealTime() {}

    /**
     * Gives a thread the lowest real-time priority, or takes it away. Threads that it begins are usual ones.
     *
     * @param thread its number as the kernel has it (gettid(2)), or {@link #SELF}
     * @throws LinuxException EPERM without CAP_SYS_NICE, or in a control group that has no real-time share; ESRCH when it has
     *     ended
     */
    public static void set(long thread, boolean realTime) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment parameter = arena.allocateFrom(JAVA_INT, realTime ? LOWEST_PRIORITY : 0);
            int policy = realTime ? SCHED_RR | SCHED_RESET_ON_FORK : SCHED_OTHER;
            // SAFETY: one struct sched_param, an int, that lives until the arena closes after the call.
            long result = Syscalls.call(SyscallNumbers.SCHED_SETSCHEDULER, thread, policy, parameter.address());
            Syscalls.check("sched_setscheduler(" + thread + ")", result);
        }
    }

    /** Whether a thread has it. */
    public static boolean isSet(long thread) throws LinuxException {
        long policy = Syscalls.check(
                "sched_getscheduler(" + thread + ")", Syscalls.call(SyscallNumbers.SCHED_GETSCHEDULER, thread));
        return (policy & ~SCHED_RESET_ON_FORK) == SCHED_RR;
    }
}
