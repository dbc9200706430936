package remus.simulation;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.availability.BackupEvent;
import remus.availability.BackupState;
import remus.availability.FailureDetector;
import remus.availability.HostId;
import remus.availability.OwnershipAction;
import remus.availability.OwnershipAgent;
import remus.availability.PrimaryState;
import remus.availability.Step;
import remus.base.EpochId;
import remus.base.Term;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.CheckpointReceiver;
import remus.simulation.Connection.End;
import remus.wire.FrameType;
import remus.wire.Hello;
import remus.wire.Refusal;

/**
 * A VM on a host that backs it up: the connection to its primary, the image, the failure detector and the real ownership,
 * whose actions are done here. A thin glue, as {@link PrimarySide}.
 */
final class BackupSide implements CheckpointReceiver.Listener {
    private final Daemon daemon;
    private final World world;
    private final Scheduler scheduler;
    private final BackupLink link;
    private final FailureDetector detector;
    private @Nullable OwnershipAgent<BackupState, BackupEvent> ownership;
    private @Nullable Image image;
    private @Nullable End asking;
    private @Nullable PrimarySide activated;
    private long lastBeatNanos;
    private int agents;
    private int load;
    private boolean finished;

    BackupSide(Daemon daemon, End offering) {
        this.daemon = daemon;
        world = daemon.world();
        scheduler = world.scheduler();
        asking = offering;
        link = new BackupLink(this);
        detector = new FailureDetector(world.timing().detectNanos(), scheduler.nanos());
    }

    void begin(Step<BackupState> first) {
        restate(first);
        afterStep();
    }

