package remus.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What the kernel knows of its wall clock (adjtimex(2)).
 *
 * @param synchronised whether a program such as chrony keeps it right
 * @param maxErrorMicros how wrong it is at most, by that program's estimate; means nothing otherwise
 */
public record KernelClock(boolean synchronised, long maxErrorMicros) {
    static final int TIMEX_BYTES = 208;
    static final int MAX_ERROR_OFFSET = 24;
    static final int STATUS_OFFSET = 40;
    static final int TIME_ERROR = 5;
    static final int STA_UNSYNC = 0x40;

    /** Asks; needs no privilege, for nothing is changed. */
    public static KernelClock read() throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment timex = arena.allocate(TIMEX_BYTES, 8); // modes is 0: only look
            // SAFETY: one struct timex that lives until the arena closes after the call.
            long state = Syscalls.check("adjtimex()", Syscalls.call(SyscallNumbers.ADJTIMEX, timex.address()));
            boolean unsynchronised = state == TIME_ERROR || (timex.get(JAVA_INT, STATUS_OFFSET) & STA_UNSYNC) != 0;
            return new KernelClock(!unsynchronised, timex.get(JAVA_LONG, MAX_ERROR_OFFSET));
        }
    }
}
