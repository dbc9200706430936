package remus.host;

import org.jspecify.annotations.Nullable;
import remus.api.EventType;
import remus.api.StandbyMode;
import remus.api.VmState;
import remus.availability.BackupState.Activating;
import remus.availability.BackupState.Checking;
import remus.availability.BackupState.Confirming;
import remus.availability.BackupState.Dropped;
import remus.availability.BackupState.Receiving;
import remus.availability.BackupState.Requesting;
import remus.availability.BackupState.Role;
import remus.availability.BackupState.Standing;
import remus.availability.BackupState.Taken;
import remus.availability.OwnershipAction;
import remus.base.EpochId;

/**
 * What people are told as the ownership of a VM that is backed up here moves on: its state with the reason, and the events.
 * That the primary is lost is told once until it is heard again. Confined to the backup's agent thread.
 */
final class StandbyStory {
    private final StandbyStatus status;
    private String cause = "";
    private boolean isByCommand;
    private boolean isLossTold;

    StandbyStory(StandbyStatus status) {
        this.status = status;
    }

    // ---- why things happen

    /**
     * Why the primary counts as lost.
     *
     * @param byCommand it is not, but the VM is to be taken over
     */
    void because(String why, boolean byCommand) {
        cause = why;
        isByCommand = byCommand;
    }

    String cause() {
        return cause;
    }

    // ---- what happens

    /** A decision, in the words of whoever made it. */
    void report(String reason) {
        status.decided(reason);
    }

    void disconnected(String why) {
        isLossTold = true;
        status.event(EventType.PRIMARY_LOST, "connection lost (" + why + "); waiting for it until the detection time");
        status.because("connection lost: " + why);
    }

    void reconnected(EpochId lastWhole) {
        isLossTold = false;
        status.because(standing());
        status.event(EventType.RECONNECTED, "the session goes on after epoch " + lastWhole);
    }

    void loadFailed(int attempt, String why) {
        status.event(EventType.FAILED, "activation attempt %d, a fresh standby is next: %s".formatted(attempt, why));
    }

    void notDone(OwnershipAction action, RuntimeException why) {
        status.event(EventType.FAILED, "%s could not be done: %s".formatted(action, why.getMessage()));
    }

    /** This host can't be the backup any more. */
    void lost(String why) {
        status.event(EventType.FAILED, "not a backup any more: " + why);
    }

    /** This host is not to be the backup any more, and has said so. */
    void left(String why) {
        status.event(EventType.UNPROTECTED, "not a backup any more: " + why);
    }

    void changed(Role before, Role after) {
        switch (after) {
            case Standing _ -> stands(before);
            case Checking _ -> checks();
            case Requesting _ -> status.because("asking who owns the VM: " + cause);
            case Activating(var record, var _, var _) -> {
                if (before instanceof Requesting) {
                    status.granted(record.term());
                    String why = status.decision() + ": " + cause;
                    status.become(VmState.ACTIVATING, why, EventType.ACTIVATING, why);
                }
            }
            case Dropped(String reason) -> {
                boolean wasTakingOver = before instanceof Activating || before instanceof Confirming;
                status.decision();
                status.event(
                        wasTakingOver ? EventType.FAILED : EventType.UNPROTECTED, "not a backup any more: " + reason);
            }
            // That it runs here is told when it has been handed over.
            case Taken _ -> status.decision();
            case Receiving _, Confirming _ -> {}
        }
    }

    private void stands(Role before) {
        if (before instanceof Receiving) {
            status.become(
                    VmState.STANDBY,
                    standing(),
                    EventType.STANDBY_READY,
                    "the first checkpoint is whole; ready to take over"
                            + (isCold() ? ", with a cold standby: QEMU is started then" : ""));
        } else if (isLossTold) {
            isLossTold = false;
            status.because(standing());
            status.event(EventType.RECONNECTED, "the primary is heard again, nothing was taken over");
        }
    }

    /** What is worth knowing of a backup that waits. */
    private @Nullable String standing() {
        return isCold() ? "cold: QEMU is started when it takes over" : null;
    }

    private boolean isCold() {
        return status.standby() == StandbyMode.COLD;
    }

    private void checks() {
        status.because("asking who owns the VM: " + cause);
        if (!isLossTold && !isByCommand) {
            isLossTold = true;
            status.event(EventType.PRIMARY_LOST, status.decision());
        }
    }
}
