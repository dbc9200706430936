package remus.memory;

import java.util.Arrays;

/**
 * A set of guest pages, held as runs of consecutive ones, ascending and apart from each other. Reused from checkpoint
 * to checkpoint: once it has seen as many runs as it ever will, it allocates nothing.
 *
 * <p>Pages may be added in any order and repeatedly; ascending order is cheapest. Confined to one thread at a time.
 */
public final class DirtyPages {
    /** One more than the largest page number: 8 TiB of guest RAM in pages of 4 KiB. */
    public static final long MAX_PAGES = 1L << 31;

    private static final int FIRST_SHIFT = 32;
    private static final long COUNT_MASK = 0xffff_ffffL;
    private static final int INITIAL_RUNS = 1024;

    // One run in each long, first page above, page count below: sorting the longs sorts the runs.
    private long[] runs = new long[INITIAL_RUNS];
    private int runCount;
    private boolean orderly = true;
    private long[] spare = new long[0];

    public void clear() {
        runCount = 0;
        orderly = true;
    }

    /** Adds {@code count} pages from {@code firstPage} on; none for a count of 0. */
    public void add(long firstPage, long count) {
        if (firstPage < 0 || count < 0 || firstPage + count > MAX_PAGES) {
            throw new IllegalArgumentException("run of " + count + " pages at " + firstPage);
        }
        if (count == 0) {
            return;
        }
        if (runCount > 0 && orderly) {
            long last = runs[runCount - 1];
            long lastFirst = last >>> FIRST_SHIFT;
            long lastEnd = lastFirst + (last & COUNT_MASK);
            if (firstPage >= lastFirst && firstPage <= lastEnd) {
                long end = Math.max(lastEnd, firstPage + count);
                runs[runCount - 1] = lastFirst << FIRST_SHIFT | end - lastFirst;
                return;
            }
            orderly = firstPage > lastEnd;
        }
        if (runCount == runs.length) {
            runs = Arrays.copyOf(runs, runCount * 2);
        }
        runs[runCount++] = firstPage << FIRST_SHIFT | count;
    }

    public void addAll(DirtyPages other) {
        for (int run = 0; run < other.runCount(); run++) {
            add(other.firstPage(run), other.pageCount(run));
        }
    }

    /** Takes away all pages below {@code page}. */
    public void removeBelow(long page) {
        order();
        int kept = 0;
        for (int run = 0; run < runCount; run++) {
            long first = firstPage(run);
            long end = first + pageCount(run);
            if (end > page) {
                long newFirst = Math.max(first, page);
                runs[kept++] = newFirst << FIRST_SHIFT | end - newFirst;
            }
        }
        runCount = kept;
    }

    /** Takes away all pages of {@code other}. */
    public void removeAll(DirtyPages other) {
        order();
        other.order();
        if (spare.length < runCount + other.runCount) {
            spare = new long[Math.max(runs.length, runCount + other.runCount)];
        }
        int kept = 0;
        int taking = 0;
        for (int run = 0; run < runCount; run++) {
            long first = firstPage(run);
            long end = first + pageCount(run);
            while (taking < other.runCount && endOf(other, taking) <= first) {
                taking++;
            }
            for (int next = taking; next < other.runCount && other.firstPage(next) < end; next++) {
                if (other.firstPage(next) > first) {
                    spare[kept++] = first << FIRST_SHIFT | other.firstPage(next) - first;
                }
                first = Math.min(end, endOf(other, next));
            }
            if (first < end) {
                spare[kept++] = first << FIRST_SHIFT | end - first;
            }
        }
        takeSpare(kept);
    }

    /** Takes away all pages that are not in {@code other}. */
    public void retainAll(DirtyPages other) {
        order();
        other.order();
        if (spare.length < runCount + other.runCount) {
            spare = new long[Math.max(runs.length, runCount + other.runCount)];
        }
        int kept = 0;
        int mine = 0;
        int its = 0;
        while (mine < runCount && its < other.runCount) {
            long end = endOf(this, mine);
            long itsEnd = endOf(other, its);
            long first = Math.max(firstPage(mine), other.firstPage(its));
            long common = Math.min(end, itsEnd) - first;
            if (common > 0) {
                spare[kept++] = first << FIRST_SHIFT | common;
            }
            if (end < itsEnd) {
                mine++;
            } else {
                its++;
            }
        }
        takeSpare(kept);
    }

    private void takeSpare(int kept) {
        long[] before = runs;
        runs = spare;
        spare = before;
        runCount = kept;
    }

    private static long endOf(DirtyPages pages, int run) {
        return pages.firstPage(run) + pages.pageCount(run);
    }

    private void order() {
        if (orderly) {
            return;
        }
        Arrays.sort(runs, 0, runCount);
        int unordered = runCount;
        clear();
        for (int run = 0; run < unordered; run++) {
            // Merges into the last run or appends; never ahead of the run that is being read.
            add(runs[run] >>> FIRST_SHIFT, runs[run] & COUNT_MASK);
        }
    }

    public boolean isEmpty() {
        return runCount == 0;
    }

    public int runCount() {
        order();
        return runCount;
    }

    /** First page of {@code run}, 0 to {@link #runCount} - 1. */
    public long firstPage(int run) {
        order();
        return runs[run] >>> FIRST_SHIFT;
    }

    public long pageCount(int run) {
        order();
        return runs[run] & COUNT_MASK;
    }

    /** Pages of all runs together. */
    public long pageCount() {
        order();
        long pages = 0;
        for (int run = 0; run < runCount; run++) {
            pages += runs[run] & COUNT_MASK;
        }
        return pages;
    }

    @Override
    public String toString() {
        return pageCount() + " pages in " + runCount + " runs";
    }
}
