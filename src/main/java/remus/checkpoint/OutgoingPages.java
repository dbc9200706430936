package remus.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import remus.base.Invariant;
import remus.wire.FrameType;
import remus.wire.WireLimits;

/**
 * Turns the pages of a checkpoint or a pre-copy chunk into frames, one at a time: those that hold only zeros as ZERO_PAGES,
 * which come last, the others as PAGES. Of a page that was taken twice only the later copy is sent, so no page comes twice
 * and the order of the frames means nothing. Page data stays where it is and is written from there.
 *
 * <p>Looking at a page costs next to nothing beside sending it, and happens on the thread that sends. Used by one thread at
 * a time; allocates nothing once its tables have grown.
 */
public final class OutgoingPages {
    /** Takes what follows the head of a frame; the memory stays as it is until the frame is sent. */
    @FunctionalInterface
    public interface Parts {
        void addPart(MemorySegment memory, long offset, long length);
    }

    private static final MemorySegment ZERO_PAGE = Arena.global().allocate(WireLimits.MAX_PAGE_BYTES, 64);

    private final int pageBytes;
    private final int maxPages;
    private final LatestCopies latest;
    private final ZeroRuns zeros = new ZeroRuns();
    private final PageTable table = new PageTable();
    private @Nullable StagedPages pages;
    private int piece;
    private int pageOfPiece;
    private long pageCount;
    private long sentPageCount;

    /**
     * @param guestPageCount pages of the guest's memory
     * @param maxFramePages most pages with data in one frame; {@link WireLimits#MAX_BULK_BYTES} is a limit, too
     */
    public OutgoingPages(int pageBytes, long guestPageCount, int maxFramePages) {
        this.pageBytes = pageBytes;
        maxPages = Math.min(maxFramePages, WireLimits.MAX_BULK_BYTES / pageBytes);
        latest = new LatestCopies(guestPageCount);
    }

    /** The frames that follow are those of {@code from}, which stays as it is until the last of them is sent. */
    public void start(StagedPages from) {
        Invariant.check(from.pageBytes() == pageBytes, "pages of %d bytes, not %d", from.pageBytes(), pageBytes);
        pages = from;
        latest.of(from);
        zeros.clear();
        piece = 0;
        pageOfPiece = 0;
        pageCount = 0;
        sentPageCount = 0;
    }

    /** Puts the start of the next frame's payload into {@code head} and the rest into {@code parts}; null: there is none. */
    public @Nullable FrameType next(ByteBuffer head, Parts parts) {
        StagedPages from = pages;
        if (from == null) {
            return null;
        }
        collect(from);
        if (table.count > 0) {
            table.encode(head, pageBytes, parts);
            sentPageCount += table.count;
            return FrameType.PAGES;
        }
        if (!zeros.isEmpty()) {
            sentPageCount += zeros.encode(head);
            return FrameType.ZERO_PAGES;
        }
        pages = null;
        return null;
    }

    /** Brings the next pages with data into the table, and notes the zeros among them. */
    private void collect(StagedPages from) {
        table.clear();
        while (table.count < maxPages && piece < latest.pieceCount()) {
            int run = latest.run(piece);
            int skip = latest.skip(piece);
            int count = latest.pageCount(piece);
            if (from.isZero(run)) {
                zeros.add(from.firstPage(run) + skip, count);
                pageCount += count;
                pageOfPiece = count;
            } else {
                add(from.firstPage(run) + skip + pageOfPiece, from.data(run), offset(from, run, skip + pageOfPiece));
                pageCount++;
                pageOfPiece++;
            }
            if (pageOfPiece == count) {
                piece++;
                pageOfPiece = 0;
            }
        }
    }

    private long offset(StagedPages from, int run, int page) {
        return from.dataOffset(run) + (long) page * pageBytes;
    }

    private void add(long page, MemorySegment memory, long offset) {
        if (isZero(memory, offset)) {
            zeros.add(page, 1);
        } else {
            table.add(page, memory, offset);
        }
    }

    private boolean isZero(MemorySegment memory, long offset) {
        // Most pages differ in their first word, and a call that compares whole pages is dear beside that look.
        return memory.get(JAVA_LONG_UNALIGNED, offset) == 0
                && MemorySegment.mismatch(memory, offset, offset + pageBytes, ZERO_PAGE, 0, pageBytes) < 0;
    }

    /** Pages that the frames so far stand for, each counted once. */
    public long pageCount() {
        return pageCount;
    }

    /** Pages in the frames so far, zero pages included: what the end of a checkpoint announces. */
    public long sentPageCount() {
        return sentPageCount;
    }

    /** The pages of one frame, in the order in which they were added. */
    private static final class PageTable {
        private int count;
        private final long[] pages = new long[WireLimits.MAX_PAGE_RUNS];
        private final @Nullable MemorySegment[] memories = new MemorySegment[WireLimits.MAX_PAGE_RUNS];
        private final long[] offsets = new long[WireLimits.MAX_PAGE_RUNS];

        void clear() {
            // References to staged memory are not kept beyond the frame that needed them.
            Arrays.fill(memories, 0, count, null);
            count = 0;
        }

        void add(long page, MemorySegment memory, long offset) {
            pages[count] = page;
            memories[count] = memory;
            offsets[count] = offset;
            count++;
        }

        private MemorySegment memory(int index) {
            return Invariant.present(memories[index], "the memory of a page");
        }

        void encode(ByteBuffer head, int pageBytes, Parts parts) {
            int countAt = head.position();
            head.putInt(0);
            int runs = 0;
            for (int from = 0; from < count; runs++) {
                int end = from + 1;
                while (end < count && pages[end] == pages[end - 1] + 1) {
                    end++;
                }
                head.putLong(pages[from]).putInt(end - from);
                from = end;
            }
            head.putInt(countAt, runs);
            // Runs lie one after the other in their block, so most frames need one part or two, not one a run.
            for (int from = 0; from < count; ) {
                MemorySegment memory = memory(from);
                int end = from + 1;
                while (end < count && memory.equals(memory(end)) && offsets[end] == offsets[end - 1] + pageBytes) {
                    end++;
                }
                parts.addPart(memory, offsets[from], (long) (end - from) * pageBytes);
                from = end;
            }
        }
    }

    /** Runs of zero pages that wait for their frame. */
    private static final class ZeroRuns {
        private int count;
        private int next;
        private long[] firstPages = new long[256];
        private int[] pageCounts = new int[256];

        void clear() {
            count = 0;
            next = 0;
        }

        boolean isEmpty() {
            return next == count;
        }

        void add(long firstPage, int pages) {
            if (count > next && firstPages[count - 1] + pageCounts[count - 1] == firstPage) {
                pageCounts[count - 1] += pages;
                return;
            }
            if (count == firstPages.length) {
                firstPages = Arrays.copyOf(firstPages, count * 2);
                pageCounts = Arrays.copyOf(pageCounts, count * 2);
            }
            firstPages[count] = firstPage;
            pageCounts[count] = pages;
            count++;
        }

        /** Returns how many pages the frame has. */
        long encode(ByteBuffer head) {
            int runs = Math.min(count - next, WireLimits.MAX_ZERO_RUNS);
            head.putInt(runs);
            long pages = 0;
            for (int end = next + runs; next < end; next++) {
                head.putLong(firstPages[next]).putInt(pageCounts[next]);
                pages += pageCounts[next];
            }
            return pages;
        }
    }
}
