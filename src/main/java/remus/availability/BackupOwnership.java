package remus.availability;

import org.jspecify.annotations.Nullable;
import remus.availability.BackupEvent.Answered;
import remus.availability.BackupEvent.CheckpointWhole;
import remus.availability.BackupEvent.GuestDied;
import remus.availability.BackupEvent.ImageLost;
import remus.availability.BackupEvent.LoadFailed;
import remus.availability.BackupEvent.OfSession;
import remus.availability.BackupEvent.PrimaryLost;
import remus.availability.BackupEvent.PrimaryReturned;
import remus.availability.BackupEvent.RetryDue;
import remus.availability.BackupEvent.SessionBroken;
import remus.availability.BackupEvent.SessionOffered;
import remus.availability.BackupEvent.SignOffReceived;
import remus.availability.BackupEvent.StandbyRuns;
import remus.availability.BackupState.Activating;
import remus.availability.BackupState.Checking;
import remus.availability.BackupState.Confirming;
import remus.availability.BackupState.Dropped;
import remus.availability.BackupState.Receiving;
import remus.availability.BackupState.Requesting;
import remus.availability.BackupState.Role;
import remus.availability.BackupState.Session;
import remus.availability.BackupState.Standing;
import remus.availability.BackupState.Taken;
import remus.availability.Inquiry.Finding;
import remus.availability.OwnershipAction.AcceptSession;
import remus.availability.OwnershipAction.Acknowledge;
import remus.availability.OwnershipAction.AcknowledgeNoMore;
import remus.availability.OwnershipAction.AnswerSignedOff;
import remus.availability.OwnershipAction.BecomePrimary;
import remus.availability.OwnershipAction.Discard;
import remus.availability.OwnershipAction.DropImage;
import remus.availability.OwnershipAction.Flow;
import remus.availability.OwnershipAction.KillGuest;
import remus.availability.OwnershipAction.LoadStandby;
import remus.availability.OwnershipAction.RefuseSession;
import remus.availability.OwnershipAction.TellPrimaryActivating;
import remus.availability.OwnershipAction.Welcome;
import remus.availability.OwnershipRecord.Phase;
import remus.base.EpochId;
import remus.base.Term;

/**
 * Decides on the backup what it acknowledges, when it may activate and when the activated VM's output may leave: the
 * backup's side of ownership, as a pure function of state and event.
 *
 * <pre>
 * RECEIVING   CheckpointWhole (acknowledged)                    → STANDING
 *             SessionBroken | PrimaryLost | SignOffReceived | ImageLost → DROPPED
 * STANDING    CheckpointWhole (acknowledged), PrimaryReturned (welcomed)   (stays)
 *             PrimaryLost                                       → CHECKING: asks for the record
 *             SignOffReceived | ImageLost                       → DROPPED
 * CHECKING    as STANDING, and
 *             PrimaryReturned, unless by command                → STANDING
 *             the record is older than the session: not yet protected; keeps the image and looks again (stays)
 *             {protected} by this host in the session's term    → REQUESTING: from here on it acknowledges nothing,
 *                                                                 and asks for {activating}
 *             any other record                                  → DROPPED
 * REQUESTING  granted                                           → ACTIVATING (the standby is loaded)
 *             any other record                                  → DROPPED
 * ACTIVATING  StandbyRuns                                       → CONFIRMING: asks for {alone}
 *             LoadFailed: loads a fresh standby, and looks whether the record still is its own (stays)
 *             another host owns the VM again | ImageLost        → DROPPED
 * CONFIRMING  granted (all output leaves)                       → TAKEN
 *             another host owns the VM again                    → DROPPED (the guest is killed, nothing of it ever left)
 *             GuestDied                                         → ACTIVATING (ImageLost, where the guest ran in the image)
 * TAKEN       final: goes on as a primary in ALONE
 * DROPPED     final
 *
 * RECEIVING to ACTIVATING: SessionOffered under a term that no record of this session can reach any more → RECEIVING
 * </pre>
 *
 * <p>Invariants: it acknowledges in RECEIVING, STANDING and CHECKING only; never again once it has asked to activate, for
 * that request may be granted however long it takes. It activates only what is whole, and only by a record that it has
 * read. Nothing of an activated VM leaves before TAKEN, so until then the former owner may take it back. The image is kept
 * until the record proves that it is of no use.
 *
 * <p>Pure functions; whoever calls does all actions of a step before the next event, on the VM's agent thread.
 */
