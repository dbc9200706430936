package remus.checkpoint;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import remus.base.Invariant;

/**
 * Copies of guest pages, off-heap, in the order in which they were taken: a list of runs of consecutive pages. The same
 * page may occur twice; the later copy counts. Runs of zero pages carry no data.
 *
 * <p>Grows by blocks up to its limit and keeps them when cleared, so that a steady guest causes no allocation. Used by
 * one thread at a time: the owner fills it, then nobody changes it until the owner clears it, and meanwhile others may
 * read.
 */
public final class StagedPages implements AutoCloseable {
    /** Size of one block, in bytes, or less where the limit is lower; no run crosses a block. */
    public static final int BLOCK_BYTES = 4 << 20;

    private static final int NO_BLOCK = -1;

    private final int pageBytes;
    private final long limitBytes;
    private final int blockBytes;
    private final Arena arena = Arena.ofShared();
    private final List<MemorySegment> blocks = new ArrayList<>();
    private int usedBlockCount;
    private int usedInLastBlock;

    private int runCount;
    private long[] firstPages = new long[256];
    private int[] pageCounts = new int[256];
    private int[] blockIndexes = new int[256];
    private int[] blockOffsets = new int[256];
    private long pageCount;
    private long zeroPageCount;

    /**
     * @param pageBytes size of a guest page as tracked, a divisor of {@link #BLOCK_BYTES}
     * @param limitBytes the most page data that is ever held; beyond it {@link #append} fails. Zero pages hold none.
     */
    public StagedPages(int pageBytes, long limitBytes) {
        if (pageBytes <= 0 || BLOCK_BYTES % pageBytes != 0) {
            throw new IllegalArgumentException("pageBytes=" + pageBytes + " does not divide " + BLOCK_BYTES);
        }
        this.pageBytes = pageBytes;
        this.limitBytes = limitBytes;
        long wholePages = (limitBytes + pageBytes - 1) / pageBytes * pageBytes;
        blockBytes = Math.clamp(wholePages, pageBytes, BLOCK_BYTES);
        usedInLastBlock = blockBytes;
    }

    /** Forgets all pages; the memory is kept for the next use. */
    public void clear() {
        runCount = 0;
        usedBlockCount = 0;
        usedInLastBlock = blockBytes;
        pageCount = 0;
        zeroPageCount = 0;
    }

    /**
     * Copies {@code count} pages from {@code sourceOffset} of {@code source}.
     *
     * @throws CheckpointException when the limit would be passed; the pages already held stay
     */
    public void append(long firstPage, int count, MemorySegment source, long sourceOffset) throws CheckpointException {
        if ((long) count * pageBytes > limitBytes - dataBytes()) {
            throw CheckpointException.stagingFull(limitBytes);
        }
        long page = firstPage;
        long offset = sourceOffset;
        int remaining = count;
        while (remaining > 0) {
            if (usedInLastBlock == blockBytes) {
                openBlock();
            }
            int taken = Math.min(remaining, (blockBytes - usedInLastBlock) / pageBytes);
            long bytes = (long) taken * pageBytes;
            MemorySegment.copy(source, offset, blocks.get(usedBlockCount - 1), usedInLastBlock, bytes);
            addRun(page, taken, usedBlockCount - 1, usedInLastBlock);
            usedInLastBlock += (int) bytes;
            page += taken;
            offset += bytes;
            remaining -= taken;
        }
        pageCount += count;
    }

    /**
     * Makes room for {@code page}, whose content the caller puts into the last run's {@link #data}, from the offset that is
     * returned on.
     *
     * @throws CheckpointException when the limit would be passed
     */
    public int appendBlank(long page) throws CheckpointException {
        if (pageBytes > limitBytes - dataBytes()) {
            throw CheckpointException.stagingFull(limitBytes);
        }
        if (usedInLastBlock == blockBytes) {
            openBlock();
        }
        int offset = usedInLastBlock;
        int last = runCount - 1;
        boolean continues =
                runCount > 0 && blockIndexes[last] == usedBlockCount - 1 && firstPages[last] + pageCounts[last] == page;
        if (continues) {
            pageCounts[last]++;
        } else {
            addRun(page, 1, usedBlockCount - 1, offset);
        }
        usedInLastBlock += pageBytes;
        pageCount++;
        return offset;
    }

    /** Notes {@code count} pages that hold only zeros. */
    public void appendZero(long firstPage, int count) {
        addRun(firstPage, count, NO_BLOCK, 0);
        pageCount += count;
        zeroPageCount += count;
    }

    private void openBlock() {
        if (usedBlockCount == blocks.size()) {
            blocks.add(arena.allocate(blockBytes, 4096));
        }
        usedBlockCount++;
        usedInLastBlock = 0;
    }

    private void addRun(long firstPage, int count, int block, int offset) {
        Invariant.check(firstPage >= 0 && count > 0, "run of %d pages at %d", count, firstPage);
        if (runCount == firstPages.length) {
            firstPages = Arrays.copyOf(firstPages, runCount * 2);
            pageCounts = Arrays.copyOf(pageCounts, runCount * 2);
            blockIndexes = Arrays.copyOf(blockIndexes, runCount * 2);
            blockOffsets = Arrays.copyOf(blockOffsets, runCount * 2);
        }
        firstPages[runCount] = firstPage;
        pageCounts[runCount] = count;
        blockIndexes[runCount] = block;
        blockOffsets[runCount] = offset;
        runCount++;
    }

    public int pageBytes() {
        return pageBytes;
    }

    public int runCount() {
        return runCount;
    }

    /** Number of the first guest page of {@code run}: its guest RAM offset divided by {@link #pageBytes}. */
    public long firstPage(int run) {
        return firstPages[run];
    }

    public int pageCount(int run) {
        return pageCounts[run];
    }

    /** Whether all pages of {@code run} are zero; such a run has no data. */
    public boolean isZero(int run) {
        return blockIndexes[run] == NO_BLOCK;
    }

    /** The block that holds the data of {@code run}, from {@link #dataOffset} on. */
    public MemorySegment data(int run) {
        return blocks.get(blockIndexes[run]);
    }

    public int dataOffset(int run) {
        return blockOffsets[run];
    }

    /** All pages held, zero pages included. */
    public long pageCount() {
        return pageCount;
    }

    public long zeroPageCount() {
        return zeroPageCount;
    }

    /** Bytes of page data held. */
    public long dataBytes() {
        return (pageCount - zeroPageCount) * pageBytes;
    }

    /** Bytes of memory kept, used or not. */
    public long allocatedBytes() {
        return (long) blocks.size() * blockBytes;
    }

    /** Gives the memory back, for good; may be called again. */
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
