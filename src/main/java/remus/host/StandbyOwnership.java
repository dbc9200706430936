package remus.host;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.EventType;
import remus.api.VmState;
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
import remus.host.OperationException.Kind;
import remus.replication.BackupConnection;
import remus.replication.PeerAnswer;
import remus.wire.Hello;
import remus.wire.OwnerAnswer;
import remus.wire.Refusal;
import remus.wire.Welcome;

/**
 * What happens to a VM on its backup, brought to {@link BackupOwnership}, which decides what becomes of it; its header has
 * the states. What is to be done then is done here: towards the primary by {@link PrimaryContact}, with the copy by
 * {@link StandbyCopy}; {@link StandbyVm} loads it when {@link #isToLoad}.
 *
 * <p>A primary counts as lost when it is silent for the detection time, its port refuses, or it says so. A connection that
 * ends is waited for until then. Confined to the backup's agent thread, but for {@link #hasEnded}.
 */
final class StandbyOwnership {
    private static final Logger LOG = LoggerFactory.getLogger(StandbyOwnership.class);

    /** So many attempts to load follow each other at once, all others after a pause. */
    private static final int MAX_PROMPT_ATTEMPTS = 5;

    private static final Duration LOAD_RETRY_PAUSE = Duration.ofSeconds(1);

    private final HostServices services;
    private final Hello hello;
    private final Term term;
    private final StandbyCopy copy;
    private final PrimaryContact primary;
    private final StandbyStatus status;
    private final VmArbiter arbiter;
    private final PrimaryInquiry inquiry;
    private final FailureDetector detector;
    private final OwnershipAgent<BackupState, BackupEvent> ownership;
    private @Nullable BackupConnection returning;
    private @Nullable CompletableFuture<Void> failingOver;
    private @Nullable PrimaryState taken;
    private String cause = "";
    private boolean toLoad;
    private long decidedNanos;
    private long failedAtNanos = Long.MIN_VALUE / 2;
    private int failures;
    private boolean primarysPortIsBlocked;
    private volatile boolean ended;

    /** What is decided about. */
    record Standby(
            Hello hello,
            Term term,
            HostAddress primaryAddress,
            StandbyCopy copy,
            PrimaryContact primary,
            StandbyStatus status) {}

    StandbyOwnership(HostServices services, Standby standby, Agent agent) {
        this.services = services;
        hello = standby.hello();
        term = standby.term();
        copy = standby.copy();
        primary = standby.primary();
        status = standby.status();
        arbiter = new VmArbiter(services, hello.vm(), agent::post, Term.NONE);
        HostId owner = new HostId(hello.host());
        arbiter.joined(term, owner, standby.primaryAddress(), hello.detect());
        inquiry = new PrimaryInquiry(services.peers(), standby.primaryAddress(), hello, term, agent);
        detector = new FailureDetector(hello.detect().toNanos(), services.time().nanos());
        ownership = OwnershipAgent.ofBackup(
                hello.vm(), arbiter, agent::post, services.time(), services.pauses(), this::tryTo);
        ownership.whenChanged((before, after) -> changed(before.role(), after.role()));
        ownership.begin(BackupOwnership.offered(services.newRequests(), term, owner));
    }

    private String name() {
        return hello.vm();
    }

    private BackupState.Role role() {
        return ownership.state().role();
    }

    VmArbiter arbiter() {
        return arbiter;
    }

    /** The state in which this host owns the VM alone; null: it does not, or not yet. */
    @Nullable
    PrimaryState taken() {
        return taken;
    }

    /** Whether the copy is to be loaded into a standby now; the answer is yes once for each attempt. */
    boolean isToLoad() {
        boolean isTooSoon =
                failures > MAX_PROMPT_ATTEMPTS && services.time().nanos() - failedAtNanos < LOAD_RETRY_PAUSE.toNanos();
        boolean now = toLoad && !isTooSoon;
        toLoad &= !now;
        return now;
    }

    /** When the take-over began. */
    long decidedNanos() {
        return decidedNanos;
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
        if (silent && role() instanceof Standing) {
            lost("no sign of the primary for " + detector.silentNanos(judgedNanos) / 1_000_000 + " ms", false);
        } else if (!silent && primary.isConnected() && role() instanceof Checking checking && !checking.byCommand()) {
            // Heard again on the same connection before the arbiter could be asked: as good as a hello on another one.
            ownership.on(new PrimaryReturned(term));
        }
    }

    private void lost(String why, boolean byCommand) {
        if (role() instanceof Standing) {
            cause = why;
            decidedNanos = services.time().nanos();
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
            status.event(
                    EventType.PRIMARY_LOST, "connection lost (" + why + "); waiting for it until the detection time");
            status.because("connection lost: " + why);
            inquiry.ask(this::primaryAnswered);
        }
    }

