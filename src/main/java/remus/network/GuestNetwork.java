package remus.network;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.checkpoint.BackupChannel;
import remus.checkpoint.CheckpointDevice;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.OutputBuffer;
import remus.checkpoint.StagedCheckpoint;
import remus.linux.LinuxException;

/**
 * All network interfaces of a running VM: carries frames between QEMU's NIC sockets and the TAPs, holds the output of a
 * protected VM and mirrors its input.
 *
 * <p>Held and mirrored frames carry one byte before the Ethernet frame: the number of the interface.
 *
 * <p>Output: while {@link OutputBuffer.Rule#FLOW}, frames leave as they come; otherwise they wait in the output buffer
 * for the commit of their epoch. Input goes straight in, but is left in the TAP from just before the guest is stopped
 * until it runs again, so that it belongs to the next epoch. Confined to the VM's agent thread.
 */
public final class GuestNetwork implements CheckpointDevice, AutoCloseable {
    /** Held output, at most, in bytes. */
    public static final long OUTPUT_LIMIT_BYTES = 32L << 20;

    /** Frames moved per interface and call, so that one flooded interface does not keep the agent from its other work. */
    static final int FRAMES_PER_TURN = 256;

    private final List<NicLink> nics;
    private final OutputBuffer output = new OutputBuffer(OUTPUT_LIMIT_BYTES);
    private final OutputBuffer.Sink release;
    private @Nullable BackupChannel mirror;
    private boolean inboundWithheld;
    private long nextSequence = 1;
    private long inboundMark;

    /** @param nics the interfaces in the order of the VM's definition; closed with this object */
    public GuestNetwork(List<NicLink> nics) {
        this.nics = List.copyOf(nics);
        this.release = (memory, offset, length) -> {
            NicLink nic = nic(memory, offset, length);
            if (nic != null) {
                nic.writeToTap(memory, offset + 1, length - 1);
            }
        };
    }

    /** The interface that a frame names; null for an empty frame or an unknown interface, as only a peer could send. */
    private @Nullable NicLink nic(MemorySegment memory, long offset, int length) {
        int index = Byte.toUnsignedInt(memory.get(JAVA_BYTE, offset));
        return length > 1 && index < nics.size() ? nics.get(index) : null;
    }

    public List<NicLink> nics() {
        return nics;
    }

    /** From now on input is mirrored to {@code channel}; null: to nobody. */
    public void mirrorTo(@Nullable BackupChannel channel) {
        mirror = channel;
    }

    /** Holds all output from now on; what comes next belongs to {@code epoch}. */
    public void hold(EpochId epoch) {
        output.hold(epoch);
    }

    /** This host owns the VM alone: what is held leaves, and output flows. */
    public void flow() {
        output.flow(release);
    }

    /** This host has lost the VM: nothing that is held leaves, nor anything after it. */
    public void discard() {
        output.discard();
    }

    /** Moves what QEMU has sent: to the TAP or into the output buffer. Returns whether there may be more. */
    public boolean moveOutput() throws LinuxException {
        boolean more = false;
        for (int index = 0; index < nics.size(); index++) {
            more |= moveOutputOf(index, FRAMES_PER_TURN);
        }
        return more;
    }

    private boolean moveOutputOf(int index, int frameLimit) throws LinuxException {
        NicLink nic = nics.get(index);
        return nic.readFromGuest(frameLimit, (memory, offset, length) -> {
            if (output.rule() == OutputBuffer.Rule.FLOW) {
                nic.writeToTap(memory, offset, length);
            } else {
                nic.offerTo(output, index, memory, offset, length);
            }
        });
    }

    /** Moves what has arrived for the guest, unless input is withheld now. */
    public void moveInput() throws LinuxException {
        if (inboundWithheld) {
            return;
        }
        for (int index = 0; index < nics.size(); index++) {
            NicLink nic = nics.get(index);
            for (int frame = 0; frame < FRAMES_PER_TURN && nic.forwardOneToGuest(nextSequence); frame++) {
                BackupChannel channel = mirror;
                if (channel != null) {
                    nic.mirrorLast(channel, index, nextSequence);
                }
                nextSequence++;
            }
        }
    }

    public boolean inboundWithheld() {
        return inboundWithheld;
    }

    /** Whether so much output is held that the epoch had better end. */
    public boolean outputIsFilling() {
        return output.isFilling();
    }

    public OutputBuffer output() {
        return output;
    }

    /** Puts a mirrored frame (number of the interface, then the frame) into the guest; drops one that names none. */
    public void replayInbound(MemorySegment memory, long offset, int length) throws LinuxException {
        NicLink nic = nic(memory, offset, length);
        if (nic != null) {
            nic.queueForGuest(memory, offset + 1, length - 1);
        }
    }

    /** Sends on a frame that the former primary held, or may have released already; drops one that names no interface. */
    public void rereleaseOutput(MemorySegment memory, long offset, int length) {
        release.frame(memory, offset, length);
    }

    @Override
    public void setup() {
        // Nothing to prepare: input is mirrored from the moment a channel is set.
    }

    @Override
    public boolean awaitsCommit() {
        return output.holdsOfOpenEpoch();
    }

    @Override
    public void suspending(EpochId epoch) {
        inboundWithheld = true;
        inboundMark = nextSequence;
        for (NicLink nic : nics) {
            inboundMark = Math.min(inboundMark, nic.firstUncertainSequence(nextSequence));
        }
    }

    @Override
    public void suspended(StagedCheckpoint checkpoint) {
        // QEMU may still be flushing frames; they are taken at the seal.
    }

    /** The guest stands still and all it sent is in the sockets: drains them, and the epoch is sealed exactly. */
    @Override
    public void saved(StagedCheckpoint checkpoint) throws CheckpointException {
        try {
            for (int index = 0; index < nics.size(); index++) {
                while (moveOutputOf(index, FRAMES_PER_TURN)) {
                    // until the socket is empty
                }
            }
        } catch (LinuxException e) {
            throw new CheckpointException(e.category(), "the guest's output could not be read: " + e.getMessage(), e);
        }
        checkpoint.setInboundMark(inboundMark);
        output.seal(checkpoint);
    }

    @Override
    public void resumed(EpochId epoch) {
        inboundWithheld = false;
    }

    @Override
    public void commit(EpochId epoch) {
        output.release(epoch, release);
    }

    @Override
    public void abort() {
        inboundWithheld = false;
        mirror = null;
    }

    @Override
    public void close() {
        nics.forEach(NicLink::close);
        output.close();
    }
}
