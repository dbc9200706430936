package remus.availability;

import remus.availability.Inquiry.Finding;
import remus.availability.OwnershipAction.Discard;
import remus.availability.OwnershipAction.EndSession;
import remus.availability.OwnershipAction.Hold;
import remus.availability.OwnershipAction.Release;
import remus.availability.OwnershipAction.StartSession;
import remus.availability.PrimaryEvent.Acknowledged;
import remus.availability.PrimaryEvent.ActivationOverdue;
import remus.availability.PrimaryEvent.Answered;
import remus.availability.PrimaryEvent.BackupLost;
import remus.availability.PrimaryEvent.FirstCheckpointPaused;
import remus.availability.PrimaryEvent.GuestDied;
import remus.availability.PrimaryEvent.OfSession;
import remus.availability.PrimaryEvent.ProtectRequested;
import remus.availability.PrimaryEvent.Reconnected;
import remus.availability.PrimaryEvent.RetryDue;
import remus.availability.PrimaryEvent.SessionOffered;
import remus.availability.PrimaryEvent.StopRequested;
import remus.availability.PrimaryEvent.UnprotectRequested;
import remus.availability.PrimaryEvent.WokeLate;
import remus.availability.PrimaryEvent.YieldRequested;
import remus.availability.PrimaryState.Alone;
import remus.availability.PrimaryState.Bequeathing;
import remus.availability.PrimaryState.Entering;
import remus.availability.PrimaryState.Gone;
import remus.availability.PrimaryState.Joining;
import remus.availability.PrimaryState.Opening;
import remus.availability.PrimaryState.Protected;
import remus.availability.PrimaryState.Role;
import remus.availability.PrimaryState.Session;
import remus.availability.PrimaryState.Synchronizing;
import remus.base.EpochId;
import remus.base.Term;

/**
 * The part of {@link PrimaryOwnership} in which a VM becomes protected: OPENING, SYNCHRONIZING, JOINING and ENTERING. Its
 * transitions are listed there.
 */
final class ProtectionEntry {
    private ProtectionEntry() {}

    static Role opening(Turn turn, Opening state, PrimaryEvent event) {
        return switch (event) {
            case Answered(long ask, Arbiter.Outcome outcome) ->
                switch (state.inquiry().answered(turn, ask, outcome)) {
                    case Finding.Pending(Inquiry inquiry) -> reopened(state, inquiry);
                    case Finding.NotNow(Inquiry inquiry) -> reopened(state, inquiry);
                    case Finding.Granted(OwnershipRecord granted) -> startSession(turn, granted, state.backup());
                    case Finding.Seen(OwnershipRecord seen) -> {
                        if (state.record().equals(seen)) {
                            yield startSession(turn, seen, state.backup());
                        }
                        // Its own, but of a request that was given up: its next term may be as spent as this one's.
                        yield seen != null && seen.isOwnedBy(turn.self()) && seen.phase() == OwnershipRecord.Phase.ALONE
                                ? new Opening(seen, true, state.backup(), PrimaryOwnership.renew(turn, seen))
                                : OwnershipContest.unexpected(turn, null, seen);
                    }
                };
            case RetryDue() -> reopened(state, state.inquiry().retry(turn));
            case UnprotectRequested _ ->
                // A renewal may land yet, and a session under its term would be one under a term already used.
                new Alone(state.record(), state.spent());
            case StopRequested(String cause) -> PrimaryOwnership.kill(turn, cause);
            case GuestDied(String cause) -> new Gone(cause);
            case ProtectRequested _, ActivationOverdue _, WokeLate _, SessionOffered _, OfSession _ -> state;
        };
    }

    private static Opening reopened(Opening state, Inquiry inquiry) {
        return new Opening(state.record(), state.spent(), state.backup(), inquiry);
    }

    private static Role startSession(Turn turn, OwnershipRecord record, HostId backup) {
        Session session = new Session(record.term().next(), backup);
        turn.act(new StartSession(session.term(), backup));
        return new Synchronizing(record, session);
    }

    static Role synchronizing(Turn turn, Synchronizing state, PrimaryEvent event) {
        return switch (event) {
            case FirstCheckpointPaused _ -> {
                turn.act(new Hold());
                yield new Joining(state.record(), state.session());
            }
            case BackupLost(Term _, String cause) -> givenUp(turn, state, cause);
            case UnprotectRequested(String cause) -> givenUp(turn, state, cause);
            case YieldRequested(Term _, String cause) -> OwnershipContest.lose(turn, state.session(), cause);
            case StopRequested(String cause) -> {
                turn.act(new EndSession(state.session().term(), cause));
                yield PrimaryOwnership.kill(turn, cause);
            }
            case GuestDied(String cause) -> {
                turn.act(new EndSession(state.session().term(), cause));
                yield new Gone(cause);
            }
            case Answered _,
                    RetryDue _,
                    ProtectRequested _,
                    ActivationOverdue _,
                    WokeLate _,
                    SessionOffered _,
                    Acknowledged _,
                    Reconnected _ -> state;
        };
    }

