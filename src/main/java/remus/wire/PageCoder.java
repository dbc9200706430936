package remus.wire;

import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import net.jpountz.lz4.LZ4Compressor;
import net.jpountz.lz4.LZ4Factory;
import org.jspecify.annotations.Nullable;
import remus.base.Invariant;

/**
 * Makes the payload of CODED_PAGES: of each page only the blocks that differ from its base, as XOR with it, and all of that
 * packed by LZ4 where that makes it shorter. The counterpart is {@link CodedPages}.
 *
 * <p>What does not differ is found by comparing words and costs no more than reading both; so LZ4, which is ten times slower,
 * sees only what does. Its Java implementation without {@code Unsafe} and without native code is used: it allocates its hash
 * table of 16 KiB with each call, which is once a frame. Used by one thread at a time.
 */
public final class PageCoder {
    /** Less than this is not worth the packing. */
    static final int MIN_PACKED_BYTES = 128;

    private static final VarHandle MASK = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
    private static final VarHandle WORD = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.nativeOrder());
    private static final MemorySegment ZERO_PAGE = Arena.global().allocate(WireLimits.MAX_PAGE_BYTES, 64);

    private final int pageBytes;
    private final int blockBytes;
    private final int maxPages;
    private final LZ4Compressor compressor = LZ4Factory.safeInstance().fastCompressor();
    private final byte[] body;
    private final byte[] packed;
    private final long[] pages;
    private final boolean[] based;
    private int count;
    private int bodyBytes;
    private int packedBytes;
    private boolean isPacked;

    /** @param pageBytes a power of two, {@link WireLimits#MIN_PAGE_BYTES} to {@link WireLimits#MAX_PAGE_BYTES} */
    public PageCoder(int pageBytes) {
        this.pageBytes = pageBytes;
        blockBytes = pageBytes / CodedPages.BLOCKS;
        maxPages = WireLimits.MAX_BULK_BYTES / pageBytes;
        pages = new long[maxPages];
        based = new boolean[maxPages];
        // A block is written before it is known to differ, so there is room for one more.
        body = new byte[maxPages * (Long.BYTES + pageBytes) + blockBytes];
        packed = new byte[compressor.maxCompressedLength(body.length)];
    }

    /** Starts a frame. */
    public void begin() {
        count = 0;
        bodyBytes = 0;
    }

    /**
     * Adds a page, unless it equals its base.
     *
     * @param base what the backup has of the page, from {@code baseOffset} on; null: nothing that is known, so all that is
     *     not zero is sent
     * @return whether it differs from its base, and so was added
     */
    public boolean add(long page, MemorySegment memory, long offset, @Nullable MemorySegment base, long baseOffset) {
        Invariant.check(count < maxPages, "more than %d pages in a frame", maxPages);
        long mask =
                base == null ? putBlocks(memory, offset, ZERO_PAGE, 0) : putBlocks(memory, offset, base, baseOffset);
        if (mask == 0) {
            return false;
        }
        MASK.set(body, bodyBytes, mask);
        bodyBytes += Long.BYTES + Long.bitCount(mask) * blockBytes;
        pages[count] = page;
        based[count] = base != null;
        count++;
        return true;
    }

    /** Puts the blocks that differ behind the place of the mask, and returns the mask. */
    private long putBlocks(MemorySegment memory, long offset, MemorySegment base, long baseOffset) {
        // What is equal up to there is seen quickest by the machine's own means; so are pages that are equal
        // altogether.
        long first =
                MemorySegment.mismatch(memory, offset, offset + pageBytes, base, baseOffset, baseOffset + pageBytes);
        if (first < 0) {
            return 0;
        }
        long mask = 0;
        int at = bodyBytes + Long.BYTES;
        for (int block = (int) first / blockBytes; block < CodedPages.BLOCKS; block++) {
            long from = (long) block * blockBytes;
            if (putBlock(at, memory, offset + from, base, baseOffset + from)) {
                mask |= 1L << block;
                at += blockBytes;
            }
        }
        return mask;
    }

    private boolean putBlock(int at, MemorySegment memory, long offset, MemorySegment base, long baseOffset) {
        long differs = 0;
        for (int word = 0; word < blockBytes; word += Long.BYTES) {
            long difference =
                    memory.get(JAVA_LONG_UNALIGNED, offset + word) ^ base.get(JAVA_LONG_UNALIGNED, baseOffset + word);
            WORD.set(body, at + word, difference);
            differs |= difference;
        }
        return differs != 0;
    }

    /** Pages of the frame so far. */
    public int count() {
        return count;
    }

    /** The frame has all its pages: packs it. Returns the bytes of its payload. */
    public int finish() {
        isPacked = false;
        if (bodyBytes >= MIN_PACKED_BYTES) {
            packedBytes = compressor.compress(body, 0, bodyBytes, packed, 0, packed.length);
            isPacked = packedBytes < bodyBytes;
        }
        return Integer.BYTES + runCount() * CodedPages.RUN_BYTES + CodedPages.PACKING_BYTES + bytes();
    }

    private int bytes() {
        return isPacked ? packedBytes : bodyBytes;
    }

    /** Puts what precedes the body into {@code head}. */
    public void encodeHead(ByteBuffer head) {
        head.putInt(runCount());
        for (int from = 0; from < count; ) {
            int end = runEnd(from);
            head.putLong(pages[from]).putInt(end - from).put((byte) (based[from] ? 1 : 0));
            from = end;
        }
        head.put((byte) (isPacked ? CodedPages.LZ4 : CodedPages.PLAIN)).putInt(bodyBytes);
    }

    /** The body, which follows the head; valid until the next {@link #begin}. */
    public MemorySegment body() {
        return MemorySegment.ofArray(isPacked ? packed : body).asSlice(0, bytes());
    }

    private int runCount() {
        int runs = 0;
        for (int from = 0; from < count; from = runEnd(from)) {
            runs++;
        }
        return runs;
    }

    private int runEnd(int from) {
        int end = from + 1;
        while (end < count && pages[end] == pages[end - 1] + 1 && based[end] == based[from]) {
            end++;
        }
        return end;
    }
}