public final class BackupOwnership {
    private BackupOwnership() {}

    /** This host, which has nothing of the VM, is offered a session. */
    public static Step<BackupState> offered(Requests requests, Term session, HostId primary) {
        Turn turn = new Turn(requests);
        return step(turn, accept(turn, session, primary));
    }

    public static Step<BackupState> on(BackupState state, BackupEvent event) {
        Turn turn = new Turn(state.requests());
        return step(turn, next(turn, state.role(), event));
    }

    private static Step<BackupState> step(Turn turn, Role role) {
        return new Step<>(new BackupState(turn.requests(), role), turn.actions());
    }

    private static Role next(Turn turn, Role role, BackupEvent event) {
        Session session = role.session();
        if (event instanceof OfSession of && (session == null || !session.term().equals(of.session()))) {
            if (event instanceof PrimaryReturned(Term other)) {
                turn.act(new RefuseSession(other, "this host knows no such session"));
            }
            return role;
        }
        return switch (role) {
            case Receiving receiving -> receiving(turn, receiving, event);
            case Standing standing -> standing(turn, standing, event);
            case Checking checking -> checking(turn, checking, event);
            case Requesting requesting -> requesting(turn, requesting, event);
            case Activating activating -> activating(turn, activating, event);
            case Confirming confirming -> confirming(turn, confirming, event);
            case Taken taken -> taken;
            case Dropped dropped -> dropped;
        };
    }

    private static Role accept(Turn turn, Term session, HostId primary) {
        turn.act(new AcceptSession(session));
        return new Receiving(new Session(session, primary));
    }

    /**
     * Whoever offers a session has seen a record of its own, alone, in the term before; a session further on than all that
     * this host can have been granted proves that its image is of no use.
     */
    private static Role offer(Turn turn, Role state, Term reach, SessionOffered offered) {
        if (!offered.session().isAfter(reach)) {
            turn.act(new RefuseSession(
                    offered.session(), "term %s is not after %s".formatted(offered.session(), reach)));
            return state;
        }
        turn.act(new DropImage("a later session takes its place"));
        return accept(turn, offered.session(), offered.primary());
    }

    private static Role drop(Turn turn, String reason) {
        turn.act(new DropImage(reason));
        turn.report("not a backup any more: " + reason);
        return new Dropped(reason);
    }

    private static Role signedOff(Turn turn, Session session, String cause) {
        turn.act(new AnswerSignedOff(session.term()));
        return drop(turn, "signed off by the primary: " + cause);
    }

    private static Role receiving(Turn turn, Receiving state, BackupEvent event) {
        Session session = state.session();
        return switch (event) {
            case CheckpointWhole(Term term, EpochId epoch) -> {
                turn.act(new Acknowledge(term, epoch));
                yield new Standing(session, epoch);
            }
            case SignOffReceived(Term _, String cause) -> signedOff(turn, session, cause);
            case SessionBroken(Term _, String cause) -> drop(turn, cause);
            case PrimaryLost(String cause, boolean _) -> drop(turn, "no checkpoint was whole yet: " + cause);
            case ImageLost(String cause) -> drop(turn, cause);
            case SessionOffered(Term again, HostId primary)
            when again.equals(session.term()) ->
                // The primary had to connect anew before there was anything to lose.
                accept(turn, again, primary);
            case SessionOffered offered -> offer(turn, state, session.term(), offered);
            case PrimaryReturned _ -> {
                turn.act(new RefuseSession(session.term(), "no checkpoint was whole yet"));
                yield state;
            }
            case Answered _, RetryDue _, StandbyRuns _, LoadFailed _, GuestDied _ -> state;
        };
    }

    private static Role standing(Turn turn, Standing state, BackupEvent event) {
        Session session = state.session();
        return switch (event) {
            case CheckpointWhole(Term term, EpochId epoch) -> {
                turn.act(new Acknowledge(term, epoch));
                yield new Standing(session, epoch);
            }
            case PrimaryReturned(Term term) -> {
                turn.act(new Welcome(term, state.lastWhole()));
                yield state;
            }
            case PrimaryLost(String cause, boolean byCommand) -> {
                turn.report("asking to take over: " + cause);
                yield new Checking(session, state.lastWhole(), byCommand, false, Inquiry.look(turn));
            }
            case SignOffReceived(Term _, String cause) -> signedOff(turn, session, cause);
            case ImageLost(String cause) -> drop(turn, cause);
            case SessionOffered offered -> offer(turn, state, session.term(), offered);
            case Answered _, RetryDue _, SessionBroken _, StandbyRuns _, LoadFailed _, GuestDied _ -> state;
        };
    }

