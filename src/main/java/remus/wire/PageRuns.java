package remus.wire;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * The pages of one PAGES or ZERO_PAGES frame: a table of runs of consecutive guest pages and, for PAGES, where their
 * data lies in the receiver's buffer. Reused from frame to frame and valid only until the next one is read. All numbers
 * have been checked: every run lies within the guest's memory, and the data is there. Confined to one thread.
 */
public final class PageRuns {
    private final long guestPageCount;
    private final int pageBytes;
    private final long[] firstPages = new long[WireLimits.MAX_ZERO_RUNS];
    private final int[] pageCounts = new int[WireLimits.MAX_ZERO_RUNS];
    private final long[] dataOffsets = new long[WireLimits.MAX_PAGE_RUNS];
    private int runCount;
    private long pageCount;
    private MemorySegment data = MemorySegment.NULL;

    /**
     * @param guestPageCount pages of the guest's memory; no run may reach beyond
     * @param pageBytes size of a page
     */
    public PageRuns(long guestPageCount, int pageBytes) {
        this.guestPageCount = guestPageCount;
        this.pageBytes = pageBytes;
    }

    /**
     * Reads the payload of PAGES, which is {@code payload} from its position to its limit.
     *
     * @param memory the memory behind {@code payload}: byte i of one is byte i of the other
     */
    public void decode(ByteBuffer payload, MemorySegment memory) throws WireException {
        decodeTable(payload, WireLimits.MAX_PAGE_RUNS);
        long dataBytes = pageCount * pageBytes;
        if (dataBytes != payload.remaining()) {
            throw WireException.corrupt("the frame's runs have bytes=" + dataBytes + " of data, but it brings bytes="
                    + payload.remaining());
        }
        data = memory;
        long offset = payload.position();
        for (int run = 0; run < runCount; run++) {
            dataOffsets[run] = offset;
            offset += (long) pageCounts[run] * pageBytes;
        }
    }

    /** Reads the payload of ZERO_PAGES. */
    public void decodeZero(ByteBuffer payload) throws WireException {
        decodeTable(payload, WireLimits.MAX_ZERO_RUNS);
        WireText.end(payload);
        data = MemorySegment.NULL;
    }

    private void decodeTable(ByteBuffer payload, int maxRuns) throws WireException {
        runCount = 0;
        pageCount = 0;
        WireText.need(payload, Integer.BYTES, "number of runs");
        int count = payload.getInt();
        if (count < 1 || count > maxRuns) {
            throw WireException.corrupt("runs=" + Integer.toUnsignedLong(count) + " limit=" + maxRuns);
        }
        WireText.need(payload, (long) count * WireLimits.RUN_BYTES, "table of runs");
        for (int run = 0; run < count; run++) {
            long firstPage = payload.getLong();
            int pages = payload.getInt();
            if (firstPage < 0 || pages < 1 || firstPage > guestPageCount || pages > guestPageCount - firstPage) {
                throw WireException.corrupt("run of pages=" + Integer.toUnsignedLong(pages) + " at page="
                        + Long.toUnsignedString(firstPage) + " in a guest of pages=" + guestPageCount);
            }
            firstPages[run] = firstPage;
            pageCounts[run] = pages;
            pageCount += pages;
        }
        runCount = count;
    }

    public int runCount() {
        return runCount;
    }

    /** All pages of the frame. */
    public long pageCount() {
        return pageCount;
    }

    public int pageBytes() {
        return pageBytes;
    }

    /** Number of the first guest page of {@code run}. */
    public long firstPage(int run) {
        return firstPages[run];
    }

    public int pageCount(int run) {
        return pageCounts[run];
    }

    /** The memory that holds the data of PAGES, for {@code run} from {@link #dataOffset} on. */
    public MemorySegment data() {
        return data;
    }

    public long dataOffset(int run) {
        return dataOffsets[run];
    }
}
