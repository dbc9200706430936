package remus.availability;

import org.jspecify.annotations.Nullable;
import remus.availability.Inquiry.Finding;
import remus.availability.OwnershipAction.AwaitActivation;
import remus.availability.OwnershipAction.Discard;
import remus.availability.OwnershipAction.EndSession;
import remus.availability.OwnershipAction.Flow;
import remus.availability.OwnershipAction.KillGuest;
import remus.availability.OwnershipAction.PauseGuest;
import remus.availability.OwnershipAction.Reconnect;
import remus.availability.OwnershipAction.Release;
import remus.availability.OwnershipAction.ReportGuestDead;
import remus.availability.OwnershipAction.ResumeGuest;
import remus.availability.OwnershipRecord.Phase;
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
import remus.availability.PrimaryState.GoingAlone;
import remus.availability.PrimaryState.Gone;
import remus.availability.PrimaryState.Protected;
import remus.availability.PrimaryState.Role;
import remus.availability.PrimaryState.Session;
import remus.availability.PrimaryState.Waiting;
import remus.base.EpochId;
import remus.base.Invariant;
import remus.base.Term;

/**
 * The part of {@link PrimaryOwnership} in which it is open who owns the VM: GOING_ALONE, WAITING and BEQUEATHING, and the
 * ways into them. Its transitions are listed there.
 */
final class OwnershipContest {
    private OwnershipContest() {}

    // ---- ways in

    /** The session protected the VM until now: asks to own it alone. The backup may come back meanwhile. */
    static Role goAlone(Turn turn, OwnershipRecord record, Session session, String cause, boolean ending) {
        turn.report("output is held, asking to go on alone: " + cause);
        return new GoingAlone(ask(turn, record), session, false, ending);
    }

    /**
     * The backup may hold a full checkpoint, and a request that names it may be under way: the session is over, and asking
     * to own the VM alone supersedes that request.
     */
    static Role abandon(Turn turn, OwnershipRecord record, Session session, String cause, boolean ending) {
        turn.act(new EndSession(session.term(), cause));
        turn.report("protection is given up, output is held, asking to go on alone: " + cause);
        return new GoingAlone(ask(turn, record), null, false, ending);
    }

    private static Inquiry ask(Turn turn, OwnershipRecord record) {
        return Inquiry.change(turn, record, turn.alone(record.term().next()));
    }

    /** The record is not the one this host thought it was: it has lost only if that names another owner. */
    static Role unexpected(Turn turn, @Nullable Session session, @Nullable OwnershipRecord seen) {
        if (seen != null && !seen.isOwnedBy(turn.self())) {
            return lostTo(turn, session, seen);
        }
        end(turn, session, "the record has moved on");
        turn.act(new OwnershipAction.Hold());
        return new GoingAlone(askOwn(turn, seen), null, false, false);
    }

    private static Inquiry askOwn(Turn turn, @Nullable OwnershipRecord seen) {
        if (seen == null) {
            turn.report("the arbiter has no record of a VM that runs here: asking for a new one");
            return Inquiry.change(turn, null, turn.alone(Term.NONE.next()));
        }
        return ask(turn, seen);
    }

    /** Another host takes over, or may do so: keeps the guest, paused, and finds out. */
    static Role lose(Turn turn, @Nullable Session session, String cause) {
        stand(turn, session, cause);
        return new Waiting(null, false, Inquiry.look(turn));
    }

    private static Role lostTo(Turn turn, @Nullable Session session, OwnershipRecord seen) {
        stand(turn, session, seen.toString());
        return judge(turn, null, false, seen);
    }

    private static void stand(Turn turn, @Nullable Session session, String cause) {
        turn.act(new Discard());
        turn.act(new PauseGuest());
        end(turn, session, cause);
        turn.report("the guest is kept paused and its output dropped: " + cause);
    }

    private static void end(Turn turn, @Nullable Session session, String cause) {
        if (session != null) {
            turn.act(new EndSession(session.term(), cause));
        }
    }

