package remus.memory;

import remus.base.Invariant;
import remus.linux.LinuxException;
import remus.linux.PageFaults;
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
 *
 * <p>The first write of a protected page is a page fault of the thread that makes it: where QEMU has had none since before the last
 * scan began, nothing was written, and that is known without another scan. Not under KVM, where a worker of the kernel's may have
 * the fault in a vCPU's place (asynchronous page faults), so that QEMU could then write the page without one of its own.
 */
final class AsyncDirtyTracker implements DirtyTracker {
    /** Above so many ranges, near ones are reset together: the system calls would cost more than the scan. */
    static final int MAX_SINGLE_RANGES = 1_000;
    /** What lies at most between ranges that are reset together, in pages. */
    static final int NEAR_PAGES = 32;

    private final Userfaultfd protection;
    private final PagemapScan scan;
    private final PageFaults faults;
    private final ResetStrategy strategy;
    private final long start;
    private final long end;
    private final DirtyPages found = new DirtyPages();
    private long resetPages;
    private long faultsBeforeCollect;
    private boolean hasCollectedAll;

    /**
     * Takes over {@code protection}, {@code scan} and {@code faults}, all of one process.
     *
     * @param ram where QEMU has mapped the RAM file, registered with {@code protection}
     */
    AsyncDirtyTracker(
            Userfaultfd protection, PagemapScan scan, PageFaults faults, ProcessMapping ram, ResetStrategy strategy) {
        this.protection = protection;
        this.scan = scan;
        this.faults = faults;
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
        hasCollectedAll = false;
        faultsBeforeCollect = faults.count();
        collect(start, end, into);
        protection.checkProcessLives(start, end - start);
        hasCollectedAll = true;
    }

    private void collect(long from, long to, DirtyPages into) throws LinuxException {
        switch (strategy) {
            case ONE_RESETTING_SCAN ->
                scan.findAndReset(from, to, (first, behind) -> into.add(page(first), pages(first, behind)));
            case FIND_THEN_RESET -> findThenReset(from, to, into);
        }
    }

    @Override
    public boolean knowsQuiet() {
        return strategy == ResetStrategy.ONE_RESETTING_SCAN;
    }

    @Override
    public boolean isQuiet() throws LinuxException {
        return knowsQuiet() && hasCollectedAll && faults.count() == faultsBeforeCollect;
    }

    @Override
    public void collectOthers(DirtyPages except, DirtyPages into) throws LinuxException {
        hasCollectedAll = false;
        long from = start;
        for (int run = 0; run < except.runCount(); run++) {
            long first = address(except.firstPage(run));
            if (from < first) {
                collect(from, first, into);
            }
            from = address(except.firstPage(run) + except.pageCount(run));
        }
        if (from < end) {
            collect(from, end, into);
        }
        protection.checkProcessLives(start, end - start);
    }

    @Override
    public void release(DirtyPages pages) throws LinuxException {
        if (!knowsQuiet()) {
            return;
        }
        hasCollectedAll = false;
        for (int run = 0; run < pages.runCount(); run++) {
            protection.unprotect(address(pages.firstPage(run)), pages.pageCount(run) * GuestMemory.PAGE_BYTES);
        }
    }

    private void findThenReset(long first, long behind, DirtyPages into) throws LinuxException {
        found.clear();
        scan.find(first, behind, (from, to) -> found.add(page(from), pages(from, to)));
        int nearPages = found.runCount() > MAX_SINGLE_RANGES ? NEAR_PAGES : 0;
        resetPages = 0;
        int run = 0;
        while (run < found.runCount()) {
            long page = found.firstPage(run);
            long end = page + found.pageCount(run);
            run++;
            while (run < found.runCount() && found.firstPage(run) - end <= nearPages) {
                end = found.firstPage(run) + found.pageCount(run);
                run++;
            }
            // All that this scan returns is kept: pages may have been written since the search, and they are reset too.
            scan.findAndReset(address(page), address(end), (from, to) -> {
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
        faults.close();
    }
}
