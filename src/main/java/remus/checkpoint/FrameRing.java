package remus.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import remus.base.Invariant;

/**
 * A bounded first-in-first-out queue of Ethernet frames, each with a number that never decreases from one to the next
 * (an epoch, a sequence number). Off-heap, allocation-free after construction, confined to one thread.
 */
public final class FrameRing implements AutoCloseable {
    /** Largest frame held, in bytes: an Ethernet frame with segmentation offload, 64 KiB, and its header. */
    public static final int MAX_FRAME_BYTES = 65536 + 64;

    private static final int HEADER_BYTES = 12;
    private static final int WRAP = -1;

    /** Sees one frame, without taking it: {@code length} bytes of {@code ring} from {@code offset} on. */
    @FunctionalInterface
    public interface Visitor<X extends Exception> {
        void visit(long tag, MemorySegment ring, long offset, int length) throws X;
    }

    private final Arena arena = Arena.ofShared();
    private final MemorySegment ring;
    private final long capacityBytes;
    private long head;
    private long tail;
    private long usedBytes;
    private long frameBytes;
    private long frameCount;
    private long lastTag = Long.MIN_VALUE;

    /** @param capacityBytes memory of the queue, at least one largest frame; each frame needs 12 bytes besides itself */
    public FrameRing(long capacityBytes) {
        if (capacityBytes < MAX_FRAME_BYTES + HEADER_BYTES) {
            throw new IllegalArgumentException("capacityBytes=" + capacityBytes + " holds not even one frame");
        }
        this.capacityBytes = capacityBytes;
        ring = arena.allocate(capacityBytes);
    }

    /** Adds a copy of the frame, unless there is no room for it: then returns false and changes nothing. */
    public boolean offer(long tag, MemorySegment source, long offset, int length) {
        Invariant.check(length > 0 && length <= MAX_FRAME_BYTES, "frame of %d bytes", length);
        Invariant.check(tag >= lastTag || frameCount == 0, "tag %d after %d", tag, lastTag);
        long needed = HEADER_BYTES + (long) length;
        long toEnd = capacityBytes - tail;
        // A frame lies in one piece: where the end is too near, the rest up to it stays unused.
        long skipped = toEnd < needed ? toEnd : 0;
        if (usedBytes + skipped + needed > capacityBytes) {
            return false;
        }
        if (toEnd < needed) {
            if (skipped >= Integer.BYTES) {
                ring.set(JAVA_INT_UNALIGNED, tail, WRAP);
            }
            usedBytes += skipped;
            tail = 0;
        }
        ring.set(JAVA_INT_UNALIGNED, tail, length);
        ring.set(JAVA_LONG_UNALIGNED, tail + 4, tag);
        MemorySegment.copy(source, offset, ring, tail + HEADER_BYTES, length);
        tail += needed;
        usedBytes += needed;
        frameBytes += length;
        frameCount++;
        lastTag = tag;
        return true;
    }

    public boolean isEmpty() {
        return frameCount == 0;
    }

    public long frameCount() {
        return frameCount;
    }

    /** Bytes of the frames held, without bookkeeping. */
    public long frameBytes() {
        return frameBytes;
    }

    /** The number of the oldest frame; there must be one. */
    public long headTag() {
        return ring.get(JAVA_LONG_UNALIGNED, headOffset() + 4);
    }

    /** Shows the oldest frame to {@code visitor}, then removes it; there must be one. */
    public <X extends Exception> void take(Visitor<X> visitor) throws X {
        long at = headOffset();
        int length = ring.get(JAVA_INT_UNALIGNED, at);
        visitor.visit(ring.get(JAVA_LONG_UNALIGNED, at + 4), ring, at + HEADER_BYTES, length);
        removeHead();
    }

    /** Drops the oldest frame; there must be one. */
    public void removeHead() {
        long at = headOffset();
        if (at != head) {
            usedBytes -= capacityBytes - head;
        }
        int length = ring.get(JAVA_INT_UNALIGNED, at);
        head = at + HEADER_BYTES + length;
        usedBytes -= HEADER_BYTES + (long) length;
        frameBytes -= length;
        frameCount--;
        if (frameCount == 0) {
            clear();
        }
    }

    /** Shows all frames, oldest first, and keeps them. */
    public <X extends Exception> void forEach(Visitor<X> visitor) throws X {
        long at = head;
        for (long seen = 0; seen < frameCount; seen++) {
            at = skipWrap(at);
            int length = ring.get(JAVA_INT_UNALIGNED, at);
            visitor.visit(ring.get(JAVA_LONG_UNALIGNED, at + 4), ring, at + HEADER_BYTES, length);
            at += HEADER_BYTES + (long) length;
        }
    }

    public void clear() {
        head = 0;
        tail = 0;
        usedBytes = 0;
        frameBytes = 0;
        frameCount = 0;
    }

    private long headOffset() {
        Invariant.check(frameCount > 0, "the frame ring is empty");
        return skipWrap(head);
    }

    private long skipWrap(long at) {
        boolean wraps = capacityBytes - at < HEADER_BYTES || ring.get(JAVA_INT_UNALIGNED, at) == WRAP;
        return wraps ? 0 : at;
    }

    @Override
    public void close() {
        arena.close();
    }
}
