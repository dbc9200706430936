package remus.host;

import remus.base.EpochId;
import remus.checkpoint.CheckpointDevice;
import remus.checkpoint.StagedCheckpoint;

/**
 * Keeps the output of acknowledged epochs back until this host's ownership of the VM allows its release; as if it were a
 * device that waits. Confined to the VM's agent thread.
 */
final class ReleaseGate implements CheckpointDevice {
    private EpochId upTo = EpochId.NONE;
    private boolean shut;

    /** The output of all epochs up to {@code epoch} may leave; asking for less than before means nothing new. */
    void release(EpochId epoch) {
        shut = false;
        if (epoch.isAfter(upTo)) {
            upTo = epoch;
        }
    }

    /** Until the next {@link #release} nothing leaves, not even what was allowed and still waits for a disk. */
    void shut() {
        shut = true;
    }

    @Override
    public boolean mayCommit(EpochId epoch) {
        return !shut && !epoch.isAfter(upTo);
    }

    @Override
    public void setup() {}

    @Override
    public void suspending(EpochId epoch) {}

    @Override
    public void suspended(StagedCheckpoint checkpoint) {}

    @Override
    public void saved(StagedCheckpoint checkpoint) {}

    @Override
    public void resumed(EpochId epoch) {}

    @Override
    public void commit(EpochId epoch) {}

    @Override
    public void abort() {}
}
