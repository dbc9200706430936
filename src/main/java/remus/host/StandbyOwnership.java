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
import remus.availability.FailureDetector;
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
 * Decides what becomes of a VM on its backup: when this host takes it over, whom it waits for and for how long, and when
 * it gives its copy up. It carries nothing out itself, but for asking the primary: {@link StandbyCopy} has the copy,
 * {@link PrimaryContact} speaks to the primary, {@link StandbyVm} brings the copy to life when {@link #activationCause} is
 * there.
 *
 * <pre>
 * SYNCHRONIZING  first checkpoint whole                                → STANDBY
 *                connection lost, sign-off, any failure                → dropped
 * STANDBY        silence for the detection time, the primary's port
 *                refuses, its QEMU is reported dead, or failover()     → ACTIVATING
 *                connection lost: waits for it until the detection time
 *                sign-off, or the primary says that it goes on alone   → dropped
 *                standby's QEMU died: a fresh one gets the image         (stays)
 * ACTIVATING     the guest runs                                        → an {@link ActiveVm}, on the same thread
 *                it can't be made to run ({@link Activation})          → dropped
 * </pre>
 *
 * <p>From the moment it decides to activate it acknowledges nothing any more: the connection is closed first. Without a
 * whole checkpoint it never activates. Confined to the backup's agent thread, but for {@link #hasEnded}.
 */
final class StandbyOwnership {
    private static final Logger LOG = LoggerFactory.getLogger(StandbyOwnership.class);
    private static final Duration QUERY_LIMIT = Duration.ofSeconds(2);

    /** Longer than a primary may take to stop its guest. */
    private static final Duration FENCE_LIMIT = Duration.ofSeconds(5);

    private final HostServices services;
    private final Hello hello;
    private final Term term;
    private final HostAddress primaryAddress;
    private final StandbyCopy copy;
    private final PrimaryContact primary;
    private final StandbyStatus status;
    private final Agent agent;
    private final FailureDetector detector;
    private @Nullable String activationCause;
    private @Nullable CompletableFuture<Void> failingOver;
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
        primaryAddress = standby.primaryAddress();
        copy = standby.copy();
        primary = standby.primary();
        status = standby.status();
        this.agent = agent;
        detector = new FailureDetector(hello.detect().toNanos(), services.time().nanos());
    }

    private String name() {
        return hello.vm();
    }

    /** Why this host is to take the VM over; null: it is not. */
    @Nullable
    String activationCause() {
        return activationCause;
    }

    /** Whether it still takes and acknowledges checkpoints. */
    boolean isBackup() {
        return activationCause == null && !ended;
    }

    /** Whether a standby that dies is to be replaced by another one; an activation sees to that itself. */
    boolean needsStandby() {
        return status.state() != VmState.ACTIVATING && !ended;
    }

    boolean hasEnded() {
        return ended;
    }

    // ---- signs of life, and what their absence means

    void heard() {
        detector.heard(services.time().nanos());
    }

    long nanosUntilNextCheck() {
        return detector.nanosUntilNextCheck(services.time().nanos());
    }

    /** @param judgedNanos until when all that came has been read */
    void judgeSilence(long judgedNanos) {
        boolean silent = detector.expired(judgedNanos);
        if (status.state() == VmState.STANDBY && silent && activationCause == null) {
            activateFor("no sign of the primary for " + detector.silentNanos(judgedNanos) / 1_000_000 + " ms");
        }
    }

    void connectionEnded(String cause) {
        primary.forget();
        copy.dropPartial();
        if (status.state() != VmState.STANDBY) {
            drop("the connection ended before the first whole checkpoint: " + cause);
            return;
        }
        status.event(
                EventType.PRIMARY_LOST, "connection lost (" + cause + "); waiting for it until the detection time");
        status.because("connection lost: " + cause);
        askPrimary();
    }

    /** Finds out whether the primary's daemon is gone for certain, or has gone on alone. */
    private void askPrimary() {
        Thread.ofVirtual().name("ask-primary").start(() -> {
            PeerAnswer answer = services.peers().ask(primaryAddress, name(), hello.detect());
            agent.post(() -> primaryAnswered(answer));
        });
    }

    /**
     * Asks the primary once while all is well: a port that can't be reached from here could not tell a dead daemon from a
     * dead host later, and somebody should know. It also has the way there warm when it counts.
     */
    private void tryPrimarysPort() {
        Thread.ofVirtual().name("try-primary").start(() -> {
            PeerAnswer answer = services.peers().ask(primaryAddress, name(), QUERY_LIMIT);
            if (!(answer instanceof PeerAnswer.Answered)) {
                agent.post(() -> primarysPortIsBlocked = true);
                LOG.warn(
                        "VM {}: its primary can't be asked at {} ({}), so that its death is noticed by silence only",
                        name(),
                        primaryAddress,
                        answer);
            }
        });
    }

    private void primaryAnswered(PeerAnswer answer) {
        if (primary.isConnected() || status.state() != VmState.STANDBY || ended) {
            return;
        }
        switch (answer) {
            case PeerAnswer.Refused refused -> {
                // A port that refused while the primary lived says nothing now.
                if (!primarysPortIsBlocked) {
                    activateFor("the primary's port refuses: " + refused.cause());
                }
            }
            case PeerAnswer.Unreachable unreachable -> LOG.debug("the primary does not answer: {}", unreachable);
            case PeerAnswer.Answered answered -> {
                OwnerAnswer owner = answered.answer();
                switch (owner.state()) {
                    case RUNNING_ALONE, STOPPED -> drop("the primary says: " + owner.state() + " " + owner.text());
                    case UNKNOWN -> activateFor("the primary's daemon was started anew and has lost the VM");
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
        if (activationCause != null || status.state() == VmState.ACTIVATING) {
            // Anything else would let the primary go on alone beside the VM that is about to run here.
            next.refuse(new Refusal(Refusal.Code.ACTIVATED, "this host is taking the VM over: " + activationCause));
            next.close();
            return;
        }
        if (!next.term().equals(term) || status.state() != VmState.STANDBY) {
            refuse.accept(next);
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

    void checkpointIsWhole() {
        if (status.state() == VmState.SYNCHRONIZING) {
            status.become(VmState.STANDBY, null);
            status.event(EventType.STANDBY_READY, "the first checkpoint is whole; ready to take over");
            tryPrimarysPort();
        }
    }

    void guestDead(String why) {
        activateFor("the primary reports that its QEMU is dead: " + why);
        if (activationCause == null) {
            loseStandby("the primary's QEMU is dead, and no checkpoint was whole before");
        }
    }

    void signOff(String why) {
        primary.signedOff("image dropped by " + services.hostName());
        drop("signed off by the primary: " + why);
    }

    // ---- taking over

    private void activateFor(String cause) {
        if (activationCause == null && copy.isWhole()) {
            activationCause = cause;
        }
    }

    /** The take-over begins: nothing is acknowledged any more, and the primary knows why. */
    void activating(String cause) {
        status.become(VmState.ACTIVATING, cause);
        primary.activated(cause);
        status.event(EventType.ACTIVATING, cause);
    }

    /**
     * Activates by command.
     *
     * @param force without fencing the primary first
     * @param result completes when the VM runs
     */
    void failOver(boolean force, CompletableFuture<Void> result) {
        if (!copy.isWhole()) {
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
                activateFor("by command, without asking the primary");
            } else {
                fencePrimary();
            }
        }
    }

    private void fencePrimary() {
        Thread.ofVirtual().name("fence-primary").start(() -> {
            PeerAnswer answer = services.peers().fence(primaryAddress, name(), term.next(), FENCE_LIMIT);
            agent.post(() -> primaryFenced(answer));
        });
    }

    private void primaryFenced(PeerAnswer answer) {
        if (answer instanceof PeerAnswer.Answered(OwnerAnswer owner) && !isOutOfTheWay(owner)) {
            CompletableFuture<Void> waiting = failingOver;
            failingOver = null;
            if (waiting != null) {
                waiting.completeExceptionally(new OperationException(
                        Kind.FAILED,
                        "the primary could not be fenced, it says %s %s".formatted(owner.state(), owner.text()),
                        "use --force to activate in spite of it, which risks two running copies"));
            }
            return;
        }
        activateFor("by command; primary: " + answer);
    }

    private static boolean isOutOfTheWay(OwnerAnswer owner) {
        return switch (owner.state()) {
            case FENCED, STOPPED, UNKNOWN -> true;
            case STANDBY, ACTIVATING, RUNNING_ALONE, RUNNING_PROTECTED, RUNNING_UNCERTAIN -> false;
        };
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
        if (activationCause == null && status.state() != VmState.ACTIVATING) {
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
    }

    /** The session ends, as the primary knows or will find out. */
    void drop(String why) {
        status.event(EventType.UNPROTECTED, "not a backup any more: " + why);
        ended = true;
    }

    /** Ends the session if it has no whole checkpoint yet; returns whether it has ended. */
    boolean endUnlessWhole(String why) {
        if (copy.isWhole()) {
            return false;
        }
        drop(why);
        return true;
    }

    /** Nothing is decided any more. */
    void end() {
        ended = true;
    }
}