    /** No full checkpoint was sent, so the record needs no change; but the session's term was used. */
    private static Role givenUp(Turn turn, Synchronizing state, String cause) {
        turn.act(new EndSession(state.session().term(), cause));
        turn.report("not protected: " + cause);
        return new Alone(state.record(), true);
    }

    static Role joining(Turn turn, Joining state, PrimaryEvent event) {
        return switch (event) {
            case Acknowledged(Term _, EpochId epoch) -> enter(turn, state, epoch);
            case Reconnected(Term _, EpochId lastWhole) -> enter(turn, state, lastWhole);
            case BackupLost(Term _, String cause) ->
                OwnershipContest.abandon(turn, state.record(), state.session(), cause, false);
            case UnprotectRequested(String cause) ->
                OwnershipContest.abandon(turn, state.record(), state.session(), cause, false);
            case StopRequested(String cause) ->
                OwnershipContest.abandon(turn, state.record(), state.session(), cause, true);
            case YieldRequested(Term _, String cause) -> OwnershipContest.lose(turn, state.session(), cause);
            case GuestDied(String cause) -> {
                turn.act(new EndSession(state.session().term(), cause));
                yield new Gone(cause);
            }
            case Answered _,
                    RetryDue _,
                    ProtectRequested _,
                    FirstCheckpointPaused _,
                    ActivationOverdue _,
                    WokeLate _,
                    SessionOffered _ -> state;
        };
    }

    private static Role enter(Turn turn, Joining state, EpochId whole) {
        if (!whole.isAfter(EpochId.NONE)) {
            return state;
        }
        Session session = state.session();
        OwnershipRecord next =
                OwnershipRecord.protectedBy(session.term(), turn.self(), session.backup(), turn.newRequest());
        return new Entering(state.record(), session, whole, false, Inquiry.change(turn, state.record(), next));
    }

    static Role entering(Turn turn, Entering state, PrimaryEvent event) {
        Session session = state.session();
        return switch (event) {
            case Answered(long ask, Arbiter.Outcome outcome) ->
                switch (state.inquiry().answered(turn, ask, outcome)) {
                    case Finding.Pending(Inquiry inquiry) -> entering(state, state.acknowledged(), inquiry);
                    case Finding.NotNow(Inquiry inquiry) -> entering(state, state.acknowledged(), inquiry);
                    case Finding.Granted(OwnershipRecord granted) -> entered(turn, state, granted);
                    case Finding.Seen(OwnershipRecord seen) -> OwnershipContest.unexpected(turn, session, seen);
                };
            case RetryDue() ->
                entering(state, state.acknowledged(), state.inquiry().retry(turn));
            case Acknowledged(Term _, EpochId epoch) -> entering(state, epoch, state.inquiry());
            case Reconnected(Term _, EpochId lastWhole) -> entering(state, lastWhole, state.inquiry());
            case WokeLate() -> new Entering(state.record(), session, state.acknowledged(), true, state.inquiry());
            case BackupLost(Term _, String cause) ->
                OwnershipContest.abandon(turn, state.record(), session, cause, false);
            case UnprotectRequested(String cause) ->
                OwnershipContest.abandon(turn, state.record(), session, cause, false);
            case StopRequested(String cause) -> OwnershipContest.abandon(turn, state.record(), session, cause, true);
            case YieldRequested(Term _, String cause) -> OwnershipContest.lose(turn, session, cause);
            case GuestDied(String cause) -> {
                turn.act(new Discard());
                turn.report("QEMU died while the backup was being entered in the record: " + cause);
                yield new Bequeathing(state.inquiry(), session);
            }
            case ProtectRequested _, FirstCheckpointPaused _, ActivationOverdue _, SessionOffered _ -> state;
        };
    }

    private static Entering entering(Entering state, EpochId whole, Inquiry inquiry) {
        EpochId acknowledged = whole.isAfter(state.acknowledged()) ? whole : state.acknowledged();
        return new Entering(state.record(), state.session(), acknowledged, state.wokeLate(), inquiry);
    }

    private static Role entered(Turn turn, Entering state, OwnershipRecord granted) {
        if (state.wokeLate()) {
            return PrimaryOwnership.ask(turn, granted, state.session(), state.acknowledged());
        }
        turn.report("protected by " + state.session().backup() + " in term " + granted.term());
        turn.act(new Release(state.acknowledged()));
        return new Protected(granted, state.session());
    }
}
