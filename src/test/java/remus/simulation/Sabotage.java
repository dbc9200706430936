package remus.simulation;

import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.availability.Arbiter;
import remus.availability.BackupEvent;
import remus.availability.OwnershipAction;
import remus.availability.PrimaryEvent;
import remus.base.EpochId;
import remus.checkpoint.ArrayDisks;
import remus.checkpoint.BackupDisks;
import remus.checkpoint.StagedCheckpoint;

/** Where a world can be made to break a rule. This one breaks none. */
class Sabotage {
    /** The arbiter that a daemon is given. */
    Arbiter arbiter(Daemon daemon, Arbiter real) {
        return real;
    }

    /** What becomes of an event; null: it is not heard of. */
    @Nullable
    PrimaryEvent primaryEvent(PrimarySide side, PrimaryEvent event) {
        return event;
    }

    @Nullable
    BackupEvent backupEvent(BackupSide side, BackupEvent event) {
        return event;
    }

    /** What is done instead of an action. */
    List<OwnershipAction> primaryActions(PrimarySide side, OwnershipAction action) {
        return List.of(action);
    }

    List<OwnershipAction> backupActions(BackupSide side, OwnershipAction action) {
        return List.of(action);
    }

    /** The state machine has made a step. */
    void afterStep(PrimarySide side) {}

    void afterStep(BackupSide side) {}

    /** A checkpoint was taken and is being sent. */
    void sealed(PrimarySide side, Protection session, EpochId epoch) {}

    /** What a checkpoint says of the input that it contains. */
    long inboundMark(StagedCheckpoint checkpoint) {
        return checkpoint.inboundMark();
    }

    /** Whether a checkpoint is sent without its pages. */
    boolean forgetsPages(StagedCheckpoint checkpoint) {
        return false;
    }

    /** Whether what was sent on an earlier connection is built on. */
    boolean keepsBaseWhenConnected() {
        return false;
    }

    /** Whether a checkpoint's end is sent before all of its disk writes, counting those that were. */
    boolean endsBeforeItsDiskWrites() {
        return false;
    }

    /** The disks as the backup's receiver sees them. */
    BackupDisks backupDisks(ArrayDisks real) {
        return real;
    }

    /** The backup's connection has ended; what was received in part has not been dropped yet. */
    void connectionLost(BackupSide side, Image image) {}

    /** The backup has read a frame. */
    void frameRead(BackupSide side, byte[] frame) {}
}
