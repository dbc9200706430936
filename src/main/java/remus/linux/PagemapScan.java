package remus.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * Asks the kernel which pages of a process were written since they were last write-protected (PAGEMAP_SCAN,
 * Documentation/admin-guide/mm/pagemap.rst; Linux 6.7 and later). The memory must be registered with an asynchronous
 * {@link Userfaultfd}. Confined to one thread at a time.
 */
public final class PagemapScan implements AutoCloseable {
    /** Ranges that one system call may return; more take further calls. */
    static final int MAX_RANGES_PER_CALL = 65_536;

    private static final int PAGE_BYTES = 4096;

    static final long PAGEMAP_SCAN = 0xc0606610L;
    static final int ARGUMENT_BYTES = 96;
    static final int REGION_BYTES = 24;
    static final long PM_SCAN_WP_MATCHING = 1;
    static final long PM_SCAN_CHECK_WPASYNC = 2;
    static final long PAGE_IS_WRITTEN = 2;
    // Offsets in struct pm_scan_arg (include/uapi/linux/fs.h).
    static final int FLAGS = 8;
    static final int START = 16;
    static final int END = 24;
    static final int VECTOR = 40;
    static final int VECTOR_LENGTH = 48;
    static final int CATEGORY_MASK = 72;
    static final int RETURN_MASK = 88;

    private final long pid;
    private final FileDescriptor pagemap;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment argument = arena.allocate(ARGUMENT_BYTES, 8);
    private final MemorySegment regions;
    private final int maxRangesPerCall;

    private PagemapScan(long pid, FileDescriptor pagemap, int maxRangesPerCall) {
        this.pid = pid;
        this.pagemap = pagemap;
        this.maxRangesPerCall = maxRangesPerCall;
        regions = arena.allocate((long) maxRangesPerCall * REGION_BYTES, 8);
    }

    public static PagemapScan ofProcess(long pid) throws LinuxException {
        return ofProcess(pid, MAX_RANGES_PER_CALL);
    }

    static PagemapScan ofProcess(long pid, int maxRangesPerCall) throws LinuxException {
        FileDescriptor pagemap = FileDescriptor.open(Path.of("/proc/" + pid + "/pagemap"), FileDescriptor.O_RDONLY);
        return new PagemapScan(pid, pagemap, maxRangesPerCall);
    }

    /** Receives ranges of written pages, by ascending address. */
    @FunctionalInterface
    public interface Ranges {
        void add(long start, long end);
    }

    /** Finds the written pages of {@code start} to {@code end} and leaves them as they are. */
    public void find(long start, long end, Ranges written) throws LinuxException {
        scan(start, end, PM_SCAN_CHECK_WPASYNC, written);
    }

    /** Finds the written pages and protects exactly those again, each in one step: no write falls in between. */
    public void findAndReset(long start, long end, Ranges written) throws LinuxException {
        scan(start, end, PM_SCAN_CHECK_WPASYNC | PM_SCAN_WP_MATCHING, written);
    }

    private void scan(long start, long end, long flags, Ranges written) throws LinuxException {
        long from = start;
        while (from < end) {
            // The kernel allocates by this number: asking for no more than can be keeps scans of short ranges cheap.
            int maxRanges = (int) Math.min(maxRangesPerCall, Math.max(1, (end - from) / PAGE_BYTES));
            argument.fill((byte) 0);
            argument.set(JAVA_LONG, 0, ARGUMENT_BYTES);
            argument.set(JAVA_LONG, FLAGS, flags);
            argument.set(JAVA_LONG, START, from);
            argument.set(JAVA_LONG, END, end);
            argument.set(JAVA_LONG, VECTOR, regions.address());
            argument.set(JAVA_LONG, VECTOR_LENGTH, maxRanges);
            argument.set(JAVA_LONG, CATEGORY_MASK, PAGE_IS_WRITTEN);
            argument.set(JAVA_LONG, RETURN_MASK, PAGE_IS_WRITTEN);
            // SAFETY: struct pm_scan_arg has 96 bytes and points to maxRangesPerCall regions of 24; both segments live
            // as long as this object.
            long result = Syscalls.call(SyscallNumbers.IOCTL, pagemap.number(), PAGEMAP_SCAN, argument.address());
            // Also EINTR is an error: ranges already protected again would be lost. Only a fatal signal causes it.
            int count = (int) Syscalls.check("ioctl(PAGEMAP_SCAN, process " + pid + ")", result);
            for (int i = 0; i < count; i++) {
                long at = (long) i * REGION_BYTES;
                written.add(regions.get(JAVA_LONG, at), regions.get(JAVA_LONG, at + 8));
            }
            if (count < maxRanges) {
                // Complete. The kernel's walk_end would not say so: after more than 512 ranges it may be stale.
                return;
            }
            // All before the end of the last range has been looked at; what lies behind may not have been.
            from = regions.get(JAVA_LONG, (long) (count - 1) * REGION_BYTES + 8);
        }
    }

    @Override
    public void close() {
        pagemap.close();
        arena.close();
    }
}
