package remus.simulation;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;
import remus.availability.OwnershipAction;
import remus.availability.OwnershipAgent;
import remus.availability.OwnershipRecord;
import remus.availability.PrimaryEvent;
import remus.availability.PrimaryState;
import remus.availability.Step;
import remus.availability.WakeGuard;
import remus.base.EpochId;
import remus.base.Term;
import remus.checkpoint.GuestControl;
import remus.checkpoint.OutputBuffer;
import remus.simulation.Connection.End;
import remus.wire.Refusal;

/**
 * A VM on a host that runs it, or is about to: its QEMU, its output, its session, and the real ownership of it, whose
 * actions are done here. A thin glue: what it decides by itself is only when something counts as lost.
 */
final class PrimarySide implements GuestControl {
    static final int OUTPUT_BYTES = 200_000;

    private static final long HANG_NANOS = 200 * Scheduler.MILLISECOND;
    private static final long LAST_WORD_NANOS = 600 * Scheduler.MILLISECOND;
    private static final long PROTECT_PAUSE_NANOS = 40 * Scheduler.MILLISECOND;

    private final Daemon daemon;
    private final World world;
    private final Scheduler scheduler;
    private final Guest guest;
    private final OutputBuffer output = new OutputBuffer(OUTPUT_BYTES);
    private final Deque<byte[]> withheld = new ArrayDeque<>();
    private final WakeGuard wakeGuard;
    private @Nullable OwnershipAgent<PrimaryState, PrimaryEvent> ownership;
    private @Nullable Protection session;
    private @Nullable End offering;
    private int agents;
    private EpochId allowed = EpochId.NONE;
    private long nextInput = 1;
    private boolean inputWithheld;
    private boolean staysPaused;
    private boolean busy;
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
        guest.observe(null, daemon);
    }

    /** The guest runs already, under the eyes of a daemon that has gone; what it had in its socket has gone, too. */
    void adopt() {
        guest.forgetOutput();
    }

    void begin(Step<PrimaryState> first) {
        daemon.machine().own(guest);
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

    OutputBuffer output() {
        return output;
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
            moveOutput();
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

    private void protectAgain() {
        Machine peer = world.peerOf(daemon.machine());
        if (world.canConnect(daemon.machine(), peer)) {
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

    /** Empties the NIC's socket: frames leave or are held. */
    void moveOutput() {
        for (Packet packet = guest.output(); packet != null; packet = guest.output()) {
            if (output.rule() == OutputBuffer.Rule.FLOW) {
                flows(packet);
            } else {
                byte[] bytes = packet.bytes();
                output.offer(MemorySegment.ofArray(bytes), 0, bytes.length);
            }
        }
    }

    private void flows(Packet packet) {
        OwnershipRecord record = world.arbiter().record();
        Violation.unless(
                record != null && record.isOwnedBy(daemon.name()) && record.phase() == OwnershipRecord.Phase.ALONE,
                Rule.R2,
                "frame %d flows from %s, and the record says: %s",
                packet.number(),
                daemon.name(),
                record);
        leaves(packet);
    }

    private void leaves(Packet packet) {
        world.history().left(daemon.name().name(), packet.number());
        daemon.machine().output(packet);
    }

    boolean mayRelease(Protection by, EpochId epoch) {
        return by == session && !epoch.isAfter(allowed);
    }

    /** The output up to {@code epoch} leaves by a commit. */
    void release(Protection by, EpochId epoch) {
        output.release(epoch, (memory, offset, length) -> {
            Packet packet = Packet.of(memory, offset, length);
            Violation.unless(
                    world.seals().wasWhole(by.term(), epoch),
                    Rule.R2,
                    "frame %d leaves %s by the commit of epoch %s of session %s, which was never whole",
                    packet.number(),
                    daemon.name(),
                    epoch,
                    by.term());
            Violation.unless(
                    world.arbiter().hasProtected(by.term()),
                    Rule.R2,
                    "frame %d leaves %s by a commit of session %s, which the record never named",
                    packet.number(),
                    daemon.name(),
                    by.term());
            checkGuarded();
            Seal seal = world.seals().find(by.term(), epoch);
            Violation.unless(
                    seal == null || world.history().contains(seal.lastFrame(), packet.number()),
                    Rule.R2,
                    "frame %d leaves by the commit of epoch %s, in which it was not sent",
                    packet.number(),
                    epoch);
            leaves(packet);
        });
    }

    /** Who takes its VM for protected must be right: somebody could take it over. */
    private void checkGuarded() {
        OwnershipRecord record = world.arbiter().record();
        if (role() instanceof PrimaryState.Protected running && record != null && record.isOwnedBy(daemon.name())) {
            Violation.unless(
                    record.equals(running.record()),
                    Rule.GUARD,
                    "%s takes itself for protected by the record of %s, which is: %s",
                    daemon.name(),
                    running.record(),
                    record);
        }
    }

    /** Frames that the former primary may or may not have sent leave, then all that is held, then all that comes. */
    void flow(Iterable<Packet> again) {
        world.checkTakesOver(daemon, guest);
        again.forEach(this::flows);
        output.flow((memory, offset, length) -> flows(Packet.of(memory, offset, length)));
        daemon.note("output flows");
    }

    // ---- QEMU

    @Override
    public void suspendAndSave() {
        busy = true;
        scheduler.after(scheduler.span(200 * Scheduler.MICROSECOND, Scheduler.MILLISECOND), () -> {
            if (guest.isDead() || guest.isHung()) {
                return;
            }
            guest.stop();
            daemon.post(() -> {
                if (session != null) {
                    session.suspended();
                }
            });
            scheduler.after(scheduler.span(300 * Scheduler.MICROSECOND, 2 * Scheduler.MILLISECOND), () -> {
                if (!guest.isDead() && !guest.isHung()) {
                    guest.dirtySomething();
                    daemon.post(this::saved);
                }
            });
        });
    }

    private void saved() {
        if (session != null) {
            session.saved();
        } else {
            resume();
        }
    }

    @Override
    public void resume() {
        busy = false;
        scheduler.after(scheduler.span(50 * Scheduler.MICROSECOND, 400 * Scheduler.MICROSECOND), () -> {
            if (staysPaused || guest.isDead() || guest.isHung() || !daemon.isAlive()) {
                return;
            }
            guest.run();
            daemon.post(() -> {
                if (session != null) {
                    session.resumed();
                }
            });
        });
    }

    private void pause(boolean stays) {
        staysPaused = stays;
        if (busy) {
            return;
        }
        scheduler.after(scheduler.span(50 * Scheduler.MICROSECOND, 400 * Scheduler.MICROSECOND), () -> {
            if (staysPaused == stays && !busy && !guest.isDead()) {
                if (stays) {
                    guest.stop();
                } else {
                    guest.run();
                }
            }
        });
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
            case OwnershipAction.Hold() -> {
                if (output.rule() == OutputBuffer.Rule.FLOW) {
                    output.hold(session == null ? EpochId.NONE.next() : session.epoch());
                }
            }
            case OwnershipAction.Release(EpochId upTo) -> {
                if (upTo.isAfter(allowed)) {
                    allowed = upTo;
                    if (session != null) {
                        session.retryCommit();
                    }
                }
            }
            case OwnershipAction.Flow() -> flow(java.util.List.of());
            case OwnershipAction.Discard() -> {
                moveOutput();
                output.discard();
            }
            case OwnershipAction.BootGuest() -> guest.run();
            case OwnershipAction.PauseGuest() -> pause(true);
            case OwnershipAction.ResumeGuest() -> pause(false);
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

    private void withSession(java.util.function.Consumer<? super Protection> action) {
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
        allowed = EpochId.NONE;
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
