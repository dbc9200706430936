package remus.availability;

import org.jspecify.annotations.Nullable;
import remus.availability.Inquiry.Finding;
import remus.availability.OwnershipAction.BootGuest;
import remus.availability.OwnershipAction.EndSession;
import remus.availability.OwnershipAction.Flow;
import remus.availability.OwnershipAction.Hold;
import remus.availability.OwnershipAction.KillGuest;
import remus.availability.OwnershipAction.Reconnect;
import remus.availability.OwnershipAction.RefuseSession;
import remus.availability.OwnershipAction.Release;
import remus.availability.OwnershipAction.SignOff;
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
import remus.availability.PrimaryState.Claiming;
import remus.availability.PrimaryState.Entering;
import remus.availability.PrimaryState.GoingAlone;
import remus.availability.PrimaryState.Gone;
import remus.availability.PrimaryState.Joining;
import remus.availability.PrimaryState.Leaving;
import remus.availability.PrimaryState.Opening;
import remus.availability.PrimaryState.Protected;
import remus.availability.PrimaryState.Role;
import remus.availability.PrimaryState.Session;
import remus.availability.PrimaryState.Synchronizing;
import remus.availability.PrimaryState.Waiting;
import remus.availability.PrimaryState.Woken;
import remus.base.EpochId;
import remus.base.Term;

/**
 * Decides on the host that has a VM whether its output may leave and whether it may go on running: the primary's side of
 * ownership, as a pure function of state and event.
 *
 * <pre>
 * CLAIMING       the record is absent, or says that this host is alone, or force: asks for {alone}
 *                granted                                        → ALONE (the guest is booted)
 *                another host has the VM                        → GONE
 * ALONE          ProtectRequested                               → OPENING
 * OPENING        the record is confirmed, or renewed where its next term was spent
 *                                                               → SYNCHRONIZING (session = the record's next term)
 *                UnprotectRequested                             → ALONE
 * SYNCHRONIZING  FirstCheckpointPaused (output is held)         → JOINING
 *                BackupLost | UnprotectRequested                → ALONE, its next term spent
 * JOINING        Acknowledged | Reconnected                     → ENTERING: asks for {protected}
 *                BackupLost | UnprotectRequested                → GOING_ALONE
 * ENTERING       granted (what is acknowledged is released)     → PROTECTED, or WOKEN after WokeLate
 *                BackupLost | UnprotectRequested, or the record has moved on but is still its own
 *                                                               → GOING_ALONE: supersedes the request
 *                GuestDied                                      → BEQUEATHING
 * PROTECTED      Acknowledged | Reconnected: released             (stays)
 *                BackupLost                                     → GOING_ALONE
 *                WokeLate                                       → WOKEN: asks for the record and a fresh hello
 *                UnprotectRequested | StopRequested             → LEAVING
 *                GuestDied (the backup is told)                 → GONE
 * WOKEN          the record is unchanged | Reconnected          → PROTECTED
 *                BackupLost, or the record has moved on but is still its own → GOING_ALONE
 * LEAVING        the arbiter answers: the backup is signed off    (stays)
 *                the arbiter can't be asked                     → PROTECTED
 *                BackupLost: signed off, or no answer to that   → GOING_ALONE
 * GOING_ALONE    asks for {alone} on whichever record is its own
 *                granted (all output leaves)                    → ALONE, or GONE where the VM is to end
 *                Reconnected: what is acknowledged is released    (stays)
 *                Reconnected, and the request certainly was not granted → PROTECTED
 * BEQUEATHING    granted (the backup is told) | refused         → GONE
 * WAITING        the record is its own: asks for {alone}; if it is {protected}, not before the activation deadline
 *                {activating} from this host, older than the activation deadline: asks for {alone}
 *                granted (the guest goes on)                    → ALONE
 *                another host is {alone} or further             → GONE (the guest is killed)
 * GONE           final
 *
 * any state that asks, or is WOKEN or PROTECTED: the record names another owner, or YieldRequested
 *                                                               → WAITING (output discarded, guest paused)
 * any state but those that say otherwise: GuestDied             → GONE; StopRequested → GONE (the guest is killed)
 * </pre>
 *
 * <p>Invariants: output flows in ALONE, OPENING and SYNCHRONIZING only, and from the pause of the first full checkpoint on
 * not before a new {@code alone} was granted; it leaves by commits in PROTECTED, LEAVING and, after a fresh hello,
 * GOING_ALONE only. Nothing is decided by a clock: timers only say when to ask. A state without a guest never asks for
 * {@code alone}, CLAIMING excepted, which an operator began.
 *
 * <p>Pure functions; whoever calls does all actions of a step before the next event, on the VM's agent thread.
 */
