package remus.checkpoint;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import remus.base.Invariant;

/**
 * Pages as they were last sent on the present connection: what the backup has of them, or will have when it reads what
 * follows. Direct-mapped: a page has one place, which it shares with those that lie a whole number of capacities away, and
 * the last one sent has it.
 *
 * <p>Limits: {@link #capacityBytes}, of which memory is taken in blocks as places are used first, and 8 bytes for each place.
 * Used by one thread at a time.
 */
final class SentPages implements AutoCloseable {
    /** Of guest memory, so much is kept: a guest that writes more than that between two checkpoints has other worries. */
    static final int MEMORY_PART = 4;

    /** As much is kept in any case, or all of a smaller guest's memory. */
    static final long MIN_CAPACITY_BYTES = 64L << 20;

    /** More is never kept. */
    static final long MAX_CAPACITY_BYTES = 1L << 30;

    private static final int BLOCK_BYTES = 1 << 20;
    private static final long NONE = -1;

    private final int pageBytes;
    private final int pagesPerBlock;
    private final Arena arena = Arena.ofShared();
    private final long[] pages;
    private final @Nullable MemorySegment[] blocks;
    private boolean empty = true;

    /** @param capacityBytes at least a page; rounded up to whole blocks */
    SentPages(int pageBytes, long capacityBytes) {
        this.pageBytes = pageBytes;
        pagesPerBlock = BLOCK_BYTES / pageBytes;
        int blockCount = Math.toIntExact((capacityBytes + BLOCK_BYTES - 1) / BLOCK_BYTES);
        blocks = new MemorySegment[blockCount];
        pages = new long[blockCount * pagesPerBlock];
        Arrays.fill(pages, NONE);
    }

    /** What is kept of a guest with so much memory, at most. */
    static long capacityBytes(long memoryBytes) {
        return Math.min(memoryBytes, Math.clamp(memoryBytes / MEMORY_PART, MIN_CAPACITY_BYTES, MAX_CAPACITY_BYTES));
    }

    private int place(long page) {
        return (int) (page % pages.length);
    }

    /** The memory that holds {@code page} from {@link #offset} on; null: it is not known what was sent last. */
    @Nullable
    MemorySegment find(long page) {
        int place = place(page);
        return pages[place] == page ? blocks[place / pagesPerBlock] : null;
    }

    long offset(long page) {
        return (long) (place(page) % pagesPerBlock) * pageBytes;
    }

    /** The page is being sent. */
    void put(long page, MemorySegment memory, long offset) {
        int place = place(page);
        MemorySegment block = blocks[place / pagesPerBlock];
        if (block == null) {
            block = arena.allocate(BLOCK_BYTES, 4096);
            blocks[place / pagesPerBlock] = block;
        }
        MemorySegment.copy(memory, offset, block, offset(page), pageBytes);
        pages[place] = page;
        empty = false;
    }

    /** These pages are being sent as zeros, whose difference from anything is the page itself. */
    void forget(long firstPage, int count) {
        if (empty) {
            return;
        }
        Invariant.check(firstPage >= 0, "page %d", firstPage);
        if (count >= pages.length) {
            clear();
            return;
        }
        for (long page = firstPage; page < firstPage + count; page++) {
            int place = place(page);
            if (pages[place] == page) {
                pages[place] = NONE;
            }
        }
    }

    /** Nothing is known of what the backup has. */
    void clear() {
        if (!empty) {
            Arrays.fill(pages, NONE);
            empty = true;
        }
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
