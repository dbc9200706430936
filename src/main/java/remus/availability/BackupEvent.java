package remus.availability;

import remus.base.EpochId;
import remus.base.Term;

/** What happens on a host that backs a VM up, as {@link BackupOwnership} hears of it. */
public sealed interface BackupEvent {
    /** Comes from a session; it means nothing unless that is the session of now. */
    sealed interface OfSession extends BackupEvent {
        Term session();
    }

    /** The arbiter's outcome for question {@code ask}. */
    record Answered(long ask, Arbiter.Outcome outcome) implements BackupEvent {}

    /** The retry pause is over. */
    record RetryDue() implements BackupEvent {}

    /** All of checkpoint {@code epoch} is in this host's memory, and all of those before. */
    record CheckpointWhole(Term session, EpochId epoch) implements OfSession {}

    /** The primary is back on a new connection, wanting to go on with its session. */
    record PrimaryReturned(Term session) implements OfSession {}

    /** The primary ends the session in good order. */
    record SignOffReceived(Term session, String cause) implements OfSession {}

    /** The connection ended before the first checkpoint was whole. */
    record SessionBroken(Term session, String cause) implements OfSession {}

    /**
     * The primary counts as failed: silent for the detection time, its port refuses, its QEMU is dead.
     *
     * @param byCommand an operator wants this host to take over, even if the primary lives
     */
    record PrimaryLost(String cause, boolean byCommand) implements BackupEvent {}

    /** This host can't be the backup any more: no standby, disk full, shutting down. */
    record ImageLost(String cause) implements BackupEvent {}

    /** A primary offers a new session. */
    record SessionOffered(Term session, HostId primary) implements BackupEvent {}

    /** The standby has loaded the checkpoint and runs. */
    record StandbyRuns() implements BackupEvent {}

    /** The standby could not be made to run. */
    record LoadFailed(String cause) implements BackupEvent {}

    /** The activated guest's QEMU has ended before the record said that this host is alone. */
    record GuestDied(String cause) implements BackupEvent {}
}
