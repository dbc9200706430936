package remus.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import remus.base.EpochId;
import remus.base.Invariant;

/**
 * Holds the guest's outgoing frames until the epoch that produced them is committed: the output-commit rule.
 *
 * <p>Invariants: no frame of epoch <i>e</i> leaves before {@code release(e)}; the order of frames is kept; after
 * {@link #discard} nothing that was held leaves. While {@link Rule#FLOW} is set there is nothing to hold and the owner
 * sends frames on itself. Confined to the VM's agent thread. Holds at most its capacity; when full, {@link #offer} drops
 * the new frame and counts it, as a NIC would.
 */
public final class OutputBuffer implements AutoCloseable {
    /** What becomes of a frame that the guest sends now. */
    public enum Rule {
        /** It leaves at once: the VM is not protected, or is known to be owned by this host alone. */
        FLOW,
        /** It waits for the commit of its epoch. */
        HOLD
    }

    /** Where released frames go. */
    @FunctionalInterface
    public interface Sink {
        void frame(MemorySegment memory, long offset, int length);
    }

    private final FrameRing held;
    private final long capacityBytes;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment lengthField = arena.allocate(Integer.BYTES);
    private Rule rule = Rule.FLOW;
    private EpochId openEpoch = EpochId.NONE;
    private EpochId sealedEpoch = EpochId.NONE;
    private long openFrameCount;
    private long releasedFrameCount;
    private long droppedFrameCount;

    public OutputBuffer(long capacityBytes) {
        this.capacityBytes = capacityBytes;
        held = new FrameRing(capacityBytes);
    }

    public Rule rule() {
        return rule;
    }

    /** From now on frames are held; those that come next belong to {@code epoch}. */
    public void hold(EpochId epoch) {
        Invariant.check(rule == Rule.FLOW && held.isEmpty(), "output is held already, epoch=%s", openEpoch);
        rule = Rule.HOLD;
        openEpoch = epoch;
        sealedEpoch = new EpochId(epoch.value() - 1);
        openFrameCount = 0;
    }

    /** Takes a frame of the open epoch. Only while {@link Rule#HOLD}. */
    public void offer(MemorySegment source, long offset, int length) {
        Invariant.check(rule == Rule.HOLD, "a frame is offered while output flows");
        if (held.offer(openEpoch.value(), source, offset, length)) {
            openFrameCount++;
        } else {
            droppedFrameCount++;
        }
    }

    /** Whether a frame of the open epoch is held. */
    public boolean holdsOfOpenEpoch() {
        return openFrameCount > 0;
    }

    /** Whether so much is held, some of it in the open epoch, that the epoch had better end early. */
    public boolean isFilling() {
        return openFrameCount > 0 && held.frameBytes() > capacityBytes / 2;
    }

    /** Closes the open epoch: copies its frames to {@code checkpoint}; what comes next belongs to the next epoch. */
    public void seal(StagedCheckpoint checkpoint) throws CheckpointException {
        EpochId epoch = checkpoint.epoch();
        if (rule == Rule.FLOW) {
            return;
        }
        Invariant.check(openEpoch.equals(epoch), "sealing epoch=%s while epoch=%s is open", epoch, openEpoch);
        MemorySegment lengths = lengthField;
        held.forEach((tag, memory, offset, length) -> {
            if (tag == epoch.value()) {
                lengths.set(JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN), 0, length);
                checkpoint.outputFrames().append(lengths, 0, Integer.BYTES);
                checkpoint.outputFrames().append(memory, offset, length);
                checkpoint.countOutputFrame();
            }
        });
        sealedEpoch = epoch;
        openEpoch = epoch.next();
        openFrameCount = 0;
    }

    /** Sends on all frames of epochs up to {@code epoch}, which the backup has acknowledged. */
    public void release(EpochId epoch, Sink sink) {
        if (rule == Rule.FLOW) {
            return;
        }
        Invariant.check(!epoch.isAfter(sealedEpoch), "release of epoch=%s, sealed=%s", epoch, sealedEpoch);
        while (!held.isEmpty() && held.headTag() <= epoch.value()) {
            held.take((tag, memory, offset, length) -> sink.frame(memory, offset, length));
            releasedFrameCount++;
        }
    }

    /** This host owns the VM alone: sends on everything, and from now on output flows. */
    public void flow(Sink sink) {
        while (!held.isEmpty()) {
            held.take((tag, memory, offset, length) -> sink.frame(memory, offset, length));
            releasedFrameCount++;
        }
        rule = Rule.FLOW;
    }

    /** This host has lost the VM: drops everything held. Output stays held, so that nothing more can leave. */
    public void discard() {
        rule = Rule.HOLD;
        droppedFrameCount += held.frameCount();
        held.clear();
        openFrameCount = 0;
    }

    public long heldFrameCount() {
        return held.frameCount();
    }

    public long heldBytes() {
        return held.frameBytes();
    }

    /** Frames that were held and then sent on. */
    public long releasedFrameCount() {
        return releasedFrameCount;
    }

    /** Frames that were lost here: the buffer was full, or the VM was lost. */
    public long droppedFrameCount() {
        return droppedFrameCount;
    }

    @Override
    public void close() {
        held.close();
        arena.close();
    }
}
