package remus.checkpoint;

import java.lang.foreign.MemorySegment;
import remus.base.EpochId;
import remus.base.ErrorCategory;

/** The {@link BackupDisks} of a VM that has none. */
final class NoDisks implements BackupDisks {
    @Override
    public int count() {
        return 0;
    }

    @Override
    public long bytes(int disk) {
        throw new IndexOutOfBoundsException("no disk " + disk);
    }

    @Override
    public void synchronize(
            int disk, DiskOperation operation, long offset, long length, MemorySegment data, long dataOffset)
            throws CheckpointException {
        throw noDisk(disk);
    }

    @Override
    public void receive(
            EpochId epoch,
            int disk,
            DiskOperation operation,
            long offset,
            long length,
            MemorySegment data,
            long dataOffset)
            throws CheckpointException {
        throw noDisk(disk);
    }

    private static CheckpointException noDisk(int disk) {
        return new CheckpointException(ErrorCategory.RETRY, "a write to disk " + disk + " of a VM without disks", null);
    }

    @Override
    public DiskWriteCount received(EpochId epoch) {
        return DiskWriteCount.NONE;
    }

    @Override
    public void whole(EpochId epoch) {
        // Nothing was written.
    }

    @Override
    public boolean mayAcknowledge() {
        return true;
    }

    @Override
    public void dropAfter(EpochId lastWhole) {
        // Nothing was received.
    }

    @Override
    public void finishApplying() {
        // Nothing waits.
    }
}
