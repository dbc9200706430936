package remus.host;

import remus.api.EventType;
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
 * Confined to the backup's agent thread.
 */
final class StandbyStory {
    private final StandbyStatus status;
    private String cause = "";

    StandbyStory(StandbyStatus status) {
        this.status = status;
    }

    // ---- why things happen

    /** Why the primary counts as lost. */
    void because(String why) {
        cause = why;
    }

    String cause() {
        return cause;
    }

    // ---- what happens

    /** A decision, in the words of whoever made it. */
    void report(String reason) {
        status.event(EventType.OWNERSHIP, reason);
    }

    void disconnected(String why) {
        status.event(EventType.PRIMARY_LOST, "connection lost (" + why + "); waiting for it until the detection time");
        status.because("connection lost: " + why);
    }

    void reconnected(EpochId lastWhole) {
        status.because(null);
        status.event(EventType.RECONNECTED, "the session goes on after epoch " + lastWhole);
    }

    void loadFailed(int attempt, String why) {
        status.event(EventType.FAILED, "activation attempt %d: %s".formatted(attempt, why));
    }

    void notDone(OwnershipAction action, RuntimeException why) {
        status.event(EventType.FAILED, "%s could not be done: %s".formatted(action, why.getMessage()));
    }

    /** This host can't be the backup any more. */
    void lost(String why) {
        status.event(EventType.FAILED, "not a backup any more: " + why);
    }

    void changed(Role before, Role after) {
        switch (after) {
            case Standing _ -> {
                status.become(VmState.STANDBY, null);
                if (before instanceof Receiving) {
                    status.event(EventType.STANDBY_READY, "the first checkpoint is whole; ready to take over");
                }
            }
            case Checking _, Requesting _ -> status.because("asking who owns the VM: " + cause);
            case Activating _ -> {
                if (before instanceof Requesting) {
                    status.become(VmState.ACTIVATING, cause);
                    status.event(EventType.ACTIVATING, cause);
                }
            }
            case Dropped(String reason) -> {
                boolean wasTakingOver = before instanceof Activating || before instanceof Confirming;
                status.event(
                        wasTakingOver ? EventType.FAILED : EventType.UNPROTECTED, "not a backup any more: " + reason);
            }
            case Receiving _, Confirming _, Taken _ -> {}
        }
    }
}
