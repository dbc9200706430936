package remus.checkpoint;

import java.lang.foreign.MemorySegment;
import remus.base.EpochId;
import remus.wire.CheckpointBegin;
import remus.wire.CheckpointEnd;
import remus.wire.CodedPages;
import remus.wire.Digest;
import remus.wire.DiskWrites;
import remus.wire.EthernetFrames;
import remus.wire.FrameHandler;
import remus.wire.PageRuns;

/** Brings the frames of a session to the backup's receiver. Confined to the backup's agent thread. */
public abstract class CheckpointFrames implements FrameHandler<CheckpointException> {
    /** The receiver; frames for it come only when there is one, after READY. */
    protected abstract CheckpointReceiver receiver();

    /** This host's clock. */
    protected abstract long nowNanos();

    @Override
    public final void pages(EpochId epoch, PageRuns runs) throws CheckpointException {
        for (int run = 0; run < runs.runCount(); run++) {
            if (epoch.equals(EpochId.NONE)) {
                receiver().preCopyPages(runs.firstPage(run), runs.pageCount(run), runs.data(), runs.dataOffset(run));
            } else {
                receiver().pages(epoch, runs.firstPage(run), runs.pageCount(run), runs.data(), runs.dataOffset(run));
            }
        }
    }

    @Override
    public final void zeroPages(EpochId epoch, PageRuns runs) throws CheckpointException {
        for (int run = 0; run < runs.runCount(); run++) {
            if (epoch.equals(EpochId.NONE)) {
                receiver().preCopyZeroPages(runs.firstPage(run), runs.pageCount(run));
            } else {
                receiver().zeroPages(epoch, runs.firstPage(run), runs.pageCount(run));
            }
        }
    }

    @Override
    public final void codedPages(EpochId epoch, CodedPages pages) throws CheckpointException {
        if (epoch.equals(EpochId.NONE)) {
            receiver().preCopyCodedPages(pages);
        } else {
            receiver().codedPages(epoch, pages);
        }
    }

    @Override
    public final void checkpointBegin(EpochId epoch, CheckpointBegin begin) throws CheckpointException {
        receiver().begin(epoch, begin.first(), begin.inboundMark());
        receiver().setStill(begin.still());
        receiver().setGuestClock(nowNanos() - begin.clockLagNanos());
    }

    @Override
    public final void deviceState(EpochId epoch, long offset, long totalBytes, MemorySegment bytes)
            throws CheckpointException {
        receiver().deviceState(epoch, offset, bytes, 0, (int) bytes.byteSize());
    }

    @Override
    public final void outputFrames(EpochId epoch, EthernetFrames frames) throws CheckpointException {
        frames.forEach((_, memory, offset, length) -> receiver().outputFrame(epoch, memory, offset, length));
    }

    @Override
    public final void diskWrites(EpochId epoch, DiskWrites writes) throws CheckpointException {
        for (int write = 0; write < writes.count(); write++) {
            receiver()
                    .diskWrite(
                            epoch,
                            writes.disk(write),
                            DiskOperation.of(writes.kind(write)),
                            writes.offset(write),
                            writes.length(write),
                            writes.data(),
                            writes.dataOffset(write));
        }
    }

    @Override
    public final void checkpointEnd(EpochId epoch, CheckpointEnd end) throws CheckpointException {
        Digest digest = end.memoryDigest();
        receiver()
                .end(
                        epoch,
                        end.pageCount(),
                        end.deviceStateBytes(),
                        end.outputFrameCount(),
                        new DiskWriteCount(end.diskWriteCount(), end.diskWriteBytes()),
                        digest == null ? null : digest.bytes());
    }

    @Override
    public final void inboundFrames(long firstSequence, EthernetFrames frames) throws CheckpointException {
        frames.forEach((index, memory, offset, length) ->
                receiver().inboundFrame(firstSequence + index, memory, offset, length));
    }

    @Override
    public final void released(EpochId epoch) throws CheckpointException {
        receiver().releasedUpTo(epoch);
    }
}