    /** The VM is dead here, and the record names the backup: it is told to take over. */
    static Role bequeath(Turn turn, Session session, String cause) {
        turn.act(new Discard());
        turn.act(new ReportGuestDead(session.term()));
        turn.report("QEMU died, the backup is to take over: " + cause);
        return new Gone(cause);
    }

    // ---- GOING_ALONE

    static Role goingAlone(Turn turn, GoingAlone state, PrimaryEvent event) {
        return switch (event) {
            case Answered(long ask, Arbiter.Outcome outcome) ->
                decided(turn, state, state.inquiry().answered(turn, ask, outcome));
            case RetryDue() -> with(state, state.inquiry().retry(turn), state.contact());
            case Acknowledged(Term _, EpochId epoch) -> {
                if (state.contact()) {
                    turn.act(new Release(epoch));
                }
                yield state;
            }
            case Reconnected(Term _, EpochId lastWhole) -> contact(turn, state, lastWhole);
            case BackupLost _ -> with(state, state.inquiry(), false);
            case WokeLate() -> {
                Session former = state.former();
                if (former != null) {
                    turn.act(new Reconnect(former.term()));
                }
                yield with(state, state.inquiry(), false);
            }
            case YieldRequested(Term _, String cause) -> lose(turn, state.former(), cause);
            case StopRequested(String cause) ->
                state.ending()
                        ? killed(turn, state.former(), cause)
                        : new GoingAlone(state.inquiry(), state.former(), state.contact(), true);
            case GuestDied(String cause) -> {
                Session former = state.former();
                yield former == null ? new Gone(cause) : bequeath(turn, former, cause);
            }
            case ProtectRequested _,
                    UnprotectRequested _,
                    FirstCheckpointPaused _,
                    ActivationOverdue _,
                    SessionOffered _ -> state;
        };
    }

    private static GoingAlone with(GoingAlone state, Inquiry inquiry, boolean contact) {
        return new GoingAlone(inquiry, state.former(), contact, state.ending());
    }

    private static Role decided(Turn turn, GoingAlone state, Finding finding) {
        return switch (finding) {
            case Finding.Pending(Inquiry inquiry) -> with(state, inquiry, state.contact());
            case Finding.NotNow(Inquiry inquiry) -> settle(with(state, inquiry, state.contact()));
            case Finding.Granted(OwnershipRecord granted) -> {
                if (state.ending()) {
                    yield killed(turn, state.former(), "ended in good order");
                }
                end(turn, state.former(), "this host goes on alone in term " + granted.term());
                // A daemon that was started anew may have found its guest in a pause.
                turn.act(new ResumeGuest());
                turn.act(new Flow());
                turn.report("goes on alone in term " + granted.term());
                yield new Alone(granted, false);
            }
            case Finding.Seen(OwnershipRecord seen) -> {
                if (seen != null && !seen.isOwnedBy(turn.self())) {
                    yield lostTo(turn, state.former(), seen);
                }
                end(turn, state.former(), "the record has moved on");
                yield new GoingAlone(askOwn(turn, seen), null, false, state.ending());
            }
        };
    }

    /** The backup's hello after it was lost: no request of its to activate was sent before, so what it holds may leave. */
    private static Role contact(Turn turn, GoingAlone state, EpochId lastWhole) {
        if (lastWhole.isAfter(EpochId.NONE)) {
            turn.act(new Release(lastWhole));
        }
        return settle(with(state, state.inquiry(), true));
    }

    /** With the backup back and no request that might still be granted, the VM is as protected as it was. */
    private static Role settle(GoingAlone state) {
        Session former = state.former();
        if (former == null
                || !state.contact()
                || state.ending()
                || !state.inquiry().isRefusedForNow()) {
            return state;
        }
        Inquiry.Change change = Invariant.present(state.inquiry().change(), "the change that was refused");
        return new Protected(Invariant.present(change.expected(), "the record of the session"), former);
    }

    private static Role killed(Turn turn, @Nullable Session session, String cause) {
        end(turn, session, cause);
        turn.act(new KillGuest());
        return new Gone(cause);
    }

