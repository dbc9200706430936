package remus.simulation;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.availability.OwnershipAction;
import remus.availability.OwnershipAgent;
import remus.availability.PrimaryEvent;
import remus.availability.PrimaryState;
import remus.availability.Step;
import remus.availability.WakeGuard;
import remus.base.EpochId;
import remus.base.Term;
import remus.simulation.Connection.End;
import remus.wire.Refusal;

/**
 * A VM on a host that runs it, or is about to: its QEMU, its output, its session, and the real ownership of it, whose
 * actions are done here. A thin glue: what it decides by itself is only when something counts as lost.
 */
final class PrimarySide {
    private static final long HANG_NANOS = 200 * Scheduler.MILLISECOND;
    private static final long LAST_WORD_NANOS = 600 * Scheduler.MILLISECOND;
    private static final long PROTECT_PAUSE_NANOS = 40 * Scheduler.MILLISECOND;

    private final Daemon daemon;
    private final World world;
    private final Scheduler scheduler;
    private final Guest guest;
    private final GuestOutput output;
    private final Qmp qmp;
    private final Deque<byte[]> withheld = new ArrayDeque<>();
    private final WakeGuard wakeGuard;
    private @Nullable OwnershipAgent<PrimaryState, PrimaryEvent> ownership;
    private @Nullable Protection session;
    private @Nullable End offering;
    private int agents;
    private long nextInput = 1;
    private boolean inputWithheld;
    private boolean deathReported;
    private boolean abandoned;
    private boolean unprotected;
    private long hungSinceNanos = Long.MAX_VALUE;
    private long goneSinceNanos = Long.MAX_VALUE;
    private long protectAtNanos;

    PrimarySide(Daemon daemon, Guest guest) {
        this.daemon = daemon;
        this.guest = guest;
        world = daemon.world();
        scheduler = world.scheduler();
        wakeGuard = new WakeGuard(world.timing().detectNanos(), scheduler.nanos());
        output = new GuestOutput(this);
        qmp = new Qmp(this);
        guest.observe(null, daemon);
    }

    /** The guest runs already, under the eyes of a daemon that has gone; what it had in its socket has gone, too. */
    void adopt() {
        guest.forgetSockets();
    }

    void begin(Step<PrimaryState> first) {
        if (guest.hasRun()) {
            daemon.machine().own(guest);
        }
        restate(first);
        afterStep();
    }

    /** Ownership goes on from another state, whatever it was before; of that nothing is heard any more. */
    void restate(Step<PrimaryState> step) {
        agents++;
        int current = agents;
        OwnershipAgent<PrimaryState, PrimaryEvent> agent = OwnershipAgent.ofPrimary(
                World.VM,
                daemon.arbiter(),
                task -> daemon.post(() -> {
                    if (current == agents) {
                        task.run();
                        afterStep();
                    }
                }),
                scheduler,
                world.timing().pauses(),
                action -> {
                    if (current == agents) {
                        act(action);
                    }
                });
        ownership = agent;
        agent.begin(step);
    }

    OwnershipAgent<PrimaryState, PrimaryEvent> ownership() {
        OwnershipAgent<PrimaryState, PrimaryEvent> present = ownership;
        if (present == null) {
            throw new IllegalStateException("ownership has not begun");
        }
        return present;
    }

    PrimaryState.@Nullable Role role() {
        return ownership == null ? null : ownership.state().role();
    }

    Daemon daemon() {
        return daemon;
    }

    Guest guest() {
        return guest;
    }

    GuestOutput output() {
        return output;
    }

    Qmp qmp() {
        return qmp;
    }

    @Nullable
    Protection session() {
        return session;
    }

    boolean isGone() {
        return role() instanceof PrimaryState.Gone;
    }

    void on(PrimaryEvent event) {
        PrimaryEvent altered = world.sabotage().primaryEvent(this, event);
        if (ownership != null && altered != null) {
            ownership.on(altered);
            afterStep();
        }
    }

    private void afterStep() {
        world.sabotage().afterStep(this);
        if (isGone() && goneSinceNanos == Long.MAX_VALUE) {
            goneSinceNanos = scheduler.nanos();
            daemon.note("has the VM no more: %s", role());
        }
        daemon.wake();
    }

    /** The daemon dies. */
    void abandon() {
        abandoned = true;
        guest.observe(null, null);
        Protection present = session;
        session = null;
        if (present != null) {
            present.end();
        }
        output.close();
    }

    // ---- turns

    /** A host that has slept asks before anything leaves. */
    void beforeAnythingElse() {
        if (wakeGuard.wokeLate(scheduler.nanos()) && ownership != null) {
            daemon.note("woke late");
            on(new PrimaryEvent.WokeLate());
        }
    }

