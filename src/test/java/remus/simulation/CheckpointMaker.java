package remus.simulation;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.Term;
import remus.checkpoint.DiskWriteCount;
import remus.checkpoint.OutgoingPages;
import remus.checkpoint.StagedBytes;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;
import remus.wire.CheckpointBegin;
import remus.wire.CheckpointEnd;
import remus.wire.FrameType;

/**
 * Turns a checkpoint or a pre-copy chunk into frames, one at a time. Staging is read only when a frame is made, so that one
 * changed too early is seen.
 */
final class CheckpointMaker {
    /** Few, so that there is more than one frame that may be lost. */
    static final int MAX_FRAME_PAGES = 2;

    private static final int MAX_PAGES_BYTES = 1024 + MAX_FRAME_PAGES * Guest.PAGE_BYTES;

    /** Makes one frame. */
    private interface Part {
        byte[] make(@Nullable DiskWriteCount claimed);
    }

    private final Term term;
    private final OutgoingPages outgoing;
    private final boolean coded;
    private @Nullable StagedPages unsentPages;
    private boolean begun;
    private boolean pagesStarted;
    private final Deque<Part> parts = new ArrayDeque<>();
    private final @Nullable StagedCheckpoint checkpoint;
    private final EpochId epoch;

    /** A pre-copy chunk. */
    CheckpointMaker(Term term, StagedPages chunk, OutgoingPages outgoing, boolean coded) {
        this.term = term;
        this.outgoing = outgoing;
        this.coded = coded;
        checkpoint = null;
        epoch = EpochId.NONE;
        unsentPages = chunk;
    }

    /** @param sabotage may say that the pages are left out, and another mark */
    CheckpointMaker(Term term, StagedCheckpoint of, OutgoingPages outgoing, boolean coded, Sabotage sabotage) {
        this.term = term;
        this.outgoing = outgoing;
        this.coded = coded;
        checkpoint = of;
        epoch = of.epoch();
        boolean forgetsPages = sabotage.forgetsPages(of);
        long inboundMark = sabotage.inboundMark(of);
        CheckpointBegin begin = new CheckpointBegin(of.first(), of.isStill(), inboundMark, 0);
        parts.add(_ -> frame(FrameType.CHECKPOINT_BEGIN, Wire.SMALL_BYTES, begin::encode));
        if (!forgetsPages) {
            unsentPages = of.pages();
        }
        StagedBytes state = of.deviceState();
        long half = state.size() / 2;
        addState(state, 0, half);
        addState(state, half, state.size() - half);
        if (of.outputFrames().size() > 0) {
            parts.add(_ -> outputFrames(of));
        }
        parts.add(claimed -> end(of, claimed == null ? of.diskWrites() : claimed, forgetsPages));
    }

    private byte[] end(StagedCheckpoint of, DiskWriteCount writes, boolean forgetsPages) {
        return frame(
                FrameType.CHECKPOINT_END,
                Wire.SMALL_BYTES,
                new CheckpointEnd(
                        forgetsPages ? 0 : outgoing.sentPageCount(),
                        of.deviceState().size(),
                        of.outputFrameCount(),
                        writes.operations(),
                        writes.bytes(),
                        null)::encode);
    }

    EpochId epoch() {
        return epoch;
    }

    boolean isCheckpoint() {
        return checkpoint != null;
    }

    /** Whether only the frame that ends it is left, which disk writes must precede. */
    boolean isAtEnd() {
        return checkpoint != null && parts.size() == 1 && unsentPages == null;
    }

    boolean isDone() {
        return parts.isEmpty() && unsentPages == null;
    }

    /**
     * The next frame; null: there is none after all, for of a chunk's last pages none had to be sent.
     *
     * @param claimed what the end says of disk writes; null: the truth
     */
    byte @Nullable [] next(@Nullable DiskWriteCount claimed) {
        if (unsentPages != null && (begun || checkpoint == null)) {
            byte[] frame = nextPages(unsentPages);
            if (frame != null || checkpoint == null) {
                return frame;
            }
        }
        begun = true;
        return parts.remove().make(claimed);
    }

    private byte @Nullable [] nextPages(StagedPages pages) {
        if (!pagesStarted) {
            pagesStarted = true;
            outgoing.start(pages, coded);
        }
        ByteBuffer payload = ByteBuffer.allocate(MAX_PAGES_BYTES);
        List<ByteBuffer> behind = new ArrayList<>();
        FrameType type = outgoing.next(
                payload,
                (memory, offset, length) ->
                        behind.add(memory.asSlice(offset, length).asByteBuffer()));
        if (type == null) {
            unsentPages = null;
            return null;
        }
        behind.forEach(payload::put);
        payload.flip();
        return frame(type, payload.remaining(), target -> target.put(payload));
    }

    private byte[] frame(FrameType type, int bytes, Consumer<ByteBuffer> payload) {
        return Wire.frame(term, type, epoch, bytes, payload);
    }

    private void addState(StagedBytes state, long from, long length) {
        if (length > 0) {
            parts.add(_ -> frame(FrameType.DEVICE_STATE, 64 + (int) length, payload -> {
                payload.putLong(from).putLong(state.size());
                put(payload, state.segment(), from, (int) length);
            }));
        }
    }

    private byte[] outputFrames(StagedCheckpoint of) {
        StagedBytes frames = of.outputFrames();
        int bytes = (int) frames.size();
        int count = 0;
        for (long at = 0; at < bytes; count++) {
            at += Integer.BYTES + frames.segment().get(JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN), at);
        }
        int frameCount = count;
        return frame(FrameType.OUTPUT_FRAMES, Integer.BYTES + bytes, payload -> {
            payload.putInt(frameCount);
            put(payload, frames.segment(), 0, bytes);
        });
    }

    static void put(ByteBuffer payload, MemorySegment from, long offset, int length) {
        payload.put(from.asSlice(offset, length).asByteBuffer());
    }
}
