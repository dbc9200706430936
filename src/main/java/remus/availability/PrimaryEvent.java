package remus.availability;

import remus.base.EpochId;
import remus.base.Term;

/** What happens on a host that has the VM, as {@link PrimaryOwnership} hears of it. */
public sealed interface PrimaryEvent {
    /** Comes from a session or is about one; it means nothing unless that is the session of now. */
    sealed interface OfSession extends PrimaryEvent {
        Term session();
    }

    /** The arbiter's outcome for question {@code ask}. */
    record Answered(long ask, Arbiter.Outcome outcome) implements PrimaryEvent {}

    /** The retry pause is over. */
    record RetryDue() implements PrimaryEvent {}

    /** An operator, or the VM's definition, wants it protected. */
    record ProtectRequested(HostId backup) implements PrimaryEvent {}

    /** An operator wants protection to end, or it can't go on for a reason on this host. */
    record UnprotectRequested(String cause) implements PrimaryEvent {}

    /** The VM is to end here. A second time: at once. */
    record StopRequested(String cause) implements PrimaryEvent {}

    /** The guest stands still for the session's first full checkpoint, of which nothing was sent yet. */
    record FirstCheckpointPaused(Term session) implements OfSession {}

    /** The backup holds {@code epoch} whole. */
    record Acknowledged(Term session, EpochId epoch) implements OfSession {}

    /**
     * The backup's hello on a connection opened after the latest {@link OwnershipAction.Reconnect}: it stands by, and holds
     * {@code lastWhole}.
     */
    record Reconnected(Term session, EpochId lastWhole) implements OfSession {}

    /**
     * The backup can't be counted on: no acknowledgement within the deadline, it has no image any more, it signed off, or it
     * did not answer the sign-off.
     */
    record BackupLost(Term session, String cause) implements OfSession {}

    /** The backup says that it takes over, an operator wants it to, or it is handed the VM. */
    record YieldRequested(Term session, String cause) implements OfSession {}

    /** The activation deadline has passed since {@link OwnershipAction.AwaitActivation} of that term. */
    record ActivationOverdue(Term term) implements PrimaryEvent {}

    /** This process was not running for longer than the detection time; given before anything else after waking. */
    record WokeLate() implements PrimaryEvent {}

    /** QEMU has ended or hangs. */
    record GuestDied(String cause) implements PrimaryEvent {}

    /** Another host offers to protect the same VM here. */
    record SessionOffered(Term session) implements PrimaryEvent {}
}
