package remus.memory;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.StagedPages;
import remus.linux.LinuxException;
import remus.linux.SparseFile;

/**
 * Copies guest pages into staging, run by run, straight from the shared mapping. Works on a running guest too: what the
 * guest writes beside it is the tracker's to report again. Confined to one thread at a time.
 */
final class PageCopier {
    /** Longest run that one call hands over: staging counts pages in ints, and a chunk is bounded anyway. */
    private static final int MAX_RUN_PAGES = 1 << 20;

    private static final MemorySegment ZERO_PAGE = Arena.global().allocate(GuestMemory.PAGE_BYTES, 64);

    private final GuestMemory memory;

    PageCopier(GuestMemory memory) {
        this.memory = memory;
    }

    /** Copies all of {@code pages} as they are: the quick way, for pages that were just written. */
    void copy(DirtyPages pages, StagedPages target) throws CheckpointException {
        for (int run = 0; run < pages.runCount(); run++) {
            long first = pages.firstPage(run);
            long behind = first + pages.pageCount(run);
            while (first < behind) {
                int count = (int) Math.min(MAX_RUN_PAGES, behind - first);
                target.append(first, count, memory.segment(), first * GuestMemory.PAGE_BYTES);
                first += count;
            }
        }
    }

    /**
     * Copies those of {@code pages} that are at or above {@code from}, but only notes those that are holes or all zero.
     *
     * @param maxPages the most pages that are looked at; holes are found without looking and do not count
     * @return the page to go on from, or the number of all pages when none is left
     */
    long copySparsely(DirtyPages pages, long from, int maxPages, StagedPages target)
            throws CheckpointException, LinuxException {
        int budget = maxPages;
        for (int run = 0; run < pages.runCount(); run++) {
            long behind = pages.firstPage(run) + pages.pageCount(run);
            long page = Math.max(from, pages.firstPage(run));
            while (page < behind) {
                long data = Math.min(behind, nextDataPage(page));
                noteZero(page, data, target);
                page = data;
                if (page < behind) {
                    if (budget == 0) {
                        return page;
                    }
                    long dataEnd = Math.min(Math.min(behind, page + budget), nextHolePage(page));
                    copyData(page, dataEnd, target);
                    budget -= (int) (dataEnd - page);
                    page = dataEnd;
                }
            }
        }
        return memory.pageCount();
    }

    private long nextDataPage(long page) throws LinuxException {
        long offset = memory.file().nextData(page * GuestMemory.PAGE_BYTES);
        return offset == SparseFile.NONE ? memory.pageCount() : offset / GuestMemory.PAGE_BYTES;
    }

    private long nextHolePage(long page) throws LinuxException {
        // A hole that appeared since just now may begin at this very page: it is then read as data, which it may be.
        return Math.max(page + 1, memory.file().nextHole(page * GuestMemory.PAGE_BYTES) / GuestMemory.PAGE_BYTES);
    }

    private void copyData(long from, long behind, StagedPages target) throws CheckpointException {
        long page = from;
        while (page < behind) {
            boolean zero = isZero(page);
            long end = page + 1;
            while (end < behind && end - page < MAX_RUN_PAGES && isZero(end) == zero) {
                end++;
            }
            if (zero) {
                target.appendZero(page, (int) (end - page));
            } else {
                target.append(page, (int) (end - page), memory.segment(), page * GuestMemory.PAGE_BYTES);
            }
            page = end;
        }
    }

    private static void noteZero(long from, long behind, StagedPages target) {
        long page = from;
        while (page < behind) {
            int count = (int) Math.min(MAX_RUN_PAGES, behind - page);
            target.appendZero(page, count);
            page += count;
        }
    }

    private boolean isZero(long page) {
        long offset = page * GuestMemory.PAGE_BYTES;
        return MemorySegment.mismatch(
                        memory.segment(), offset, offset + GuestMemory.PAGE_BYTES, ZERO_PAGE, 0, GuestMemory.PAGE_BYTES)
                < 0;
    }
}
