package remus.simulation;

import java.util.List;
import remus.availability.BackupEvent;
import remus.availability.OwnershipAction;
import remus.availability.PrimaryState;
import remus.base.EpochId;

/** Deliberate faults of when output leaves. */
final class OutputFaults {
    private OutputFaults() {}

    /** Output leaves when its checkpoint is sent. */
    static final class ReleasesWhatIsNotAcknowledged extends Sabotage {
        @Override
        void sealed(PrimarySide side, Protection session, EpochId epoch) {
            if (side.role() instanceof PrimaryState.Protected) {
                side.output().release(session, epoch);
            }
        }
    }

    /** Output flows on until the backup has the first full checkpoint. */
    static final class HoldsTooLate extends Sabotage {
        @Override
        List<OwnershipAction> primaryActions(PrimarySide side, OwnershipAction action) {
            boolean first = side.session() != null && action instanceof OwnershipAction.Hold;
            return first ? List.of() : List.of(action);
        }

        @Override
        void afterStep(PrimarySide side) {
            boolean acknowledged =
                    side.role() instanceof PrimaryState.Entering || side.role() instanceof PrimaryState.Protected;
            if (acknowledged) {
                side.perform(new OwnershipAction.Hold());
            }
        }
    }

    /** Output of an activated VM leaves as soon as it runs. */
    static final class ReleasesBeforeAlone extends Sabotage {
        @Override
        BackupEvent backupEvent(BackupSide side, BackupEvent event) {
            if (event instanceof BackupEvent.StandbyRuns) {
                side.perform(new OwnershipAction.Flow());
            }
            return event;
        }
    }
}
