package remus.host;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.availability.BackupEvent;
import remus.availability.BackupEvent.CheckpointWhole;
import remus.availability.BackupEvent.GuestDied;
import remus.availability.BackupEvent.ImageLost;
import remus.availability.BackupEvent.LoadFailed;
import remus.availability.BackupEvent.PrimaryLost;
import remus.availability.BackupEvent.PrimaryReturned;
import remus.availability.BackupEvent.SessionBroken;
import remus.availability.BackupEvent.SignOffReceived;
import remus.availability.BackupEvent.StandbyRuns;
import remus.availability.BackupOwnership;
import remus.availability.BackupState;
import remus.availability.BackupState.Activating;
import remus.availability.BackupState.Checking;
import remus.availability.BackupState.Confirming;
import remus.availability.BackupState.Dropped;
import remus.availability.BackupState.Receiving;
import remus.availability.BackupState.Requesting;
import remus.availability.BackupState.Standing;
import remus.availability.BackupState.Taken;
import remus.availability.FailureDetector;
import remus.availability.HostId;
import remus.availability.OwnershipAction;
import remus.availability.OwnershipAgent;
import remus.availability.PrimaryState;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.replication.BackupConnection;
import remus.replication.PeerAnswer;
import remus.wire.Hello;
import remus.wire.OwnerAnswer;
import remus.wire.OwnerState;

/**
 * What happens to a VM on its backup, brought to {@link BackupOwnership}, which decides what becomes of it; its header has
 * the states. What is to be done then is for {@link StandbyDuties}, what is told of it for {@link StandbyStory}, what is
 * asked of it for {@link StandbyCommands}.
 *
 * <p>A primary counts as lost when it is silent for the detection time, its port refuses, or it says so; silence alone does
 * not count of a VM that moves where there is no arbiter. A connection that
 * ends is waited for until then. A VM that was handed over and can't be made to run is given back, where there is an
 * arbiter by its record, else as soon as several attempts have failed and the former host says that it keeps the VM.
 * Confined to the backup's agent thread, but for {@link #hasEnded}.
 */
final class StandbyOwnership {
    private static final Logger LOG = LoggerFactory.getLogger(StandbyOwnership.class);

    private final HostServices services;
    private final Hello hello;
    private final boolean moves;
    private final Term term;
    private final StandbyStatus status;
    private final StandbyCopy copy;
    private final PrimaryContact primary;
    private final VmArbiter arbiter;
    private final PrimaryInquiry inquiry;
    private final FailureDetector detector;
    private final StandbyStory story;
    private final StandbyDuties duties;
    private final StandbyCommands commands;
    private final OwnershipAgent<BackupState, BackupEvent> ownership;
    private long decidedNanos;
    private @Nullable Switchover switchover;
    private boolean isSilent;
    private boolean primarysPortIsBlocked;
    private volatile boolean ended;

    /**
     * What is decided about.
     *
     * @param moves it is to go on here for good, as soon as it is handed over
     */
    record Standby(
            Hello hello,
            boolean moves,
            Term term,
            HostAddress primaryAddress,
            StandbyCopy copy,
            PrimaryContact primary,
            StandbyStatus status) {}

    StandbyOwnership(HostServices services, Standby standby, Agent agent) {
        this.services = services;
        hello = standby.hello();
        moves = standby.moves();
        term = standby.term();
        status = standby.status();
        copy = standby.copy();
        primary = standby.primary();
        arbiter = new VmArbiter(services, hello.vm(), agent::post, Term.NONE);
        HostId owner = new HostId(hello.host());
        arbiter.joined(term, owner, standby.primaryAddress(), hello.detect());
        inquiry = new PrimaryInquiry(services.peers(), standby.primaryAddress(), hello, term, agent);
        detector = new FailureDetector(hello.detect().toNanos(), services.time().nanos());
        story = new StandbyStory(status);
        duties = new StandbyDuties(services, standby, story, detector);
        commands = new StandbyCommands(hello.vm(), arbiter.isShared(), inquiry, this);
        ownership = OwnershipAgent.ofBackup(
                hello.vm(), arbiter, agent::post, services.time(), services.pauses(), this::does);
        ownership.whenChanged((before, after) -> changed(before.role(), after.role()));
        ownership.begin(BackupOwnership.offered(services.newRequests(), term, owner));
    }

