package remus.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import remus.base.Time;

/** The machine's clocks. Thread-safe. */
public final class BootTime implements Time {
    private static final int CLOCK_BOOTTIME = 7;
    private static final ThreadLocal<MemorySegment> TIMESPEC =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(16, 8));

    @Override
    public long nanos() {
        MemorySegment timespec = TIMESPEC.get();
        // SAFETY: one struct timespec of this thread's own, alive as long as the thread.
        Syscalls.call(SyscallNumbers.CLOCK_GETTIME, CLOCK_BOOTTIME, timespec.address(), 0);
        return timespec.get(JAVA_LONG, 0) * 1_000_000_000L + timespec.get(JAVA_LONG, 8);
    }

    @Override
    public long wallMillis() {
        return System.currentTimeMillis();
    }
}
