package remus.checkpoint;

import java.lang.foreign.MemorySegment;

/**
 * The backup's copy of the frames that went to the guest after its last whole checkpoint, to be replayed on activation:
 * without them each client would have to wait for its own retransmission timer (200 ms and more with TCP).
 *
 * <p>Invariant: a frame is dropped only when a whole checkpoint contains its effect, or when the mirror is full; then
 * the oldest go first, for these the clients' own timers expire first. A frame that comes again, as after a
 * reconnection, is kept once. Confined to the backup's agent thread.
 */
public final class InboundMirror implements AutoCloseable {
    private final FrameRing frames;
    private long nextSequence = Long.MIN_VALUE;
    private long droppedFrameCount;

    public InboundMirror(long capacityBytes) {
        frames = new FrameRing(capacityBytes);
    }

    /**
     * Keeps a copy of the frame with number {@code sequence}, unless it came before or a whole checkpoint contains it.
     */
    public void add(long sequence, MemorySegment source, long offset, int length) {
        if (sequence < nextSequence) {
            return;
        }
        nextSequence = sequence + 1;
        while (!frames.offer(sequence, source, offset, length)) {
            frames.removeHead();
            droppedFrameCount++;
        }
    }

    /** A checkpoint is whole that contains the effect of all frames before {@code mark}. */
    public void trim(long mark) {
        nextSequence = Math.max(nextSequence, mark);
        while (!frames.isEmpty() && frames.headTag() < mark) {
            frames.removeHead();
        }
    }

    /** Hands out all frames, oldest first, and forgets them. */
    public void drain(OutputBuffer.Sink sink) {
        while (!frames.isEmpty()) {
            frames.take((sequence, memory, offset, length) -> sink.frame(memory, offset, length));
        }
    }

    public long frameCount() {
        return frames.frameCount();
    }

    public long droppedFrameCount() {
        return droppedFrameCount;
    }

    @Override
    public void close() {
        frames.close();
    }
}
