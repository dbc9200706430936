package remus.replication;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.Invariant;
import remus.base.Time;
import remus.checkpoint.OutgoingPages;
import remus.checkpoint.StagedBytes;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;
import remus.wire.CheckpointBegin;
import remus.wire.CheckpointEnd;
import remus.wire.Digest;
import remus.wire.FrameType;
import remus.wire.WireLimits;

/**
 * Turns a checkpoint or a pre-copy chunk into frames, one at a time and in order. The first checkpoint begins only when the
 * writes of the disks' synchronization have been sent, and each ends only when those of its epoch have. Confined to the channel's thread.
 */
final class BulkFrames {
    private static final ValueLayout.OfInt LENGTH = JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private enum Step {
        BEGIN,
        PAGES,
        DEVICE_STATE,
        OUTPUT_FRAMES,
        END,
        DONE
    }

    /** What became of an attempt to make a frame. */
    enum Outcome {
        MADE,
        /** Disk writes have to go before. */
        WAITS,
        /** The item has no more. */
        DONE
    }

    private final OutgoingFrame frame;
    private final Predicate<EpochId> writesAreOut;
    private final Time time;
    private final OutgoingPages pages;
    private final int pageBytes;
    private final CompressionChoice choice;
    private final PageTraffic traffic;
    private @Nullable StagedCheckpoint checkpoint;
    private EpochId epoch = EpochId.NONE;
    private Step step = Step.DONE;
    private long offset;
    private boolean coded;
    private boolean synchronizing;
    private long countedPages;

    /** @param writesAreOut whether all disk writes of an epoch, and of those before it, have been sent */
    BulkFrames(
            OutgoingFrame frame,
            OutgoingPages pages,
            CompressionChoice choice,
            PageTraffic traffic,
            Predicate<EpochId> writesAreOut,
            Time time) {
        this.frame = frame;
        this.pages = pages;
        this.choice = choice;
        this.traffic = traffic;
        pageBytes = pages.pageBytes();
        this.time = time;
        this.writesAreOut = writesAreOut;
    }

    void start(OutgoingQueue.Item item) {
        checkpoint = item.checkpoint();
        boolean synchronizes = checkpoint == null || checkpoint.first();
        if (synchronizing && !synchronizes) {
            choice.synchronizationEnded();
        }
        synchronizing = synchronizes;
        coded = choice.choose(time.nanos());
        StagedPages staged = checkpoint == null ? Invariant.present(item.chunk(), "bulk data") : checkpoint.pages();
        pages.start(staged, coded);
        countedPages = 0;
        epoch = item.epoch();
        step = checkpoint == null ? Step.PAGES : Step.BEGIN;
        offset = 0;
    }

    /** Whether the frame that was made last ends its checkpoint: once it has left, the backup may hold it whole. */
    boolean hasEndedCheckpoint() {
        return checkpoint != null && step == Step.DONE;
    }

    /** Makes the next frame if there is one and its turn has come. */
    Outcome next() {
        while (true) {
            switch (step) {
                case BEGIN -> {
                    StagedCheckpoint of = checkpoint();
                    if (of.first() && !writesAreOut.test(EpochId.NONE)) {
                        return Outcome.WAITS;
                    }
                    long clockLagNanos = Math.max(0, time.nanos() - of.guestClockNanos());
                    new CheckpointBegin(of.first(), of.isStill(), of.inboundMark(), clockLagNanos)
                            .encode(frame.begin());
                    frame.finish(FrameType.CHECKPOINT_BEGIN, epoch);
                    step = Step.PAGES;
                    return Outcome.MADE;
                }
                case PAGES -> {
                    if (nextPages()) {
                        return Outcome.MADE;
                    }
                    step = checkpoint == null ? Step.DONE : Step.DEVICE_STATE;
                }
                case DEVICE_STATE -> {
                    if (nextDeviceState(checkpoint().deviceState())) {
                        return Outcome.MADE;
                    }
                    offset = 0;
                    step = Step.OUTPUT_FRAMES;
                }
                case OUTPUT_FRAMES -> {
                    if (nextOutputFrames(checkpoint().outputFrames())) {
                        return Outcome.MADE;
                    }
                    step = Step.END;
                }
                case END -> {
                    if (!writesAreOut.test(epoch)) {
                        return Outcome.WAITS;
                    }
                    end(checkpoint());
                    step = Step.DONE;
                    return Outcome.MADE;
                }
                case DONE -> {
                    checkpoint = null;
                    return Outcome.DONE;
                }
            }
        }
    }

    private StagedCheckpoint checkpoint() {
        StagedCheckpoint of = checkpoint;
        if (of == null) {
            throw new IllegalStateException("no checkpoint is being sent");
        }
        return of;
    }

    private boolean nextPages() {
        long began = coded ? time.nanos() : 0;
        FrameType type = pages.next(frame.begin(), frame);
        long sent = type == null ? 0 : frame.finish(type, epoch);
        long raw = (pages.pageCount() - countedPages) * pageBytes;
        countedPages = pages.pageCount();
        if (coded && type != FrameType.ZERO_PAGES) {
            choice.coded(raw, sent, time.nanos() - began);
        }
        if (checkpoint != null) {
            traffic.add(raw, sent);
        }
        return type != null;
    }

    private boolean nextDeviceState(StagedBytes state) {
        if (offset == state.size()) {
            return false;
        }
        long length = Math.min(WireLimits.MAX_BULK_BYTES, state.size() - offset);
        frame.begin().putLong(offset).putLong(state.size());
        frame.addPart(state.segment(), offset, length);
        frame.finish(FrameType.DEVICE_STATE, epoch);
        offset += length;
        return true;
    }

    private boolean nextOutputFrames(StagedBytes frames) {
        if (offset == frames.size()) {
            return false;
        }
        long end = offset;
        int count = 0;
        while (end < frames.size()) {
            long next = end + Integer.BYTES + frames.segment().get(LENGTH, end);
            if (next - offset > WireLimits.MAX_BULK_BYTES) {
                break;
            }
            end = next;
            count++;
        }
        Invariant.check(end > offset && end <= frames.size(), "output frames of epoch %s are not whole", epoch);
        frame.begin().putInt(count);
        frame.addPart(frames.segment(), offset, end - offset);
        frame.finish(FrameType.OUTPUT_FRAMES, epoch);
        offset = end;
        return true;
    }

    private void end(StagedCheckpoint of) {
        byte[] digest = of.memoryDigest();
        new CheckpointEnd(
                        pages.sentPageCount(),
                        of.deviceState().size(),
                        of.outputFrameCount(),
                        of.diskWrites().operations(),
                        of.diskWrites().bytes(),
                        digest == null ? null : Digest.of(digest))
                .encode(frame.begin());
        frame.finish(FrameType.CHECKPOINT_END, epoch);
    }
}