    long tick() {
        if (ownership == null) {
            return Long.MAX_VALUE;
        }
        long now = scheduler.nanos();
        long wait = ownership.tick(now);
        afterStep();
        watchGuest(now);
        Protection present = session;
        if (present != null) {
            wait = Math.min(wait, present.tick());
        }
        if (!abandoned) {
            output.move();
        }
        if (role() instanceof PrimaryState.Alone && now >= protectAtNanos && !unprotected) {
            protectAtNanos = now + scheduler.span(PROTECT_PAUSE_NANOS, 4 * PROTECT_PAUSE_NANOS);
            protectAgain();
        }
        boolean lastWordSaid = session == null || now - goneSinceNanos > LAST_WORD_NANOS;
        if (goneSinceNanos != Long.MAX_VALUE && lastWordSaid) {
            daemon.primaryEnded(this);
            abandon();
        }
        return wait;
    }

    /** Not in the last pause of the session before: what QEMU still answers would be taken for the next one's. */
    private void protectAgain() {
        Machine peer = world.peerOf(daemon.machine());
        if (!qmp.isPausing() && world.canConnect(daemon.machine(), peer)) {
            on(new PrimaryEvent.ProtectRequested(peer.name()));
        }
    }

    /** An operator wants no backup for a while. */
    void unprotect(boolean stays) {
        unprotected = stays;
        on(new PrimaryEvent.UnprotectRequested("operator"));
    }

    void mayBeProtected() {
        unprotected = false;
    }

    private void watchGuest(long now) {
        if (guest.isHung() && !guest.isDead()) {
            hungSinceNanos = Math.min(hungSinceNanos, now);
            if (now - hungSinceNanos > HANG_NANOS) {
                daemon.note("kills QEMU, which hangs");
                guest.die();
            }
        }
        if (guest.isDead() && !deathReported) {
            deathReported = true;
            if (session != null) {
                session.endEngine();
            }
            on(new PrimaryEvent.GuestDied("QEMU is dead"));
        }
    }

    // ---- frames

    /** A frame for the guest comes in by the TAP. */
    void input(byte[] frame) {
        if (inputWithheld) {
            withheld.add(frame);
        } else {
            give(frame);
        }
    }

    void give(byte[] frame) {
        if (!guest.input(new Guest.Input(nextInput, frame))) {
            return;
        }
        Protection present = session;
        if (present != null) {
            present.channel().mirrorInbound(nextInput, MemorySegment.ofArray(frame), 0, frame.length);
        }
        nextInput++;
    }

    void withholdInput(boolean on) {
        inputWithheld = on;
        while (!on && !withheld.isEmpty()) {
            give(withheld.remove());
        }
    }

    long firstInputNotRead() {
        Long unread = guest.firstUnread();
        return unread == null ? nextInput : unread;
    }

    // ---- what the ownership wants

    private void act(OwnershipAction action) {
        if (abandoned) {
            return;
        }
        for (OwnershipAction altered : world.sabotage().primaryActions(this, action)) {
            perform(altered);
        }
    }

    void perform(OwnershipAction action) {
        switch (action) {
            case OwnershipAction.Hold() -> output.hold();
            case OwnershipAction.Release(EpochId upTo) -> output.allow(upTo);
            case OwnershipAction.Flow() -> output.flow(List.of());
            case OwnershipAction.Discard() -> output.discard();
            case OwnershipAction.BootGuest() -> {
                daemon.machine().own(guest);
                guest.run();
            }
            case OwnershipAction.PauseGuest() -> qmp.pause(true);
            case OwnershipAction.ResumeGuest() -> qmp.pause(false);
            case OwnershipAction.KillGuest() -> kill();
            case OwnershipAction.StartSession(Term term, var backup) -> startSession(term);
            case OwnershipAction.EndSession(Term term, String reason) -> endSession();
            case OwnershipAction.SignOff(Term term) -> withSession(Protection::signOff);
            case OwnershipAction.Reconnect(Term term) -> withSession(Protection::reconnect);
            case OwnershipAction.ReportGuestDead(Term term) ->
                withSession(of -> of.channel().reportGuestDead("QEMU is dead"));
            case OwnershipAction.RefuseSession(Term term, String reason) -> {
                End to = offering;
                if (to != null) {
                    Wire.refuse(to, term, Refusal.Code.NAME_IN_USE, reason);
                }
            }
            case OwnershipAction.Report(String reason) -> daemon.note("reports: %s", reason);
            default -> throw new Violation(Rule.CODE, "a primary is asked for " + action, null);
        }
    }

    private void withSession(Consumer<? super Protection> action) {
        if (session != null) {
            action.accept(session);
        }
    }

    void kill() {
        daemon.note("kills its QEMU");
        deathReported = true;
        guest.die();
    }

    private void startSession(Term term) {
        world.noteSession(term, daemon);
        output.forbid();
        Protection begun = new Protection(this, term, world.peerOf(daemon.machine()));
        session = begun;
        begun.begin();
    }

    private void endSession() {
        Protection present = session;
        session = null;
        if (present != null) {
            present.end();
        }
    }

    // ---- others

    /** Another host offers a session for the VM that is here. */
    void offered(End end, Term term) {
        if (isGone()) {
            daemon.primaryEnded(this);
            abandon();
            end.readBy(ignored -> {});
            end.close(); // it tries again
            return;
        }
        offering = end;
        on(new PrimaryEvent.SessionOffered(term));
        offering = null;
    }
}