public final class PrimaryOwnership {
    private PrimaryOwnership() {}

    /**
     * The VM is to be started on this host.
     *
     * @param force an operator vouches that no other host runs the VM, whatever the record says
     */
    public static Step<PrimaryState> start(Requests requests, boolean force) {
        Turn turn = new Turn(requests);
        return step(turn, new Claiming(Inquiry.look(turn), force));
    }

    /** The daemon was started anew and found the VM running: nothing leaves before the record is renewed. */
    public static Step<PrimaryState> restarted(Requests requests) {
        Turn turn = new Turn(requests);
        turn.act(new Hold());
        return step(turn, new GoingAlone(Inquiry.look(turn), null, false, false));
    }

    public static Step<PrimaryState> on(PrimaryState state, PrimaryEvent event) {
        Turn turn = new Turn(state.requests());
        return step(turn, next(turn, state.role(), event));
    }

    private static Step<PrimaryState> step(Turn turn, Role role) {
        return new Step<>(new PrimaryState(turn.requests(), role), turn.actions());
    }

    private static Role next(Turn turn, Role role, PrimaryEvent event) {
        if (event instanceof OfSession of && !isSession(role.session(), of.session())) {
            return role; // left over from a session that has ended
        }
        if (event instanceof SessionOffered(Term session)) {
            if (!(role instanceof Gone)) {
                turn.act(new RefuseSession(session, "this host has the VM itself"));
            }
            return role;
        }
        return switch (role) {
            case Claiming claiming -> claiming(turn, claiming, event);
            case Alone alone -> alone(turn, alone, event);
            case Opening opening -> ProtectionEntry.opening(turn, opening, event);
            case Synchronizing synchronizing -> ProtectionEntry.synchronizing(turn, synchronizing, event);
            case Joining joining -> ProtectionEntry.joining(turn, joining, event);
            case Entering entering -> ProtectionEntry.entering(turn, entering, event);
            case Protected running -> guarded(turn, running, event);
            case Woken woken -> woken(turn, woken, event);
            case Leaving leaving -> leaving(turn, leaving, event);
            case GoingAlone going -> OwnershipContest.goingAlone(turn, going, event);
            case Bequeathing bequeathing -> OwnershipContest.bequeathing(turn, bequeathing, event);
            case Waiting waiting -> OwnershipContest.waiting(turn, waiting, event);
            case Gone gone -> gone;
        };
    }

    private static boolean isSession(@Nullable Session current, Term term) {
        return current != null && current.term().equals(term);
    }

    private static Role claiming(Turn turn, Claiming state, PrimaryEvent event) {
        return switch (event) {
            case Answered(long ask, Arbiter.Outcome outcome) ->
                switch (state.inquiry().answered(turn, ask, outcome)) {
                    case Finding.Pending(Inquiry inquiry) -> new Claiming(inquiry, state.force());
                    case Finding.NotNow(Inquiry inquiry) -> new Claiming(inquiry, state.force());
                    case Finding.Seen(OwnershipRecord seen) -> claim(turn, state, seen);
                    case Finding.Granted(OwnershipRecord granted) -> {
                        turn.act(new BootGuest());
                        turn.act(new Flow());
                        yield new Alone(granted, false);
                    }
                };
            case RetryDue() -> new Claiming(state.inquiry().retry(turn), state.force());
            case StopRequested(String cause) -> new Gone(cause);
            case GuestDied(String cause) -> new Gone(cause);
            case ProtectRequested _,
                    UnprotectRequested _,
                    ActivationOverdue _,
                    WokeLate _,
                    SessionOffered _,
                    OfSession _ -> state;
        };
    }

