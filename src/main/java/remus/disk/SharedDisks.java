package remus.disk;

import java.time.Duration;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.checkpoint.CheckpointDevice;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.DiskWriteCount;
import remus.checkpoint.StagedCheckpoint;

/**
 * The disks of a VM that moves to a host which sees the same images: nothing of them is sent. Its one checkpoint is not
 * sealed before all that the guest has written is durable, and from then on nothing here changes the images, until
 * {@link GuestDisks#open}: the other host may come to own them as soon as it has the checkpoint. A guest that is let go on
 * before it is clear whose it is can read, and has its writes wait.
 *
 * <p>Confined to the VM's agent thread, which waits for the disks in the pause for {@link #SYNC_LIMIT} at most; the migration
 * fails after that, and the guest goes on here. What was written before the pause is on its way by then
 * ({@link GuestDisks#syncAhead}).
 */
public final class SharedDisks implements CheckpointDevice {
    /** How long an fdatasync may take while the guest stands still. */
    static final Duration SYNC_LIMIT = Duration.ofSeconds(10);

    /** Writes down that the images may be another host's from now on, for a daemon started anew. */
    @FunctionalInterface
    public interface Note {
        /** On return it is found by whoever comes after this process. */
        void withheld() throws CheckpointException;
    }

    private final GuestDisks disks;
    private final Note note;

    public SharedDisks(GuestDisks disks, Note note) {
        this.disks = disks;
        this.note = note;
    }

    @Override
    public void setup() {
        disks.syncAhead();
    }

    /** QEMU's own flushes don't hold up the pause: {@link #saved} waits for what they are for. */
    @Override
    public void suspending(EpochId epoch) {
        disks.disks().forEach(disk -> disk.flusher().pausing(epoch));
    }

    @Override
    public void suspended(StagedCheckpoint checkpoint) {
        disks.syncAhead();
    }

    /** @throws CheckpointException the guest's last writes can't be made durable, or not in time */
    @Override
    public void saved(StagedCheckpoint checkpoint) throws CheckpointException {
        disks.disks().forEach(disk -> disk.flusher().paused());
        long deadlineNanos = System.nanoTime() + SYNC_LIMIT.toNanos(); // of all together
        try {
            for (GuestDisk disk : disks.disks()) {
                disk.flusher().awaitAllDurable(Duration.ofNanos(Math.max(0, deadlineNanos - System.nanoTime())));
            }
        } catch (DiskException e) {
            throw new CheckpointException(
                    ErrorCategory.DEGRADE, "the disks can't be handed over: " + e.getMessage(), e);
        }
        note.withheld();
        disks.withhold();
        checkpoint.setDiskWrites(DiskWriteCount.NONE);
    }

    @Override
    public void resumed(EpochId epoch) {
        // Whether its writes may go on is not for the engine to say.
    }

    @Override
    public void commit(EpochId epoch) {
        // Nothing of the disks waits for that.
    }

    @Override
    public void abort() {
        disks.disks().forEach(disk -> disk.flusher().sessionEnded());
    }
}
