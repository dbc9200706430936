package remus.replication;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicLong;
import remus.checkpoint.FrameRing;
import remus.wire.WireLimits;

/**
 * The inbound frames that the backup should have: those not sent yet, and those sent that a checkpoint has not made
 * superfluous, kept in case that they must be sent again. Bounded: a frame that finds no room is dropped and counted,
 * for the mirror only shortens the stall after a failover; nothing is wrong without it. Guarded by its owner's lock.
 */
final class InboundMirror implements AutoCloseable {
    /** Bytes of each of the two queues: 25 ms of a 1 Gbit/s link are 3 MB. */
    private static final long CAPACITY_BYTES = 8L << 20;

    private FrameRing unsent = new FrameRing(CAPACITY_BYTES);
    private FrameRing sent = new FrameRing(CAPACITY_BYTES);
    private final AtomicLong dropped = new AtomicLong();

    // What the visitor below notes about the batch that is being put together.
    private ByteBuffer batch = ByteBuffer.allocate(0);
    private long batchSequence;
    private int batchCount;

    /** Adds a copy of a frame; drops it where there is no room. */
    void offer(long sequence, MemorySegment frames, long offset, int length) {
        if (!unsent.offer(sequence, frames, offset, length)) {
            dropped.incrementAndGet();
        }
    }

    /** Frames that found no room; may be read without the lock. */
    long droppedCount() {
        return dropped.get();
    }

    boolean hasUnsent() {
        return !unsent.isEmpty();
    }

    /**
     * Moves frames with consecutive numbers from the unsent into {@code target}, as the payload of INBOUND_FRAMES; there
     * must be one.
     */
    void takeBatch(ByteBuffer target) {
        int start = target.position();
        batch = target;
        batchSequence = unsent.headTag();
        batchCount = 0;
        target.putLong(batchSequence).putInt(0);
        int dataStart = target.position();
        int largest = Integer.BYTES + WireLimits.MAX_ETHERNET_FRAME_BYTES;
        while (!unsent.isEmpty()
                && unsent.headTag() == batchSequence + batchCount
                && target.position() - dataStart + largest <= WireLimits.MAX_INBOUND_BYTES) {
            unsent.take(this::moveToBatch);
        }
        target.putInt(start + Long.BYTES, batchCount);
    }

    private void moveToBatch(long sequence, MemorySegment ring, long offset, int length) {
        batch.putInt(length);
        MemorySegment.copy(ring, offset, MemorySegment.ofBuffer(batch), 0, length);
        batch.position(batch.position() + length);
        batchCount++;
        keep(sequence, ring, offset, length);
    }

    private void keep(long sequence, MemorySegment ring, long offset, int length) {
        // The newest matter most to a backup that takes over: the oldest make room.
        while (!sent.offer(sequence, ring, offset, length)) {
            sent.removeHead();
        }
    }

    /** A whole checkpoint contains the effect of all frames before number {@code mark}: nobody needs them any more. */
    void dropBefore(long mark) {
        while (!sent.isEmpty() && sent.headTag() < mark) {
            sent.removeHead();
        }
        while (!unsent.isEmpty() && unsent.headTag() < mark) {
            unsent.removeHead();
        }
    }

    /** What was sent may not have arrived: it is unsent again, in order. */
    void rewind() {
        while (!unsent.isEmpty()) {
            unsent.take(this::keep);
        }
        FrameRing all = sent;
        sent = unsent;
        unsent = all;
    }

    @Override
    public void close() {
        unsent.close();
        sent.close();
    }
}
