package remus.host;

import remus.api.EventType;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.checkpoint.CheckpointException;
import remus.disk.DiskException;
import remus.disk.ImageMarker;
import remus.qemu.QemuExit;

/**
 * Brings what the copy's parts say to where it belongs: the receiver on the backup's agent thread, the disks on the thread
 * of the images, the standby's QEMU on any.
 */
final class StandbyEvents implements StandbyCopy.Listener {
    private final StandbyCopy copy;
    private final StandbyStatus status;
    private final StandbyOwnership ownership;
    private final PrimaryContact primary;
    private final Agent agent;

    StandbyEvents(
            StandbyCopy copy, StandbyStatus status, StandbyOwnership ownership, PrimaryContact primary, Agent agent) {
        this.copy = copy;
        this.status = status;
        this.ownership = ownership;
        this.primary = primary;
        this.agent = agent;
    }

    // ---- what the disks say

    @Override
    public void consistent(EpochId base) {
        try {
            copy.images().mark(ImageMarker.Role.STANDBY);
        } catch (DiskException e) {
            failed(new CheckpointException(
                    ErrorCategory.DEGRADE, "the disks can't be marked as whole: " + e.getMessage(), e));
        }
    }

    @Override
    public void logged(EpochId last) {
        FaultPoint.LOGGED.reached(last.value());
    }

    @Override
    public void progressed() {
        agent.post(() -> {
            if (ownership.isBackup()) {
                copy.acknowledgeWhatIsDue();
            }
        });
    }

    @Override
    public void failed(CheckpointException why) {
        agent.post(() -> ownership.disksFailed(String.valueOf(why.getMessage())));
    }

    // ---- what the receiver says

    @Override
    public void acknowledge(EpochId epoch) {
        ownership.checkpointIsWhole(epoch);
    }

    @Override
    public void whole(EpochId epoch) {
        status.checkpointIsWhole();
        FaultPoint.APPLYING.reached(epoch.value());
    }

    @Override
    public void verified(EpochId epoch, boolean equal) {
        primary.verified(epoch, equal);
    }

    // ---- what becomes of the standby

    @Override
    public void standbyEnded(QemuExit exit) {
        agent.post(() -> standbyDied(exit.toString()));
    }

    private void standbyDied(String how) {
        if (!ownership.needsStandby()) {
            ownership.loadedDied(how);
            return;
        }
        status.event(EventType.STANDBY_LOST, how + "; starting another one with the image");
        try {
            copy.restart();
            status.event(EventType.STANDBY_READY, "a fresh standby has the image of epoch " + copy.lastWhole());
        } catch (StandbyException e) {
            ownership.loseStandby(String.valueOf(e.getMessage()));
        }
    }
}
