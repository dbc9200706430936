package remus.host;

import java.lang.foreign.MemorySegment;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.checkpoint.CheckpointException;
import remus.wire.CheckpointBegin;
import remus.wire.CheckpointEnd;
import remus.wire.CodedPages;
import remus.wire.DiskWrites;
import remus.wire.EthernetFrames;
import remus.wire.FrameHandler;
import remus.wire.PageRuns;

/**
 * Takes, of a VM that was handed over and runs here by now, what still came for it at its former host. Nothing else is to
 * come from there: anything that would change the guest ends the connection, and the rest is not heeded. Confined to the
 * backup's agent thread.
 */
final class MirroredInput implements FrameHandler<CheckpointException> {
    private final Sink input;

    /** Takes a frame that came for the guest; memory is valid during the call. */
    @FunctionalInterface
    interface Sink {
        void inboundFrame(long sequence, MemorySegment data, long offset, int length) throws CheckpointException;
    }

    MirroredInput(Sink input) {
        this.input = input;
    }

    private static CheckpointException tooLate(String what) {
        return new CheckpointException(ErrorCategory.RETRY, what + " of a VM that was handed over and runs here", null);
    }

    @Override
    public void inboundFrames(long firstSequence, EthernetFrames frames) throws CheckpointException {
        frames.forEach(
                (index, memory, offset, length) -> input.inboundFrame(firstSequence + index, memory, offset, length));
    }

    @Override
    public void fileData(String name, long offset, MemorySegment bytes) throws CheckpointException {
        throw tooLate("a file");
    }

    @Override
    public void pages(EpochId epoch, PageRuns runs) throws CheckpointException {
        throw tooLate("memory");
    }

    @Override
    public void zeroPages(EpochId epoch, PageRuns runs) throws CheckpointException {
        throw tooLate("memory");
    }

    @Override
    public void codedPages(EpochId epoch, CodedPages pages) throws CheckpointException {
        throw tooLate("memory");
    }

    @Override
    public void checkpointBegin(EpochId epoch, CheckpointBegin begin) throws CheckpointException {
        throw tooLate("a checkpoint");
    }

    @Override
    public void deviceState(EpochId epoch, long offset, long totalBytes, MemorySegment bytes)
            throws CheckpointException {
        throw tooLate("device state");
    }

    @Override
    public void outputFrames(EpochId epoch, EthernetFrames frames) throws CheckpointException {
        throw tooLate("output");
    }

    @Override
    public void diskWrites(EpochId epoch, DiskWrites writes) throws CheckpointException {
        throw tooLate("a disk write");
    }

    @Override
    public void diskCompare(int disk, long firstBlock, int count) throws CheckpointException {
        throw tooLate("a comparison of disks");
    }

    @Override
    public void checkpointEnd(EpochId epoch, CheckpointEnd end) throws CheckpointException {
        throw tooLate("a checkpoint");
    }

    @Override
    public void released(EpochId epoch) {}

    @Override
    public void heartbeat(EpochId sealed) {}

    @Override
    public void guestDead(String reason) {}

    @Override
    public void handOver(long pausedNanos, String reason) {}

    @Override
    public void signOff(String reason) {}
}