    private static Role checking(Turn turn, Checking state, BackupEvent event) {
        Session session = state.session();
        return switch (event) {
            case Answered(long ask, Arbiter.Outcome outcome) ->
                switch (state.inquiry().answered(turn, ask, outcome)) {
                    case Finding.Pending(Inquiry inquiry) -> checking(state, state.lastWhole(), inquiry);
                    case Finding.NotNow(Inquiry inquiry) -> checking(state, state.lastWhole(), inquiry);
                    case Finding.Granted(OwnershipRecord granted) -> judge(turn, state, granted);
                    case Finding.Seen(OwnershipRecord seen) -> judge(turn, state, seen);
                };
            case RetryDue() ->
                checking(state, state.lastWhole(), state.inquiry().retry(turn));
            case CheckpointWhole(Term term, EpochId epoch) -> {
                turn.act(new Acknowledge(term, epoch));
                yield checking(state, epoch, state.inquiry());
            }
            case PrimaryReturned(Term term) -> {
                turn.act(new Welcome(term, state.lastWhole()));
                yield state.byCommand() ? state : new Standing(session, state.lastWhole());
            }
            case PrimaryLost(String _, boolean byCommand) ->
                new Checking(
                        session, state.lastWhole(), state.byCommand() || byCommand, state.reported(), state.inquiry());
            case SignOffReceived(Term _, String cause) -> signedOff(turn, session, cause);
            case ImageLost(String cause) -> drop(turn, cause);
            case SessionOffered offered -> offer(turn, state, session.term(), offered);
            case SessionBroken _, StandbyRuns _, LoadFailed _, GuestDied _ -> state;
        };
    }

    private static Checking checking(Checking state, EpochId lastWhole, Inquiry inquiry) {
        return new Checking(state.session(), lastWhole, state.byCommand(), state.reported(), inquiry);
    }

    private static Role judge(Turn turn, Checking state, @Nullable OwnershipRecord seen) {
        Session session = state.session();
        if (seen == null || session.term().isAfter(seen.term())) {
            // The request that names this backup may still be under way, however long that takes.
            if (!state.reported()) {
                turn.report("can't take over yet, the arbiter does not name this backup: "
                        + (seen == null ? "no record" : seen));
            }
            return new Checking(session, state.lastWhole(), state.byCommand(), true, Inquiry.lookLater(turn));
        }
        if (!mayActivate(turn, session, seen)) {
            return drop(turn, seen.toString());
        }
        turn.act(new AcknowledgeNoMore(session.term()));
        OwnershipRecord next =
                OwnershipRecord.activating(seen.term().next(), turn.self(), session.primary(), turn.newRequest());
        return new Requesting(session, Inquiry.change(turn, seen, next));
    }

    private static boolean mayActivate(Turn turn, Session session, OwnershipRecord seen) {
        return seen.phase() == Phase.PROTECTED
                && turn.self().equals(seen.backup())
                && seen.term().equals(session.term());
    }

    private static Role requesting(Turn turn, Requesting state, BackupEvent event) {
        Session session = state.session();
        return switch (event) {
            case Answered(long ask, Arbiter.Outcome outcome) ->
                switch (state.inquiry().answered(turn, ask, outcome)) {
                    case Finding.Pending(Inquiry inquiry) -> new Requesting(session, inquiry);
                    case Finding.NotNow(Inquiry inquiry) -> new Requesting(session, inquiry);
                    case Finding.Seen(OwnershipRecord seen) -> drop(turn, String.valueOf(seen));
                    case Finding.Granted(OwnershipRecord granted) -> {
                        turn.act(new TellPrimaryActivating(session.term()));
                        turn.report("taking over in term " + granted.term());
                        turn.act(new LoadStandby());
                        yield new Activating(granted, session, null);
                    }
                };
            case RetryDue() -> new Requesting(session, state.inquiry().retry(turn));
            case PrimaryReturned _, SignOffReceived _ -> refuse(turn, state, session);
            case ImageLost(String cause) -> drop(turn, cause);
            // It has been granted nothing if the primary has seen a record of its own since.
            case SessionOffered offered -> offer(turn, state, session.term(), offered);
            case CheckpointWhole _, SessionBroken _, PrimaryLost _, StandbyRuns _, LoadFailed _, GuestDied _ -> state;
        };
    }

