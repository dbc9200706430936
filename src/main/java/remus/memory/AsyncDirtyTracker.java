package remus.memory;

import remus.base.Invariant;
import remus.linux.LinuxException;
import remus.linux.PagemapScan;
import remus.linux.ProcessMapping;
import remus.linux.Userfaultfd;

/**
 * Tracking by the kernel: guest RAM is write-protected asynchronously, so the first write of a page lifts its
 * protection, and the pages without protection are the written ones. Resets each page in the same step in which the
 * kernel reports it, so that no write falls in between.
 *
 * <p>A scan of a process that has ended finds nothing and succeeds. So each scan is followed by a check that the process
 * still had its memory; without it, a QEMU killed at the wrong moment would pass for one that had written nothing.
 */
final class AsyncDirtyTracker implements DirtyTracker {
    /** Above so many ranges, near ones are reset together: the system calls would cost more than the scan. */
    static final int MAX_SINGLE_RANGES = 1_000;
    /** What lies at most between ranges that are reset together, in pages. */
    static final int NEAR_PAGES = 32;

    private final Userfaultfd protection;
    private final PagemapScan scan;
    private final ResetStrategy strategy;
    private final long start;
    private final long end;
    private final DirtyPages found = new DirtyPages();
    private long resetPages;

    /**
     * Takes over {@code protection} and {@code scan}.
     *
     * @param ram where QEMU has mapped the RAM file, registered with {@code protection}
     */
    AsyncDirtyTracker(Userfaultfd protection, PagemapScan scan, ProcessMapping ram, ResetStrategy strategy) {
        this.protection = protection;
        this.scan = scan;
        this.strategy = strategy;
        start = ram.start();
        end = ram.end();
    }

    @Override
    public void arm() throws LinuxException {
        scan.findAndReset(start, end, (from, to) -> {});
        protection.checkProcessLives(start, end - start);
    }

    @Override
    public void collect(DirtyPages into) throws LinuxException {
        switch (strategy) {
            case ONE_RESETTING_SCAN ->
                scan.findAndReset(start, end, (from, to) -> into.add(page(from), pages(from, to)));
            case FIND_THEN_RESET -> findThenReset(into);
        }
        protection.checkProcessLives(start, end - start);
    }

    private void findThenReset(DirtyPages into) throws LinuxException {
        found.clear();
        scan.find(start, end, (from, to) -> found.add(page(from), pages(from, to)));
        int nearPages = found.runCount() > MAX_SINGLE_RANGES ? NEAR_PAGES : 0;
        resetPages = 0;
        int run = 0;
        while (run < found.runCount()) {
            long first = found.firstPage(run);
            long behind = first + found.pageCount(run);
            run++;
            while (run < found.runCount() && found.firstPage(run) - behind <= nearPages) {
                behind = found.firstPage(run) + found.pageCount(run);
                run++;
            }
            // All that this scan returns is kept: pages may have been written since the search, and they are reset too.
            scan.findAndReset(address(first), address(behind), (from, to) -> {
                into.add(page(from), pages(from, to));
                resetPages += pages(from, to);
            });
        }
        Invariant.check(
                resetPages >= found.pageCount(), "found=%d reset=%d written pages", found.pageCount(), resetPages);
    }

    private long page(long address) {
        return (address - start) / GuestMemory.PAGE_BYTES;
    }

    private long address(long page) {
        return start + page * GuestMemory.PAGE_BYTES;
    }

    private static long pages(long from, long to) {
        return (to - from) / GuestMemory.PAGE_BYTES;
    }

    @Override
    public TrackingMode mode() {
        return TrackingMode.ASYNC;
    }

    @Override
    public void close() {
        protection.close();
        scan.close();
    }
}
