package remus.checkpoint;

import java.lang.foreign.MemorySegment;
import remus.base.EpochId;

/**
 * The images of a VM's disks on the backup, as the receiver of its checkpoints sees them. Writes wait in memory until
 * their checkpoint is whole and reach the images afterwards, in order, beside the reception of the next. Confined to the
 * backup's agent thread; what has been received is copied before a call returns.
 *
 * <p>That a write lies in its disk and its data in memory is for the {@link CheckpointReceiver} to check, before any of
 * these calls: nobody else has what comes from a primary.
 */
public interface BackupDisks {
    /** A VM without disks. */
    BackupDisks NONE = new NoDisks();

    int count();

    /** Size of a disk in bytes. */
    long bytes(int disk);

    /** A write of the synchronization: applied as it comes, in order. May wait for the disk. */
    void synchronize(int disk, DiskOperation operation, long offset, long length, MemorySegment data, long dataOffset)
            throws CheckpointException;

    /**
     * A write of {@code epoch}, which is not whole yet: kept in memory, and space for it made sure of in the image.
     *
     * @throws CheckpointException DEGRADE: this host can't hold it (disk full); RETRY: more than a primary may send
     */
    void receive(
            EpochId epoch,
            int disk,
            DiskOperation operation,
            long offset,
            long length,
            MemorySegment data,
            long dataOffset)
            throws CheckpointException;

    /** What has been received of {@code epoch} so far. */
    DiskWriteCount received(EpochId epoch);

    /** The checkpoint of {@code epoch} is whole: its writes are to reach the images, after those of all before it. */
    void whole(EpochId epoch);

    /** Whether so few writes of whole checkpoints wait for the images that a further one may be acknowledged. */
    boolean mayAcknowledge();

    /** Forgets what was received of the epochs after {@code lastWhole}: the connection is lost. */
    void dropAfter(EpochId lastWhole);

    /** Waits until the writes of all whole checkpoints are in the images; may be tried again after a failure. */
    void finishApplying() throws CheckpointException;
}
