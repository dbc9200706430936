package remus.checkpoint;

import remus.base.EpochId;

/**
 * A part of the guest whose state goes into each checkpoint: its memory, its network, its disks. The engine calls the
 * verbs of all devices on the VM's agent thread, in this order for each epoch: {@link #suspending}, {@link #suspended},
 * {@link #saved}, {@link #resumed}. {@link #commit} comes some time after {@link #saved}, and may come before
 * {@link #resumed} where the backup answers faster than QEMU.
 */
public interface CheckpointDevice {
    /** Protection begins: called once, before the first copy of memory. */
    void setup() throws CheckpointException;

    /** The guest is about to be stopped at the end of {@code epoch}: last work before the pause. */
    void suspending(EpochId epoch);

    /** The guest stands still; QEMU is saving its devices meanwhile. Captures what may be captured beside that. */
    void suspended(StagedCheckpoint checkpoint) throws CheckpointException;

    /** QEMU has saved its devices and nothing changes any more: captures the rest. The epoch is sealed hereafter. */
    void saved(StagedCheckpoint checkpoint) throws CheckpointException;

    /** The guest runs again, in the epoch after {@code epoch}. */
    void resumed(EpochId epoch);

    /** Whether something of the open epoch waits here for its commit, so that its checkpoint had better come soon. */
    default boolean awaitsCommit() {
        return false;
    }

    /**
     * Whether {@code epoch}, which the backup has acknowledged, may be committed as far as this device knows; what has
     * once been allowed stays so. A device that says no sees to it that the engine's owner asks again
     * ({@link CheckpointEngine#retryCommit}).
     */
    default boolean mayCommit(EpochId epoch) {
        return true;
    }

    /** The backup has acknowledged {@code epoch} and all before it; those in between get no call of their own. */
    void commit(EpochId epoch);

    /** Protection ends, whatever the reason; output already captured is the engine's to release or discard. */
    void abort();
}