    private void primaryAnswered(PeerAnswer answer) {
        if (primary.isConnected() || !(role() instanceof Standing) || ended) {
            return;
        }
        arbiter.peerAnswered(answer);
        switch (answer) {
            case PeerAnswer.Refused refused -> {
                // A port that refused while the primary lived says nothing now.
                if (!primarysPortIsBlocked) {
                    lost("the primary's port refuses: " + refused.cause(), false);
                }
            }
            case PeerAnswer.Unreachable unreachable -> LOG.debug("the primary does not answer: {}", unreachable);
            case PeerAnswer.Answered(OwnerAnswer owner) -> {
                switch (owner.state()) {
                    case RUNNING_ALONE, STOPPED ->
                        lost("the primary says: " + owner.state() + " " + owner.text(), false);
                    case UNKNOWN -> lost("the primary's daemon was started anew and has lost the VM", false);
                    case STANDBY, ACTIVATING, RUNNING_PROTECTED, RUNNING_UNCERTAIN, FENCED ->
                        LOG.debug("the primary lives: {}", owner);
                }
            }
        }
    }

    /**
     * The primary is back on a new connection: goes on after the last whole checkpoint.
     *
     * @param refuse answers a primary whose session is not this one, or is no more, by what the host knows then
     */
    void primaryReturned(BackupConnection next, Consumer<BackupConnection> refuse) {
        if (!next.term().equals(term) || role() instanceof Dropped || role() instanceof Receiving) {
            refuse.accept(next);
            return;
        }
        returning = next;
        ownership.on(new PrimaryReturned(term));
        returning = null;
    }

