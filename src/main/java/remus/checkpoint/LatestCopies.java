package remus.checkpoint;

import java.util.Arrays;

/**
 * Which copies of {@link StagedPages} count: of a page that was taken more than once the last one. A list of pieces, each a
 * part of one run, in the order of their capture; no page is in two of them. Keeps its memory, a bit for each page of the
 * guest included. Used by one thread at a time.
 */
final class LatestCopies {
    private final long[] seen;
    private int count;
    // From the last to the first.
    private int[] runs = new int[256];
    private int[] skips = new int[256];
    private int[] pageCounts = new int[256];

    LatestCopies(long guestPageCount) {
        seen = new long[Math.toIntExact((guestPageCount + Long.SIZE - 1) / Long.SIZE)];
    }

    void of(StagedPages pages) {
        count = 0;
        for (int run = pages.runCount() - 1; run >= 0; run--) {
            addRun(run, pages.firstPage(run), pages.pageCount(run));
        }
        for (int piece = 0; piece < count; piece++) {
            long first = pages.firstPage(runs[piece]) + skips[piece];
            for (long page = first; page < first + pageCounts[piece]; page++) {
                seen[(int) (page >>> 6)] = 0;
            }
        }
    }

    private void addRun(int run, long firstPage, int pages) {
        int end = pages;
        while (end > 0) {
            int from = end;
            while (from > 0 && see(firstPage + from - 1)) {
                from--;
            }
            if (from < end) {
                add(run, from, end - from);
            }
            end = from - 1; // that one was taken again later
        }
    }

    /** Whether it is seen for the first time. */
    private boolean see(long page) {
        int word = (int) (page >>> 6);
        long bit = 1L << page;
        boolean first = (seen[word] & bit) == 0;
        seen[word] |= bit;
        return first;
    }

    private void add(int run, int skip, int pages) {
        if (count == runs.length) {
            runs = Arrays.copyOf(runs, count * 2);
            skips = Arrays.copyOf(skips, count * 2);
            pageCounts = Arrays.copyOf(pageCounts, count * 2);
        }
        runs[count] = run;
        skips[count] = skip;
        pageCounts[count] = pages;
        count++;
    }

    int pieceCount() {
        return count;
    }

    /** The run that a piece is part of. */
    int run(int piece) {
        return runs[count - 1 - piece];
    }

    /** How many pages of the run come before the piece. */
    int skip(int piece) {
        return skips[count - 1 - piece];
    }

    int pageCount(int piece) {
        return pageCounts[count - 1 - piece];
    }
}