    // ---- BEQUEATHING

    static Role bequeathing(Turn turn, Bequeathing state, PrimaryEvent event) {
        Session session = state.session();
        return switch (event) {
            case Answered(long ask, Arbiter.Outcome outcome) ->
                switch (state.inquiry().answered(turn, ask, outcome)) {
                    case Finding.Pending(Inquiry inquiry) -> new Bequeathing(inquiry, session);
                    case Finding.NotNow(Inquiry inquiry) -> new Bequeathing(inquiry, session);
                    case Finding.Granted _ -> bequeath(turn, session, "before the record named the backup");
                    case Finding.Seen(OwnershipRecord seen) -> {
                        end(turn, session, String.valueOf(seen));
                        yield new Gone("QEMU died, and the record does not name the backup: " + seen);
                    }
                };
            case RetryDue() -> new Bequeathing(state.inquiry().retry(turn), session);
            case StopRequested(String cause) -> {
                end(turn, session, cause);
                yield new Gone(cause);
            }
            case ProtectRequested _,
                    UnprotectRequested _,
                    ActivationOverdue _,
                    WokeLate _,
                    GuestDied _,
                    SessionOffered _,
                    OfSession _ -> state;
        };
    }

    // ---- WAITING

    static Role waiting(Turn turn, Waiting state, PrimaryEvent event) {
        return switch (event) {
            case Answered(long ask, Arbiter.Outcome outcome) ->
                switch (state.inquiry().answered(turn, ask, outcome)) {
                    case Finding.Pending(Inquiry inquiry) -> new Waiting(state.seen(), state.overdue(), inquiry);
                    case Finding.NotNow(Inquiry inquiry) -> new Waiting(state.seen(), state.overdue(), inquiry);
                    case Finding.Seen(OwnershipRecord seen) -> judge(turn, state.seen(), state.overdue(), seen);
                    case Finding.Granted(OwnershipRecord granted) -> {
                        turn.act(new ResumeGuest());
                        turn.act(new Flow());
                        turn.report("taken back, goes on alone in term " + granted.term());
                        yield new Alone(granted, false);
                    }
                };
            case RetryDue() ->
                new Waiting(state.seen(), state.overdue(), state.inquiry().retry(turn));
            case ActivationOverdue(Term term) -> {
                OwnershipRecord seen = state.seen();
                yield seen != null && seen.term().equals(term) ? new Waiting(seen, true, state.inquiry()) : state;
            }
            case StopRequested(String cause) -> killed(turn, null, cause);
            case GuestDied(String cause) -> new Gone(cause);
            case ProtectRequested _, UnprotectRequested _, WokeLate _, SessionOffered _, OfSession _ -> state;
        };
    }

    /**
     * @param before the record that was waited on, if any
     * @param overdue that one has stood for longer than the activation deadline
     */
    private static Role judge(
            Turn turn, @Nullable OwnershipRecord before, boolean overdue, @Nullable OwnershipRecord seen) {
        if (seen == null) {
            turn.report("the arbiter has no record of a VM that waits here");
            return new Waiting(null, false, Inquiry.lookLater(turn));
        }
        boolean mine = seen.isOwnedBy(turn.self());
        boolean mayComeBack = turn.self().equals(seen.formerOwner());
        if (mine && seen.phase() == Phase.ALONE) {
            return new Waiting(seen, false, ask(turn, seen));
        }
        if (!mine && !mayComeBack) {
            turn.report("the guest is ended here, the record says: " + seen);
            turn.act(new KillGuest());
            return new Gone(seen.toString());
        }
        // Another host is taking over, or is about to ask for it: it is given until the deadline.
        boolean known = seen.equals(before);
        if (known && overdue) {
            return new Waiting(seen, true, ask(turn, seen));
        }
        if (!known) {
            turn.act(new AwaitActivation(seen.term()));
        }
        return new Waiting(seen, false, Inquiry.lookLater(turn));
    }
}