    private BackupState.Role role() {
        return ownership.state().role();
    }

    /** What people may ask of the VM. */
    StandbyCommands commands() {
        return commands;
    }

    /** What is to be done for it. */
    StandbyDuties duties() {
        return duties;
    }

    /** @param owned the state in which this host owns the VM */
    Activation.TakeOver takeOver(PrimaryState owned) {
        return new Activation.TakeOver(arbiter, owned, decidedNanos, switchover != null);
    }

    /** Whether there is something that could be activated, or is being activated. */
    boolean hasWholeCheckpoint() {
        return !ended && !(role() instanceof Receiving);
    }

    /** Whether it still takes and acknowledges checkpoints. */
    boolean isBackup() {
        return !ended && (role() instanceof Receiving || role() instanceof Standing || role() instanceof Checking);
    }

    /** Whether a standby that dies is to be replaced by another one; an activation sees to that itself. */
    boolean needsStandby() {
        return !ended && !(role() instanceof Activating || role() instanceof Confirming || role() instanceof Taken);
    }

    boolean hasEnded() {
        return ended;
    }

    /** Does what is due; returns nanoseconds until it wants to be called again. */
    long tick(long nowNanos) {
        return ownership.tick(nowNanos);
    }

    // ---- signs of life, and what their absence means

    void heard() {
        detector.heard(services.time().nanos());
    }

    /** How long to wait for frames at most; silence is judged only as long as the primary is expected to be heard. */
    long nanosUntilNextCheck() {
        return role() instanceof Standing
                ? detector.nanosUntilNextCheck(services.time().nanos())
                : hello.detect().toNanos() / 4;
    }

    /** @param judgedNanos until when all that came has been read */
    void judgeSilence(long judgedNanos) {
        boolean silent = detector.expired(judgedNanos);
        if (silent && mustBeHandedOver()) {
            leave("its host is silent, and has not handed it over");
        } else if (silent && role() instanceof Standing) {
            primaryLost("no sign of the primary for " + detector.silentNanos(judgedNanos) / 1_000_000 + " ms", false);
            isSilent = true;
        } else if (!silent
                && isSilent
                && primary.isConnected()
                && role() instanceof Checking checking
                && !checking.byCommand()) {
            // Heard again on the same connection before the arbiter could be asked: as good as a hello on another one.
            ownership.on(new PrimaryReturned(term));
        }
    }

    /**
     * Without an arbiter a VM that moves is taken over on silence by nobody, so that its host can go on with it at once: it
     * was not protected before, or not by this host.
     */
    private boolean mustBeHandedOver() {
        return moves && !arbiter.isShared() && role() instanceof Standing;
    }

    /** @param byCommand an operator wants the VM to be taken over, though the primary may be heard again */
    void primaryLost(String why, boolean byCommand) {
        if (role() instanceof Standing) {
            story.because(why, byCommand);
            decidedNanos = services.time().nanos();
            isSilent = false;
        }
        ownership.on(new PrimaryLost(why, byCommand));
    }

    void connectionEnded(String why) {
        primary.forget();
        copy.dropPartial();
        if (role() instanceof Receiving) {
            ownership.on(new SessionBroken(term, "the connection ended before the first whole checkpoint: " + why));
            return;
        }
        if (role() instanceof Standing) {
            if (!commands.isFencing()) {
                story.disconnected(why);
            }
            inquiry.ask(this::primaryAnswered);
        }
    }