    /** Ownership goes on from another state, whatever it was before; of that nothing is heard any more. */
    void restate(Step<BackupState> step) {
        agents++;
        int current = agents;
        OwnershipAgent<BackupState, BackupEvent> agent = OwnershipAgent.ofBackup(
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

    OwnershipAgent<BackupState, BackupEvent> ownership() {
        OwnershipAgent<BackupState, BackupEvent> present = ownership;
        if (present == null) {
            throw new IllegalStateException("ownership has not begun");
        }
        return present;
    }

    BackupState.@Nullable Role role() {
        return ownership == null ? null : ownership.state().role();
    }

    Daemon daemon() {
        return daemon;
    }

    @Nullable
    Image image() {
        return image;
    }

    @Nullable
    PrimarySide activated() {
        return activated;
    }

    void on(BackupEvent event) {
        BackupEvent altered = world.sabotage().backupEvent(this, event);
        if (ownership != null && altered != null && !finished) {
            ownership.on(altered);
            afterStep();
        }
    }

    private void afterStep() {
        if (finished) {
            return;
        }
        world.sabotage().afterStep(this);
        if (role() instanceof BackupState.Dropped) {
            finished = true;
            link.close();
            daemon.backupEnded(this);
        }
        daemon.wake();
    }

    /** The daemon dies, and its standby with it. */
    void abandon() {
        finished = true;
        load++;
        dropImage();
        if (activated != null) {
            activated.abandon();
        }
    }

    private void dropImage() {
        Image present = image;
        image = null;
        if (present != null) {
            present.close();
        }
    }

    // ---- turns

    long tick() {
        if (ownership == null) {
            return Long.MAX_VALUE;
        }
        long now = scheduler.nanos();
        long wait = ownership.tick(now);
        afterStep();
        if (finished) {
            return Long.MAX_VALUE;
        }
        if (detector.expired(now) && role() instanceof BackupState.Standing) {
            daemon.note("hears nothing of the primary");
            on(new BackupEvent.PrimaryLost("silence", false));
        }
        if (now - lastBeatNanos >= world.timing().detectNanos() / 4) {
            lastBeatNanos = now;
            link.send(FrameType.HEARTBEAT, EpochId.NONE);
        }
        PrimarySide running = activated;
        if (running != null) {
            if (running.guest().isHung() || running.guest().isDead()) {
                activated = null;
                running.guest().die();
                on(new BackupEvent.GuestDied("QEMU is dead"));
            } else {
                running.output().move();
            }
        }
        return Math.min(wait, detector.nanosUntilNextCheck(now));
    }

    // ---- the connection

    void offered(End from, Term session, HostId primary) {
        asking = from;
        on(new BackupEvent.SessionOffered(session, primary));
        dismiss();
    }

    void returned(End from, Term session) {
        asking = from;
        on(new BackupEvent.PrimaryReturned(session));
        dismiss();
    }

    /** Whoever was not answered is not wanted. */
    private void dismiss() {
        End left = takeAsking();
        if (left != null) {
            left.close();
        }
    }

    private @Nullable End takeAsking() {
        End present = asking;
        asking = null;
        return present;
    }

    /** Something has come from the primary. */
    void heard() {
        detector.heard(scheduler.nanos());
    }

    /** The connection has ended, for whatever reason. */
    void connectionEnded() {
        Image present = image;
        if (present != null) {
            world.sabotage().connectionLost(this, present);
            present.receiver().dropPartial();
        }
        on(new BackupEvent.SessionBroken(link.term(), "the connection ended"));
        if (role() instanceof BackupState.Standing && world.refusesConnections(daemon.machine())) {
            daemon.note("finds that the primary's port refuses");
            on(new BackupEvent.PrimaryLost("the primary's port refuses", false));
        }
    }

    // ---- what the receiver says

    @Override
    public void acknowledge(EpochId epoch) {
        // Not in the midst of the receiver's work: its image is checked first.
        Term session = link.term();
        daemon.post(() -> {
            Image present = image;
            if (present != null && present.term().equals(session)) {
                present.check();
                on(new BackupEvent.CheckpointWhole(session, epoch));
            }
        });
    }

    @Override
    public void whole(EpochId epoch) {
        Image present = image;
        if (present != null) {
            present.noteApplied();
            boolean slow = daemon.machine().hasSlowDisk();
            long most = slow ? 400 * Scheduler.MILLISECOND : 3 * Scheduler.MILLISECOND;
            scheduler.after(scheduler.span(0, most), () -> daemon.post(() -> applyDisks(present)));
        }
    }

    private void applyDisks(Image present) {
        if (present == image && present.isLoadable()) {
            present.disks().applyOne();
            present.receiver().acknowledgeWhatIsDue();
            present.check();
        }
    }

    @Override
    public void verified(EpochId epoch, boolean equal) {}

    // ---- what the ownership wants

    private void act(OwnershipAction action) {
        if (finished) {
            return;
        }
        for (OwnershipAction altered : world.sabotage().backupActions(this, action)) {
            perform(altered);
        }
    }

    void perform(OwnershipAction action) {
        switch (action) {
            case OwnershipAction.AcceptSession(Term session) -> {
                dropImage();
                daemon.machine().noteImage(0);
                daemon.machine().noteNoGuest();
                image = new Image(daemon, session, this);
                link.take(takeAsking(), Hello.Mode.NEW, session, EpochId.NONE);
            }
            case OwnershipAction.RefuseSession(Term session, String reason) -> {
                End to = takeAsking();
                if (to != null) {
                    Wire.refuse(to, session, Refusal.Code.UNKNOWN_SESSION, reason);
                }
            }
            case OwnershipAction.Welcome(Term session, EpochId lastWhole) -> welcome(session);
            case OwnershipAction.Acknowledge(Term session, EpochId epoch) -> acknowledge(session, epoch);
            case OwnershipAction.AcknowledgeNoMore(Term session) -> link.close();
            case OwnershipAction.TellPrimaryActivating(Term session) -> tellActivating(session);
            case OwnershipAction.AnswerSignedOff(Term session) -> {
                daemon.machine().noteImage(0);
                link.say(FrameType.SIGNED_OFF, "the image is dropped");
                link.close();
            }
            case OwnershipAction.DropImage(String reason) -> {
                daemon.note("drops its image: %s", reason);
                load++;
                link.close();
                dropImage();
            }
            case OwnershipAction.LoadStandby() -> loadStandby();
            case OwnershipAction.Flow() -> {
                PrimarySide running = activated;
                Image present = image;
                if (running != null && present != null) {
                    running.output().flow(present.again());
                }
            }
            case OwnershipAction.Discard() -> withActivated(of -> of.output().discard());
            case OwnershipAction.KillGuest() -> {
                withActivated(PrimarySide::kill);
                activated = null;
            }
            case OwnershipAction.BecomePrimary(PrimaryState state) -> {
                PrimarySide running = activated;
                finished = true;
                daemon.remember(state.requests());
                if (running != null) {
                    // After this step: the state machine of the backup has come to its end.
                    daemon.takesOver(running, state);
                }
            }
            case OwnershipAction.Report(String reason) -> daemon.note("reports: %s", reason);
            default -> throw new Violation(Rule.CODE, "a backup is asked for " + action, null);
        }
    }

    private void withActivated(Consumer<? super PrimarySide> action) {
        if (activated != null) {
            action.accept(activated);
        }
    }

    private void welcome(Term session) {
        Image present = image;
        if (present == null) {
            return;
        }
        link.close();
        EpochId named = present.receiver().resume();
        if (named == null) {
            return; // it may not be named yet; the primary comes again
        }
        Violation.unless(
                named.equals(EpochId.NONE) || world.seals().wasWhole(session, named),
                Rule.R3,
                "%s names epoch %s of session %s in its welcome, which is not whole",
                daemon.name(),
                named,
                session);
        link.take(takeAsking(), Hello.Mode.RESUME, session, named);
    }

    private void acknowledge(Term session, EpochId epoch) {
        Violation.unless(
                world.seals().wasWhole(session, epoch),
                Rule.R3,
                "%s acknowledges epoch %s of session %s, which is not whole",
                daemon.name(),
                epoch,
                session);
        if (link.isOpen() && link.term().equals(session)) {
            daemon.note("acknowledges epoch %s of session %s", epoch, session);
            link.send(FrameType.ACKNOWLEDGE, epoch);
        }
    }

    private void tellActivating(Term session) {
        End to = takeAsking();
        if (to != null) {
            Wire.send(to, session, FrameType.ACTIVATED, "takes over");
            to.close();
        }
        Machine peer = world.peerOf(daemon.machine());
        world.network()
                .datagram(
                        daemon.machine().node(),
                        peer.node(),
                        () -> peer.withDaemon(other -> other.toldOfActivation(session)));
    }

    private void loadStandby() {
        load++;
        int attempt = load;
        Machine machine = daemon.machine();
        long longest = machine.nextLoadIsSlow() ? 1500 * Scheduler.MILLISECOND : 15 * Scheduler.MILLISECOND;
        long nanos = scheduler.span(2 * Scheduler.MILLISECOND, longest);
        boolean fails = machine.nextLoadFails();
        scheduler.after(
                nanos,
                () -> daemon.post(() -> {
                    if (attempt == load && !finished) {
                        loaded(fails);
                    }
                }));
    }

    private void loaded(boolean fails) {
        Image present = image;
        if (present == null) {
            return;
        }
        if (!present.isLoadable()) {
            on(new BackupEvent.ImageLost(
                    "the standby has run: memory and disks are not those of a checkpoint any more"));
            return;
        }
        if (fails) {
            daemon.note("fails to load the standby");
            on(new BackupEvent.LoadFailed("it was made to"));
            return;
        }
        try {
            Guest guest = present.load();
            daemon.note("runs epoch %s of session %s", present.lastWhole(), present.term());
            PrimarySide running = new PrimarySide(daemon, guest);
            running.output().hold();
            daemon.machine().own(guest);
            present.runs();
            daemon.machine().noteImage(0);
            guest.run();
            present.replay().forEach(running::give);
            activated = running;
            on(new BackupEvent.StandbyRuns());
        } catch (CheckpointException e) {
            daemon.note("fails to load the standby: %s", e.getMessage());
            on(new BackupEvent.LoadFailed(String.valueOf(e.getMessage())));
        }
    }
}
