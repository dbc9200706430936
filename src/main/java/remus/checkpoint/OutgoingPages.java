package remus.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import remus.base.Invariant;
import remus.wire.FrameType;
import remus.wire.PageCoder;
import remus.wire.WireLimits;

/**
 * Turns the pages of a checkpoint or a pre-copy chunk into frames, one at a time. Of a page that was taken twice only the
 * later copy is sent, so no page comes twice and the order of the frames means nothing. Pages that hold only zeros go as
 * ZERO_PAGES, last; the others as PAGES, written from where they lie, or, where they are to be coded, as CODED_PAGES: by how
 * they differ from what was sent of them last, and not at all where they don't. A frame that does not get shorter by that
 * goes as PAGES after all.
 *
 * <p><b>What the backup decodes against is what was encoded against.</b> The backup's base of a page in checkpoint <i>e</i>
 * is its memory as of its last whole checkpoint, in a pre-copy round as all frames before have left it. The base here is the
 * page as it was last sent <i>on this connection</i> ({@link SentPages}, empty when a connection is new). Let that have been
 * in <i>c</i>.
 * <ul>
 *   <li>A page is sent at most once in a checkpoint, so <i>c</i> is before <i>e</i>; and <i>e</i> is read only when <i>c</i>
 *       and all between them, which came before it on the same connection, are whole and applied, or else the connection is
 *       dropped. So the backup's memory has the page as of <i>c</i>, unless a later one was sent, which is none.
 *   <li>After a break, what the backup has of the checkpoints that were under way is not known: with a page last sent in
 *       <i>e+1</i> it may hold <i>e-1</i>, <i>e</i> or <i>e+1</i>. Nothing of before the break is a base any more, nor a
 *       reason to leave a page out: the checkpoints that are sent again come without a base, and those after them build on
 *       these.
 *   <li>A backup that holds <i>e+1</i> may be sent <i>e</i> and <i>e+1</i> once more. It does not use them, and need not decode
 *       them rightly; what follows builds on <i>e+1</i>, which it has, as staging has not changed meanwhile.
 *   <li>Pages that are sent in another way than coded are no base, or an equal one: what goes as zeros is forgotten, and a
 *       checkpoint that is not coded at all forgets everything.
 * </ul>
 *
 * <p>Limits: those of {@link SentPages}. Looking at pages happens on the thread that sends, not in the guest's pause. Used by
 * one thread at a time; allocates next to nothing once its tables have grown ({@link PageCoder}).
 */
public final class OutgoingPages implements AutoCloseable {
    /** Takes what follows the head of a frame; the memory stays as it is until the frame is sent. */
    @FunctionalInterface
    public interface Parts {
        void addPart(MemorySegment memory, long offset, long length);
    }

    /** Of their size, coded pages have at most so much: else they are sent as they are. */
    private static final double MAX_CODED_SHARE = 0.9;

    private static final MemorySegment ZERO_PAGE = Arena.global().allocate(WireLimits.MAX_PAGE_BYTES, 64);

    private final int pageBytes;
    private final int maxPages;
    private final LatestCopies latest;
    private final ZeroRuns zeros = new ZeroRuns();
    private final PageTable table = new PageTable();
    private final SentPages sent;
    private @Nullable PageCoder coder; // made when it is needed first
    private boolean codes;
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
        sent = new SentPages(pageBytes, SentPages.capacityBytes(guestPageCount * pageBytes));
    }

    /** A new connection is there: nothing was sent on it. */
    public void connected() {
        sent.clear();
    }

    /**
     * The frames that follow are those of {@code from}, which stays as it is until the last of them is sent.
     *
     * @param coded whether pages are coded, where that makes them shorter
     */
    public void start(StagedPages from, boolean coded) {
        Invariant.check(from.pageBytes() == pageBytes, "pages of %d bytes, not %d", from.pageBytes(), pageBytes);
        codes = coded;
        if (!coded) {
            sent.clear();
        }
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
            sentPageCount += table.count;
            if (codes && encodeCoded(coder(), head, parts)) {
                return FrameType.CODED_PAGES;
            }
            table.encode(head, pageBytes, parts);
            return FrameType.PAGES;
        }
        if (!zeros.isEmpty()) {
            sentPageCount += zeros.encode(head);
            return FrameType.ZERO_PAGES;
        }
        pages = null;
        return null;
    }

    private PageCoder coder() {
        PageCoder present = coder;
        if (present == null) {
            present = new PageCoder(pageBytes);
            coder = present;
        }
        return present;
    }

    /** Whether the pages of the table are worth the work that decoding them is for the backup. */
    private boolean encodeCoded(PageCoder from, ByteBuffer head, Parts parts) {
        if (from.finish() > (double) table.count * pageBytes * MAX_CODED_SHARE) {
            return false;
        }
        from.encodeHead(head);
        MemorySegment body = from.body();
        parts.addPart(body, 0, body.byteSize());
        return true;
    }

    /** Brings the next pages with data into the table, and notes the zeros among them. */
    private void collect(StagedPages from) {
        table.clear();
        if (codes) {
            coder().begin();
        }
        while (table.count < maxPages && piece < latest.pieceCount()) {
            int run = latest.run(piece);
            int skip = latest.skip(piece);
            int count = latest.pageCount(piece);
            if (from.isZero(run)) {
                addZeros(from.firstPage(run) + skip, count);
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
            addZeros(page, 1);
        } else if (!codes || isNews(page, memory, offset)) {
            table.add(page, memory, offset);
        }
    }

    private void addZeros(long page, int count) {
        zeros.add(page, count);
        sent.forget(page, count);
    }

    private boolean isNews(long page, MemorySegment memory, long offset) {
        boolean news = coder().add(page, memory, offset, sent.find(page), sent.offset(page));
        if (news) {
            sent.put(page, memory, offset);
        }
        return news;
    }

    private boolean isZero(MemorySegment memory, long offset) {
        // Most pages differ in their first word, and a call that compares whole pages is dear beside that look.
        return memory.get(JAVA_LONG_UNALIGNED, offset) == 0
                && MemorySegment.mismatch(memory, offset, offset + pageBytes, ZERO_PAGE, 0, pageBytes) < 0;
    }

    public int pageBytes() {
        return pageBytes;
    }

    /** Pages that the frames so far stand for, each counted once. */
    public long pageCount() {
        return pageCount;
    }

    /** Pages in the frames so far, zero pages included: what the end of a checkpoint announces. */
    public long sentPageCount() {
        return sentPageCount;
    }

    @Override
    public void close() {
        sent.close();
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