    /** It is where it was: the connection of the moment gives way. */
    private void welcome() {
        BackupConnection next = returning;
        if (next == null) {
            return;
        }
        primary.disconnect();
        heard();
        EpochId from = copy.receiver().resume();
        if (from == null) {
            // No end of the session: the primary comes again.
            next.refuse(new Refusal(Refusal.Code.OTHER, "the first checkpoint waits for this host's disks"));
            next.close();
            return;
        }
        primary.reconnected(next);
        primary.welcome(
                from,
                new Welcome(
                        services.hostName(), services.installation().features().version(), List.of(), List.of()));
        status.because(null);
        status.event(EventType.RECONNECTED, "the session goes on after epoch " + copy.lastWhole());
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
            lost("the primary reports that its QEMU is dead: " + why, false);
        }
    }

    void signOff(String why) {
        ownership.on(new SignOffReceived(term, why));
    }

    // ---- what is to be done

    /** A duty that can't be done leaves nothing that could go on. */
    private void tryTo(OwnershipAction action) {
        try {
            does(action);
        } catch (RuntimeException e) {
            LOG.error("VM {}: {} could not be done", name(), action, e);
            status.event(EventType.FAILED, "%s could not be done: %s".formatted(action, e.getMessage()));
            ended = true;
        }
    }

    private void does(OwnershipAction action) {
        switch (action) {
            case OwnershipAction.Acknowledge(Term _, EpochId epoch) -> primary.acknowledge(epoch);
            case OwnershipAction.Welcome _ -> welcome();
            case OwnershipAction.AcknowledgeNoMore _ -> primary.fallSilent();
            case OwnershipAction.TellPrimaryActivating _ -> tellPrimary();
            case OwnershipAction.AnswerSignedOff _ -> primary.signedOff("image dropped by " + services.hostName());
            case OwnershipAction.LoadStandby _ -> toLoad = true;
            case OwnershipAction.BecomePrimary(PrimaryState state) -> taken = state;
            case OwnershipAction.KillGuest _ -> copy.dropLoaded();
            case OwnershipAction.Report(String reason) -> status.event(EventType.OWNERSHIP, reason);
            case OwnershipAction.DropImage(String reason) ->
                LOG.info("VM {}: its image is dropped: {}", name(), reason);
            case OwnershipAction.RefuseSession(Term _, String reason) -> refuseReturning(reason);
            // Nothing of a VM that is being activated leaves before it is handed over.
            case OwnershipAction.Flow _, OwnershipAction.Discard _, OwnershipAction.AcceptSession _ -> {}
            case OwnershipAction.Hold _,
                    OwnershipAction.Release _,
                    OwnershipAction.BootGuest _,
                    OwnershipAction.PauseGuest _,
                    OwnershipAction.ResumeGuest _,
                    OwnershipAction.StartSession _,
                    OwnershipAction.EndSession _,
                    OwnershipAction.SignOff _,
                    OwnershipAction.Reconnect _,
                    OwnershipAction.ReportGuestDead _,
                    OwnershipAction.AskArbiter _,
                    OwnershipAction.AskAgainLater _,
                    OwnershipAction.AwaitActivation _ ->
                throw new IllegalArgumentException(action + " is nothing that a backup does");
        }
    }

    /** Anything else would let a primary that comes back go on beside the VM that is about to run here. */
    private void tellPrimary() {
        BackupConnection next = returning;
        if (next != null) {
            next.refuse(new Refusal(Refusal.Code.ACTIVATED, "this host is taking the VM over: " + cause));
            next.close();
        } else {
            primary.activated(cause);
        }
    }

    private void refuseReturning(String reason) {
        BackupConnection next = returning;
        if (next != null) {
            next.refuse(new Refusal(Refusal.Code.UNKNOWN_SESSION, reason));
            next.close();
        }
    }

    private void changed(BackupState.Role before, BackupState.Role after) {
        if (before.getClass() == after.getClass()) {
            return;
        }
        switch (after) {
            case Standing _ -> {
                status.become(VmState.STANDBY, null);
                if (before instanceof Receiving) {
                    status.event(EventType.STANDBY_READY, "the first checkpoint is whole; ready to take over");
                    inquiry.tryPort(() -> primarysPortIsBlocked = true);
                }
            }
            case Checking _, Requesting _ -> status.because("asking who owns the VM: " + cause);
            case Activating _ -> {
                if (before instanceof Requesting) {
                    status.become(VmState.ACTIVATING, cause);
                    status.event(EventType.ACTIVATING, cause);
                    FaultPoint.ACTIVATING.reached(copy.lastWhole().value());
                }
            }
            case Dropped(String reason) -> dropped(before, reason);
            default -> {}
        }
    }

    private void dropped(BackupState.Role before, String reason) {
        if (!ended) {
            boolean wasTakingOver = before instanceof Activating || before instanceof Confirming;
            status.event(wasTakingOver ? EventType.FAILED : EventType.UNPROTECTED, "not a backup any more: " + reason);
            failFailover(reason);
            ended = true;
        }
    }

    // ---- taking over

    /** The copy runs, with its output held. */
    void runs() {
        FaultPoint.ACTIVATED.reached(copy.lastWhole().value());
        ownership.on(new StandbyRuns());
    }

    /** It could not be made to run. */
    void loadFailed(String why) {
        failures++;
        failedAtNanos = services.time().nanos();
        status.event(EventType.FAILED, "activation attempt %d: %s".formatted(failures, why));
        ownership.on(new LoadFailed(why));
    }

    /** The QEMU that was made to run has ended. */
    void loadedDied(String how) {
        if (role() instanceof Confirming) {
            copy.dropLoaded();
            ownership.on(new GuestDied(how));
        }
    }

    /**
     * Activates by command.
     *
     * @param force without fencing the primary first
     * @param result completes when the VM runs
     */
    void failOver(boolean force, CompletableFuture<Void> result) {
        if (role() instanceof Receiving || ended) {
            result.completeExceptionally(new OperationException(
                    Kind.CONFLICT,
                    "VM " + name() + " has no whole checkpoint here yet, so there is nothing to activate",
                    "wait until remus status shows STANDBY"));
        } else if (failingOver != null) {
            result.completeExceptionally(new OperationException(
                    Kind.CONFLICT, "VM " + name() + " is being activated already", "see remus status " + name()));
        } else {
            failingOver = result;
            if (force) {
                lost("by command, without asking the primary", true);
            } else {
                inquiry.fence(this::primaryFenced);
            }
        }
    }

    private void primaryFenced(PeerAnswer answer) {
        if (answer instanceof PeerAnswer.Answered(OwnerAnswer owner) && !isOutOfTheWay(owner)) {
            CompletableFuture<Void> waiting = failingOver;
            failingOver = null;
            if (waiting != null) {
                waiting.completeExceptionally(new OperationException(
                        Kind.FAILED,
                        "the primary could not be fenced, it says %s %s".formatted(owner.state(), owner.text()),
                        services.arbiter() == null
                                ? "use --force to activate in spite of it, which risks two running copies"
                                : "use --force to leave the decision to the arbiter's record alone"));
            }
            return;
        }
        lost("by command; primary: " + answer, true);
    }

    private static boolean isOutOfTheWay(OwnerAnswer owner) {
        return switch (owner.state()) {
            case FENCED, STOPPED, UNKNOWN -> true;
            case STANDBY, ACTIVATING, RUNNING_ALONE, RUNNING_PROTECTED, RUNNING_UNCERTAIN -> false;
        };
    }

    private void failFailover(String why) {
        CompletableFuture<Void> waiting = failingOver;
        failingOver = null;
        if (waiting != null) {
            waiting.completeExceptionally(new OperationException(
                    Kind.FAILED, "VM " + name() + " is not taken over: " + why, "see remus events " + name()));
        }
    }

    /** The agent ends: whoever waits for a take-over by command is told. */
    void completeFailover(boolean activated) {
        CompletableFuture<Void> waiting = failingOver;
        failingOver = null;
        if (waiting != null && activated) {
            waiting.complete(null);
        } else if (waiting != null) {
            waiting.completeExceptionally(notAStandby());
        }
    }

    OperationException notAStandby() {
        return new OperationException(
                Kind.CONFLICT, "VM " + name() + " is not backed up here any more", "see remus status");
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
        if (ended) {
            return;
        }
        primary.standbyLost(why);
        status.event(EventType.FAILED, "not a backup any more: " + why);
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
