package remus.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * How many page faults the threads of a process have had until now, those that have ended included ({@code minflt} and
 * {@code majflt}, fields 10 and 12 of {@code /proc/PID/stat}, proc_pid_stat(5)). A fault counts before the access that it was for
 * is done (mm/memory.c: mm_account_fault()), whether the program made it or the kernel on behalf of a system call of its own.
 * Confined to one thread at a time; allocates nothing.
 */
public final class PageFaults implements AutoCloseable {
    /** The name has up to 64 bytes, 51 fields 20 digits and a space. */
    private static final int MAX_BYTES = 2048;

    private static final int FIRST_FIELD_AFTER_NAME = 3;
    private static final int MINOR_FAULTS = 10;
    private static final int MAJOR_FAULTS = 12;

    private final FileDescriptor stat;
    private final String name;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment text = arena.allocate(MAX_BYTES);

    private PageFaults(FileDescriptor stat, String name) {
        this.stat = stat;
        this.name = name;
    }

    public static PageFaults ofProcess(long pid) throws LinuxException {
        Path file = Path.of("/proc/" + pid + "/stat");
        return new PageFaults(FileDescriptor.open(file, FileDescriptor.O_RDONLY), "pread(" + file + ")");
    }

    /** @throws LinuxException with ESRCH where the process is gone */
    public long count() throws LinuxException {
        // SAFETY: the segment has MAX_BYTES and lives as long as this object.
        long result = Syscalls.call(SyscallNumbers.PREAD64, stat.number(), text.address(), MAX_BYTES, 0, 0, 0);
        return sum(text, (int) Syscalls.check(name, result));
    }

    /** Of the first {@code length} bytes, which are what the kernel says. */
    static long sum(MemorySegment stat, int length) {
        // The name may hold any byte, but after its parenthesis comes none.
        int at = length - 1;
        while (stat.get(JAVA_BYTE, at) != ')') {
            at--;
        }
        long sum = 0;
        int field = FIRST_FIELD_AFTER_NAME;
        for (at += 2; field <= MAJOR_FAULTS; field++) {
            long value = 0;
            for (; stat.get(JAVA_BYTE, at) != ' '; at++) {
                value = 10 * value + stat.get(JAVA_BYTE, at) - '0';
            }
            at++;
            if (field == MINOR_FAULTS || field == MAJOR_FAULTS) {
                sum += value;
            }
        }
        return sum;
    }

    @Override
    public void close() {
        stat.close();
        arena.close();
    }
}
