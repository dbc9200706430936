package remus.availability;

import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.Term;

/**
 * What a host has to do as ownership moves on. The actions of one step are done in their order, all of them, before the
 * next event is given. A step that fails on the way is an event of its own ({@code GuestDied}, {@code LoadFailed}).
 */
public sealed interface OwnershipAction {
    // ---- output

    /** From here on output waits for {@link Release}; to be in force before the guest runs again. */
    record Hold() implements OwnershipAction {}

    /** The output of all epochs up to {@code upTo} may leave. Asking for less than before means nothing new. */
    record Release(EpochId upTo) implements OwnershipAction {}

    /** All output that is held leaves, and whatever follows leaves at once. */
    record Flow() implements OwnershipAction {}

    /** All output that is held is dropped, and nothing leaves any more until {@link Flow}. */
    record Discard() implements OwnershipAction {}

    // ---- the guest

    /** The VM is started: the record allows it. */
    record BootGuest() implements OwnershipAction {}

    /** The guest is paused but kept, for it may be taken back. */
    record PauseGuest() implements OwnershipAction {}

    /** The guest goes on, if it stands still. */
    record ResumeGuest() implements OwnershipAction {}

    /** QEMU is killed: the VM runs elsewhere, or is to end. */
    record KillGuest() implements OwnershipAction {}

    // ---- the arbiter

    /**
     * The arbiter is asked; its outcome comes back as {@code Answered} with the same number.
     *
     * @param ask number of the question
     */
    record AskArbiter(long ask, Question question) implements OwnershipAction {}

    /** What the arbiter is asked. */
    sealed interface Question {
        record Read() implements Question {}

        /** @param expected null: that there is no record yet */
        record Set(@Nullable OwnershipRecord expected, OwnershipRecord next) implements Question {}
    }

    /** {@code RetryDue} is wanted after the retry pause. */
    record AskAgainLater() implements OwnershipAction {}

    /** {@code ActivationOverdue} is wanted when the activation deadline has passed from now on. */
    record AwaitActivation(Term term) implements OwnershipAction {}

    // ---- the session, on the primary

    /** A session begins: connect to {@code backup}, copy memory, then take checkpoints. */
    record StartSession(Term session, HostId backup) implements OwnershipAction {}

    /** The session ends on this side; nothing of it is sent or listened to any more. */
    record EndSession(Term session, String reason) implements OwnershipAction {}

    /** The backup is asked to drop its image and never activate. */
    record SignOff(Term session) implements OwnershipAction {}

    /** The connection is dropped and made again: only the new one's hello proves that the backup still stands by. */
    record Reconnect(Term session) implements OwnershipAction {}

    /** The backup is told that the VM is dead here, so that it takes over at once. */
    record ReportGuestDead(Term session) implements OwnershipAction {}

    // ---- the session, on the backup

    /** The primary's offer is accepted: a fresh image is received under that term. */
    record AcceptSession(Term session) implements OwnershipAction {}

    record RefuseSession(Term session, String reason) implements OwnershipAction {}

    /** The primary is back on a new connection and is told the last whole epoch, which counts as its acknowledgement. */
    record Welcome(Term session, EpochId lastWhole) implements OwnershipAction {}

    record Acknowledge(Term session, EpochId epoch) implements OwnershipAction {}

    /**
     * The connection is closed and nothing of this session is acknowledged any more, not even by a hello. Comes before the
     * request to activate: whatever the primary releases from here on is in the image.
     */
    record AcknowledgeNoMore(Term session) implements OwnershipAction {}

    /** The primary, if it can be reached, is told that this host takes over. */
    record TellPrimaryActivating(Term session) implements OwnershipAction {}

    record AnswerSignedOff(Term session) implements OwnershipAction {}

    /** The image is of no use any more, and neither is a standby that is being loaded with it: it is not to run. */
    record DropImage(String reason) implements OwnershipAction {}

    /** The last whole checkpoint is loaded into a standby, a fresh one if there was an attempt before, and runs; its output is held. */
    record LoadStandby() implements OwnershipAction {}

    /** The VM runs here and this host owns it: {@link PrimaryOwnership} goes on from {@code state}. */
    record BecomePrimary(PrimaryState state) implements OwnershipAction {}

    // ---- people

    /** Something that an operator wants to know. */
    record Report(String reason) implements OwnershipAction {}
}