    private static Role claim(Turn turn, Claiming state, @Nullable OwnershipRecord seen) {
        if (seen == null) {
            return new Claiming(Inquiry.change(turn, null, turn.alone(Term.NONE.next())), false);
        }
        boolean wasAloneHere = seen.isOwnedBy(turn.self()) && seen.phase() == OwnershipRecord.Phase.ALONE;
        if (wasAloneHere || state.force()) {
            // Force holds for the record that the operator saw or could see, not for one made since.
            return new Claiming(
                    Inquiry.change(turn, seen, turn.alone(seen.term().next())), false);
        }
        String reason = "the arbiter's record says: " + seen;
        turn.report("not started: " + reason);
        return new Gone(reason);
    }

    private static Role alone(Turn turn, Alone state, PrimaryEvent event) {
        return switch (event) {
            case ProtectRequested(HostId backup) ->
                new Opening(
                        state.record(),
                        state.spent(),
                        backup,
                        state.spent() ? renew(turn, state.record()) : Inquiry.look(turn));
            case StopRequested(String cause) -> kill(turn, cause);
            case GuestDied(String cause) -> new Gone(cause);
            case Answered _,
                    RetryDue _,
                    UnprotectRequested _,
                    ActivationOverdue _,
                    WokeLate _,
                    SessionOffered _,
                    OfSession _ -> state;
        };
    }

    static Inquiry renew(Turn turn, OwnershipRecord record) {
        return Inquiry.change(turn, record, turn.alone(record.term().next()));
    }

    static Role kill(Turn turn, String cause) {
        turn.act(new KillGuest());
        return new Gone(cause);
    }

    static Role ask(Turn turn, OwnershipRecord record, Session session, EpochId acknowledged) {
        turn.report("this host was not running for longer than the detection time: asking before anything leaves");
        turn.act(new Reconnect(session.term()));
        return new Woken(record, session, acknowledged, Inquiry.look(turn));
    }

    private static Role guarded(Turn turn, Protected state, PrimaryEvent event) {
        return switch (event) {
            case Acknowledged(Term _, EpochId epoch) -> released(turn, state, epoch);
            case Reconnected(Term _, EpochId lastWhole) -> released(turn, state, lastWhole);
            case BackupLost(Term _, String cause) ->
                OwnershipContest.goAlone(turn, state.record(), state.session(), cause, false);
            case WokeLate() -> ask(turn, state.record(), state.session(), EpochId.NONE);
            case UnprotectRequested _ -> new Leaving(state.record(), state.session(), false, Inquiry.look(turn));
            case StopRequested _ -> signOff(turn, state.record(), state.session(), true);
            case YieldRequested(Term _, String cause) -> OwnershipContest.lose(turn, state.session(), cause);
            case GuestDied(String cause) -> OwnershipContest.bequeath(turn, state.session(), cause);
            case Answered _,
                    RetryDue _,
                    ProtectRequested _,
                    FirstCheckpointPaused _,
                    ActivationOverdue _,
                    SessionOffered _ -> state;
        };
    }

    private static Role released(Turn turn, Role state, EpochId whole) {
        if (whole.isAfter(EpochId.NONE)) {
            turn.act(new Release(whole));
        }
        return state;
    }

    private static Role signOff(Turn turn, OwnershipRecord record, Session session, boolean ending) {
        turn.act(new SignOff(session.term()));
        return new Leaving(record, session, ending, null);
    }

