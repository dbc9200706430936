package remus.wire;

import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import net.jpountz.lz4.LZ4Exception;
import net.jpountz.lz4.LZ4Factory;
import net.jpountz.lz4.LZ4SafeDecompressor;
import org.jspecify.annotations.Nullable;
import remus.base.Invariant;

/**
 * The pages of one CODED_PAGES frame: for each its base, and how it differs from that. Reused from frame to frame and valid
 * only until the next one is read. All has been checked, and unpacked, when {@link #decode} returns: every page lies within
 * the guest's memory, and what is said of it is there. Confined to one thread.
 *
 * <p>The input is hostile: its lengths are checked before anything is unpacked, into a buffer of fixed size whose bounds Java
 * itself checks (LZ4's safe decompressor, neither {@code Unsafe} nor native), and what it holds must be exactly as long as
 * was said. Limits: {@link WireLimits#MAX_BULK_BYTES} of pages; two buffers of about that size, made with the first frame.
 */
public final class CodedPages {
    /** Blocks of a page, each of which has a bit in its mask. */
    static final int BLOCKS = Long.SIZE;

    /** Bytes of one run in the table. */
    static final int RUN_BYTES = WireLimits.RUN_BYTES + 1;

    /** What lies between table and body: how it is packed, and its length. */
    static final int PACKING_BYTES = 1 + Integer.BYTES;

    /** The body comes as it is. */
    static final int PLAIN = 0;

    /** The body comes as a block of LZ4. */
    static final int LZ4 = 1;

    static final int MAX_BODY_BYTES = WireLimits.MAX_BULK_BYTES + WireLimits.MAX_PAGE_RUNS * Long.BYTES;

    static final int MAX_BYTES = Integer.BYTES + WireLimits.MAX_PAGE_RUNS * RUN_BYTES + PACKING_BYTES + MAX_BODY_BYTES;