    private void primaryAnswered(PeerAnswer answer) {
        if (primary.isConnected() || !(role() instanceof Standing) || ended) {
            return;
        }
        arbiter.peerAnswered(answer);
        if (answer instanceof PeerAnswer.Refused && primarysPortIsBlocked) {
            return; // A port that refused while the primary lived says nothing now.
        }
        String loss = lossBy(answer);
        if (loss != null) {
            primaryLost(loss, false);
        } else if (mustBeHandedOver()) {
            leave("its host goes on with it, for contact was lost before it was handed over");
        } else {
            LOG.debug("the primary lives, or does not answer: {}", answer);
        }
    }

    /** Why the primary is lost when that is what its host answers; null: it may live. */
    static @Nullable String lossBy(PeerAnswer answer) {
        return switch (answer) {
            case PeerAnswer.Refused refused -> "the primary's port refuses: " + refused.cause();
            case PeerAnswer.Unreachable _ -> null;
            case PeerAnswer.Answered(OwnerAnswer owner) ->
                switch (owner.state()) {
                    case RUNNING_ALONE, STOPPED -> "the primary says: " + owner.state() + " " + owner.text();
                    case UNKNOWN -> "the primary's daemon was started anew and has lost the VM";
                    case STANDBY, ACTIVATING, RUNNING_PROTECTED, RUNNING_UNCERTAIN, FENCED -> null;
                };
        };
    }

    /**
     * The primary is back on a new connection: goes on after the last whole checkpoint.
     *
     * @param refuse answers a primary whose session is not this one, or is no more, by what the host knows then
     */
    void primaryReturned(BackupConnection next, Consumer<BackupConnection> refuse) {
        if (next.term().equals(term) && role() instanceof Receiving) {
            // Told that nothing is here the primary goes on alone: what still comes of the first checkpoint must not
            // count.
            primary.disconnect();
            drop("the primary came back before its first checkpoint was whole");
        }
        if (!next.term().equals(term) || role() instanceof Dropped || role() instanceof Receiving) {
            refuse.accept(next);
            return;
        }
        duties.answering(next, () -> ownership.on(new PrimaryReturned(term)));
    }

    // ---- what the primary says

    /** The acknowledgement of {@code epoch} is due. */
    void checkpointIsWhole(EpochId epoch) {
        ownership.on(new CheckpointWhole(term, epoch));
    }

    void guestDead(String why) {
        if (role() instanceof Receiving) {
            loseStandby("the primary's QEMU is dead, and no checkpoint was whole before: " + why);
        } else {
            primaryLost("the primary reports that its QEMU is dead: " + why, false);
        }
    }

    /** The primary stands still for good, and what is whole here is all there is of the VM. */
    void handedOver(long pausedNanos, String why) {
        if (role() instanceof Receiving) {
            return; // the protocol knows no such order
        }
        if (switchover == null) {
            switchover = Switchover.ordered(pausedNanos, services.time().nanos());
            duties.isHandedOver();
        }
        primaryLost("the primary hands it over: " + why, true);
    }

    /** How the VM was handed over, if it was. */
    @Nullable
    Switchover switchover() {
        return switchover;
    }

    void signOff(String why) {
        ownership.on(new SignOffReceived(term, why));
    }

    // ---- what has been decided

    /** A duty that can't be done leaves nothing that could go on. */
    private void does(OwnershipAction action) {
        try {
            duties.does(action);
        } catch (RuntimeException e) {
            LOG.error("VM {}: {} could not be done", hello.vm(), action, e);
            ownership.stop();
            story.notDone(action, e);
            ended = true;
        }
    }

    private void changed(BackupState.Role before, BackupState.Role after) {
        if (before.getClass() != after.getClass() && !(after instanceof Dropped && ended)) {
            become(before, after);
        }
        if (!ended) {
            status.stepIsOver();
        }
    }