    private static Role woken(Turn turn, Woken state, PrimaryEvent event) {
        Session session = state.session();
        return switch (event) {
            case Answered(long ask, Arbiter.Outcome outcome) ->
                switch (state.inquiry().answered(turn, ask, outcome)) {
                    case Finding.Pending(Inquiry inquiry) ->
                        new Woken(state.record(), session, state.acknowledged(), inquiry);
                    case Finding.NotNow(Inquiry inquiry) ->
                        new Woken(state.record(), session, state.acknowledged(), inquiry);
                    case Finding.Granted(OwnershipRecord granted) -> stillProtected(turn, state, granted);
                    case Finding.Seen(OwnershipRecord seen) -> stillProtected(turn, state, seen);
                };
            case RetryDue() ->
                new Woken(
                        state.record(),
                        session,
                        state.acknowledged(),
                        state.inquiry().retry(turn));
            case Acknowledged(Term _, EpochId epoch) ->
                epoch.isAfter(state.acknowledged())
                        ? new Woken(state.record(), session, epoch, state.inquiry())
                        : state;
            case Reconnected(Term _, EpochId lastWhole) ->
                released(turn, new Protected(state.record(), session), lastWhole);
            case WokeLate() -> ask(turn, state.record(), session, state.acknowledged());
            case BackupLost(Term _, String cause) ->
                OwnershipContest.goAlone(turn, state.record(), session, cause, false);
            case UnprotectRequested(String cause) ->
                OwnershipContest.goAlone(turn, state.record(), session, cause, false);
            case StopRequested _ -> signOff(turn, state.record(), session, true);
            case YieldRequested(Term _, String cause) -> OwnershipContest.lose(turn, session, cause);
            case GuestDied(String cause) -> OwnershipContest.bequeath(turn, session, cause);
            case ProtectRequested _, FirstCheckpointPaused _, ActivationOverdue _, SessionOffered _ -> state;
        };
    }

    private static Role stillProtected(Turn turn, Woken state, @Nullable OwnershipRecord seen) {
        return state.record().equals(seen)
                ? released(turn, new Protected(state.record(), state.session()), state.acknowledged())
                : OwnershipContest.unexpected(turn, state.session(), seen);
    }

    private static Role leaving(Turn turn, Leaving state, PrimaryEvent event) {
        Session session = state.session();
        Inquiry inquiry = state.inquiry();
        return switch (event) {
            case Answered(long ask, Arbiter.Outcome outcome) ->
                inquiry == null ? state : arbiterTried(turn, state, inquiry.answered(turn, ask, outcome));
            case Acknowledged(Term _, EpochId epoch) -> released(turn, state, epoch);
            case Reconnected(Term _, EpochId lastWhole) -> released(turn, state, lastWhole);
            case BackupLost(Term _, String cause) ->
                OwnershipContest.goAlone(turn, state.record(), session, cause, state.ending());
            case WokeLate() -> {
                // A hello from before may lie in the socket; what it lets leave would pull the MAC address back.
                turn.act(new Reconnect(session.term()));
                yield OwnershipContest.goAlone(
                        turn, state.record(), session, "woke late while protection was being ended", state.ending());
            }
            case StopRequested(String cause) -> {
                if (state.ending()) {
                    turn.act(new EndSession(session.term(), cause));
                    yield kill(turn, cause);
                }
                yield inquiry == null
                        ? new Leaving(state.record(), session, true, null)
                        : signOff(turn, state.record(), session, true);
            }
            case YieldRequested(Term _, String cause) -> OwnershipContest.lose(turn, session, cause);
            case GuestDied(String cause) -> OwnershipContest.bequeath(turn, session, cause);
            case RetryDue _,
                    ProtectRequested _,
                    UnprotectRequested _,
                    FirstCheckpointPaused _,
                    ActivationOverdue _,
                    SessionOffered _ -> state;
        };
    }

    private static Role arbiterTried(Turn turn, Leaving state, Finding finding) {
        return switch (finding) {
            case Finding.Pending(Inquiry inquiry)
            when !inquiry.isResting() -> new Leaving(state.record(), state.session(), state.ending(), inquiry);
            case Finding.Pending _, Finding.NotNow _, Finding.Granted _ -> {
                // Without its backup the VM would have to hold its output until the arbiter is back.
                turn.report("protection goes on, for the arbiter can't be asked now: try again");
                yield new Protected(state.record(), state.session());
            }
            case Finding.Seen(OwnershipRecord seen) ->
                state.record().equals(seen)
                        ? signOff(turn, state.record(), state.session(), state.ending())
                        : OwnershipContest.unexpected(turn, state.session(), seen);
        };
    }
}