    private static final VarHandle MASK = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
    private static final VarHandle WORD = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.nativeOrder());

    private final long guestPageCount;
    private final int pageBytes;
    private final int blockBytes;
    private final int maxPages;
    private final LZ4SafeDecompressor decompressor = LZ4Factory.safeInstance().safeDecompressor();
    private final long[] pages;
    private final boolean[] based;
    private final long[] masks;
    private final int[] offsets;
    private byte @Nullable [] body;
    private byte @Nullable [] packed;
    private int count;

    /**
     * @param guestPageCount pages of the guest's memory
     * @param pageBytes size of a page
     */
    public CodedPages(long guestPageCount, int pageBytes) {
        this.guestPageCount = guestPageCount;
        this.pageBytes = pageBytes;
        blockBytes = pageBytes / BLOCKS;
        maxPages = WireLimits.MAX_BULK_BYTES / pageBytes;
        pages = new long[maxPages];
        based = new boolean[maxPages];
        masks = new long[maxPages];
        offsets = new int[maxPages];
    }

    /** Reads the payload, which is {@code payload} from its position to its limit. */
    public void decode(ByteBuffer payload) throws WireException {
        decodeTable(payload);
        WireText.need(payload, PACKING_BYTES, "packing");
        int packing = Byte.toUnsignedInt(payload.get());
        int bodyBytes = payload.getInt();
        if (bodyBytes < count * Long.BYTES || bodyBytes > count * (Long.BYTES + pageBytes)) {
            throw WireException.corrupt(
                    "body of bytes=" + Integer.toUnsignedLong(bodyBytes) + " for coded pages=" + count);
        }
        switch (packing) {
            case PLAIN -> takePlain(payload, bodyBytes);
            case LZ4 -> unpack(payload, bodyBytes);
            default -> throw WireException.corrupt("unknown packing=" + packing);
        }
        locate(bodyBytes);
    }

    private void decodeTable(ByteBuffer payload) throws WireException {
        count = 0;
        WireText.need(payload, Integer.BYTES, "number of runs");
        int runs = payload.getInt();
        if (runs < 1 || runs > maxPages) {
            throw WireException.corrupt("runs=" + Integer.toUnsignedLong(runs) + " limit=" + maxPages);
        }
        WireText.need(payload, (long) runs * RUN_BYTES, "table of runs");
        int known = 0;
        for (int run = 0; run < runs; run++) {
            long firstPage = payload.getLong();
            int runPages = payload.getInt();
            boolean hasBase = WireFlag.take(payload, "base");
            if (firstPage < 0
                    || runPages < 1
                    || firstPage > guestPageCount
                    || runPages > guestPageCount - firstPage
                    || runPages > maxPages - known) {
                throw WireException.corrupt("run of coded pages=" + Integer.toUnsignedLong(runPages) + " at page="
                        + Long.toUnsignedString(firstPage) + " after pages=" + known + ", limit=" + maxPages
                        + " in a guest of pages=" + guestPageCount);
            }
            for (int page = 0; page < runPages; page++) {
                pages[known] = firstPage + page;
                based[known] = hasBase;
                known++;
            }
        }
        count = known;
    }

    private byte[] body() {
        byte[] present = body;
        if (present == null) {
            present = new byte[maxPages * (Long.BYTES + pageBytes)];
            body = present;
        }
        return present;
    }

    private void takePlain(ByteBuffer payload, int bodyBytes) throws WireException {
        if (payload.remaining() != bodyBytes) {
            throw WireException.corrupt(
                    "plain body of bytes=" + payload.remaining() + ", announced bytes=" + bodyBytes);
        }
        payload.get(body(), 0, bodyBytes);
    }

    private void unpack(ByteBuffer payload, int bodyBytes) throws WireException {
        byte[] from = packed;
        if (from == null) {
            from = new byte[MAX_BODY_BYTES];
            packed = from;
        }
        int packedBytes = payload.remaining();
        if (packedBytes < 1 || packedBytes > from.length) {
            throw WireException.corrupt("packed body of bytes=" + packedBytes);
        }
        payload.get(from, 0, packedBytes);
        int unpacked;
        try {
            unpacked = decompressor.decompress(from, 0, packedBytes, body(), 0, bodyBytes);
        } catch (LZ4Exception e) {
            throw WireException.corrupt("the body can't be unpacked: " + e.getMessage());
        }
        if (unpacked != bodyBytes) {
            throw WireException.corrupt("body of bytes=" + unpacked + ", announced bytes=" + bodyBytes);
        }
    }

    /** Finds what belongs to which page. */
    private void locate(int bodyBytes) throws WireException {
        byte[] bytes = body();
        int at = 0;
        for (int index = 0; index < count; index++) {
            if (Long.BYTES > bodyBytes - at) {
                throw WireException.corrupt("the body ends after coded pages=" + index + " of " + count);
            }
            long mask = (long) MASK.get(bytes, at);
            at += Long.BYTES;
            masks[index] = mask;
            offsets[index] = at;
            at += Long.bitCount(mask) * blockBytes;
        }
        if (at != bodyBytes) {
            throw WireException.corrupt(
                    "the blocks of coded pages=" + count + " end at byte=" + at + " of a body of " + bodyBytes);
        }
    }

    /** Number of pages. */
    public int count() {
        return count;
    }

    /** Number of the guest page at {@code index}. */
    public long page(int index) {
        return pages[index];
    }

    /** Whether the page is told by how it differs from what the backup has of it; otherwise from zeros. */
    public boolean hasBase(int index) {
        return based[index];
    }

    /** Makes the base, which is {@code target} from {@code offset} on, the page. */
    public void apply(int index, MemorySegment target, long offset) {
        Invariant.check(index < count, "coded page %d of %d", index, count);
        byte[] bytes = body();
        int at = offsets[index];
        for (long mask = masks[index]; mask != 0; mask &= mask - 1) {
            long block = offset + (long) Long.numberOfTrailingZeros(mask) * blockBytes;
            for (int word = 0; word < blockBytes; word += Long.BYTES) {
                long difference = (long) WORD.get(bytes, at + word);
                target.set(
                        JAVA_LONG_UNALIGNED, block + word, target.get(JAVA_LONG_UNALIGNED, block + word) ^ difference);
            }
            at += blockBytes;
        }
    }
}