    private void become(BackupState.Role before, BackupState.Role after) {
        story.changed(before, after);
        if (before instanceof Receiving && after instanceof Standing) {
            inquiry.tryPort(() -> primarysPortIsBlocked = true);
        }
        if (before instanceof Requesting && after instanceof Activating) {
            FaultPoint.ACTIVATING.reached(copy.lastWhole().value());
        }
        if (after instanceof Dropped(String reason)) {
            commands.dropped(reason);
            ended = true;
        }
    }

    // ---- taking over

    /** The copy runs, with its output held. */
    void runs() {
        if (switchover != null) {
            switchover = switchover.runs(services.time().nanos());
        }
        FaultPoint.ACTIVATED.reached(copy.lastWhole().value());
        ownership.on(new StandbyRuns());
    }

    /** It could not be made to run. */
    void loadFailed(String why) {
        duties.loadFailed(why);
        ownership.on(new LoadFailed(why));
        if (switchover != null && !arbiter.isShared() && duties.failsAgainAndAgain()) {
            // No record tells the former host when to take the VM back: it waits for as long as this one tries.
            inquiry.ask(answer -> formerHostAnswered(answer, why));
        }
    }

    /** A VM that was handed over goes on where it came from, if that still keeps it: this copy is not the only one then. */
    private void formerHostAnswered(PeerAnswer answer, String why) {
        boolean keepsIt =
                answer instanceof PeerAnswer.Answered(OwnerAnswer owner) && owner.state() == OwnerState.FENCED;
        if (keepsIt && role() instanceof Activating && !ended) {
            drop("it can't be made to run here, and goes on at %s: %s".formatted(hello.host(), why));
        }
    }

    /** The QEMU that was made to run has ended. */
    void loadedDied(String how) {
        if (role() instanceof Confirming) {
            copy.dropLoaded();
            ownership.on(new GuestDied(how));
        }
    }

    // ---- giving up

    /** The disks can't go on; an activation tries again by itself, and has nobody to tell. */
    void disksFailed(String why) {
        if (isBackup()) {
            loseStandby(why);
        }
    }

    /** This host can't be the backup any more, and says so. */
    void loseStandby(String why) {
        giveUp(why, story::lost);
    }

    /** This host wants to be the backup no more: the primary is asked to let it go. May be asked again. */
    void relieve(String why) {
        if (isBackup()) {
            primary.relief(why);
        }
    }

    /** This host is not to be the backup any more, and says so. */
    void leave(String why) {
        giveUp(why, story::left);
    }

    /** As {@link #leave}, as long as the primary can go on without this host; a take-over that has begun goes on. */
    void leaveUnlessTakingOver(String why) {
        if (isBackup()) {
            leave(why);
        } else if (!ended) {
            LOG.info("VM {}: {}, and waits for it to be taken over", hello.vm(), why);
        }
    }

    private void giveUp(String why, Consumer<String> tell) {
        if (ended) {
            return;
        }
        primary.standbyLost(why);
        tell.accept(why);
        ended = true;
        ownership.on(new ImageLost(why));
    }

    /** The session ends, as the primary knows or will find out. */
    void drop(String why) {
        ownership.on(new ImageLost(why));
    }

    /**
     * Another session is offered. As long as no checkpoint of this one is whole it gives way; afterwards only where the
     * record has left this session behind, for whoever offers one has seen a record of its own in the term before. Returns
     * whether it has ended.
     */
    boolean endFor(Term next) {
        boolean gives = switch (role()) {
            case Receiving _ -> !term.isAfter(next);
            case Standing _, Checking _, Requesting _ -> services.arbiter() != null && next.isAfter(term);
            case Activating activating ->
                services.arbiter() != null
                        && next.isAfter(activating.record().term().next());
            case Confirming _, Taken _, Dropped _ -> false;
        };
        if (gives) {
            drop("a new session takes its place");
        }
        return gives || ended;
    }

    /** Nothing is decided any more. */
    void end() {
        ended = true;
    }
}