    /** A primary that comes back now must not go on as if its backup stood by. */
    private static Role refuse(Turn turn, Role state, Session session) {
        turn.act(new TellPrimaryActivating(session.term()));
        return state;
    }

    private static Role activating(Turn turn, Activating state, BackupEvent event) {
        OwnershipRecord record = state.record();
        Session session = state.session();
        Inquiry inquiry = state.inquiry();
        return switch (event) {
            case StandbyRuns() -> new Confirming(record, session, confirm(turn, record));
            case LoadFailed _ -> {
                turn.act(new LoadStandby());
                yield new Activating(record, session, Inquiry.look(turn));
            }
            case Answered(long ask, Arbiter.Outcome outcome) ->
                inquiry == null ? state : checked(turn, state, inquiry.answered(turn, ask, outcome));
            case RetryDue() -> inquiry == null ? state : new Activating(record, session, inquiry.retry(turn));
            case PrimaryReturned _, SignOffReceived _ -> refuse(turn, state, session);
            case ImageLost(String cause) -> drop(turn, cause);
            case SessionOffered offered -> offer(turn, state, record.term().next(), offered);
            case CheckpointWhole _, SessionBroken _, PrimaryLost _, GuestDied _ -> state;
        };
    }

    private static Inquiry confirm(Turn turn, OwnershipRecord record) {
        return Inquiry.change(turn, record, turn.alone(record.term().next()));
    }

    private static Role checked(Turn turn, Activating state, Finding finding) {
        return switch (finding) {
            case Finding.Pending(Inquiry inquiry) -> new Activating(state.record(), state.session(), inquiry);
            case Finding.NotNow(Inquiry inquiry) -> new Activating(state.record(), state.session(), inquiry);
            case Finding.Granted _ -> new Activating(state.record(), state.session(), null);
            case Finding.Seen(OwnershipRecord seen) ->
                seen == null || seen.isOwnedBy(turn.self())
                        ? new Activating(state.record(), state.session(), null)
                        : drop(turn, "taken back: " + seen);
        };
    }

    private static Role confirming(Turn turn, Confirming state, BackupEvent event) {
        OwnershipRecord record = state.record();
        Session session = state.session();
        return switch (event) {
            case Answered(long ask, Arbiter.Outcome outcome) ->
                confirmed(turn, state, state.inquiry().answered(turn, ask, outcome));
            case RetryDue() -> new Confirming(record, session, state.inquiry().retry(turn));
            case GuestDied(String cause) -> {
                turn.report("QEMU died before anything of it had left, trying again with a fresh one: " + cause);
                turn.act(new Discard());
                turn.act(new LoadStandby());
                yield new Activating(record, session, Inquiry.look(turn));
            }
            case PrimaryReturned _, SignOffReceived _ -> refuse(turn, state, session);
            case SessionOffered(Term offered, HostId _) -> {
                turn.act(new RefuseSession(offered, "this host has the VM itself"));
                yield state;
            }
            case CheckpointWhole _, SessionBroken _, PrimaryLost _, ImageLost _, StandbyRuns _, LoadFailed _ -> state;
        };
    }

    private static Role confirmed(Turn turn, Confirming state, Finding finding) {
        return switch (finding) {
            case Finding.Pending(Inquiry inquiry) -> new Confirming(state.record(), state.session(), inquiry);
            case Finding.NotNow(Inquiry inquiry) -> new Confirming(state.record(), state.session(), inquiry);
            case Finding.Granted(OwnershipRecord granted) -> {
                turn.act(new Flow());
                turn.act(new DropImage("the VM runs here"));
                turn.act(new BecomePrimary(new PrimaryState(turn.requests(), new PrimaryState.Alone(granted, false))));
                turn.report("runs the VM alone in term " + granted.term());
                yield new Taken(granted);
            }
            case Finding.Seen(OwnershipRecord seen) -> {
                if (seen != null && seen.isOwnedBy(turn.self())) {
                    // An earlier request of this activation has landed after all: confirmed once more, under its own
                    // id.
                    yield new Confirming(seen, state.session(), confirm(turn, seen));
                }
                turn.act(new Discard());
                turn.act(new KillGuest());
                yield drop(turn, "taken back: " + seen);
            }
        };
    }
}
