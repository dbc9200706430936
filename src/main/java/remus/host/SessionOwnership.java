package remus.host;

import java.time.Duration;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.availability.PrimaryRole;
import remus.availability.WakeGuard;
import remus.availability.WhenAlone;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.base.Time;
import remus.checkpoint.BackupChannel;
import remus.checkpoint.CheckpointEngine;
import remus.replication.PeerAnswer;
import remus.wire.OwnerAnswer;

/**
 * Decides in a protection session who owns the VM: whether what the backup acknowledges may be released, when contact with
 * it counts as lost, when this host may go on alone and when it has lost the VM. {@link PrimaryRole} has the states; this
 * class has the occasions, and tells the {@link SessionOwner} what follows for the VM.
 *
 * <p>A host that woke late, or that is about to go on alone, first asks. Confined to the VM's agent thread.
 */
final class SessionOwnership {
    private static final Logger LOG = LoggerFactory.getLogger(SessionOwnership.class);

    /** Unacknowledged for so many detection times, a checkpoint means that the backup is lost; not below the minimum. */
    private static final int ACKNOWLEDGEMENT_DETECTION_TIMES = 4;

    private static final Duration MIN_ACKNOWLEDGEMENT_DEADLINE = Duration.ofSeconds(1);
    private static final Duration FIRST_ACKNOWLEDGEMENT_DEADLINE = Duration.ofMinutes(1);

    /** The session that is decided about. */
    record Session(
            HostAddress backup,
            Term term,
            CheckpointEngine engine,
            BackupChannel channel,
            Supplier<PeerAnswer> askPeer,
            BooleanSupplier hasEnded,
            Runnable end) {}

    private final Session session;
    private final SessionOwner owner;
    private final Agent agent;
    private final Time time;
    private final PrimaryRole role;
    private final WakeGuard wakeGuard;
    private final long acknowledgementDeadlineNanos;
    private boolean firstCommitted;
    private boolean signingOff;
    private boolean askingBackup;
    private long lastContactNanos = Long.MIN_VALUE / 2;

    SessionOwnership(Session session, ProtectionSettings settings, SessionOwner owner, Agent agent, Time time) {
        this.session = session;
        this.owner = owner;
        this.agent = agent;
        this.time = time;
        long detectNanos = settings.detect().toNanos();
        acknowledgementDeadlineNanos =
                Math.max(ACKNOWLEDGEMENT_DETECTION_TIMES * detectNanos, MIN_ACKNOWLEDGEMENT_DEADLINE.toNanos());
        role = new PrimaryRole(
                detectNanos,
                settings.whenAlone() == remus.api.WhenAlone.CONTINUE ? WhenAlone.CONTINUE : WhenAlone.HOLD);
        wakeGuard = new WakeGuard(detectNanos, time.nanos());
    }

    PrimaryRole.State state() {
        return role.state();
    }

    void opened() {
        role.sessionOpened();
    }

    // ---- time

    /** Notices what has not happened in time. */
    void tick(long nowNanos) {
        boolean late = wakeGuard.wokeLate(nowNanos);
        // Before its first commit nobody can have taken over, and copying much of memory may well take that long.
        if (late && firstCommitted && role.state() == PrimaryRole.State.PROTECTED) {
            sever("this host was not running for longer than the detection time: asking the backup", nowNanos);
        }
        if (role.state() == PrimaryRole.State.PROTECTED && isAcknowledgementOverdue(nowNanos)) {
            sever(
                    "the backup has not acknowledged epoch "
                            + session.engine().committed().next() + " within "
                            + acknowledgementDeadlineNanos / 1_000_000 + " ms",
                    nowNanos);
        }
    }

    /** The first checkpoint may be most of memory; after a reconnection the backup gets all in flight once more. */
    private boolean isAcknowledgementOverdue(long nowNanos) {
        long oldestNanos = session.engine().oldestInFlightNanos();
        if (oldestNanos == Long.MAX_VALUE) {
            return false;
        }
        long since = Math.max(oldestNanos, lastContactNanos);
        long deadline = firstCommitted ? acknowledgementDeadlineNanos : FIRST_ACKNOWLEDGEMENT_DEADLINE.toNanos();
        return nowNanos - since > deadline;
    }

    /** Asks the backup if this host has been without it for so long that it may go on alone. */
    void goAloneIfDue(long nowNanos) {
        if (role.isAloneDue(nowNanos) && !askingBackup) {
            askBackup();
        }
    }

    long nanosUntilAlone(long nowNanos) {
        return askingBackup ? Long.MAX_VALUE : role.nanosUntilAlone(nowNanos);
    }

    // ---- contact with the backup

    /** From here on the backup may own the VM: what the guest sends waits for commits. */
    void firstCheckpointBegins(EpochId epoch) {
        role.firstCheckpointBegins();
        owner.outputIsHeldFrom(epoch);
    }

    void committed() {
        if (!firstCommitted) {
            firstCommitted = true;
            owner.isProtected();
        }
    }

    void acknowledged(EpochId epoch) {
        severIfWokenLate();
        if (role.mayRelease()) {
            FaultPoint.ACKNOWLEDGED.reached(epoch.value());
            lastContactNanos = time.nanos();
            session.engine().acknowledged(epoch, lastContactNanos);
        }
    }

    /** A disk has what a commit waited for: it follows now, if this host may still release, else with the next one. */
    void retryCommit() {
        severIfWokenLate();
        if (role.mayRelease()) {
            session.engine().retryCommit(time.nanos());
        }
    }

    /** A host that woke late must ask first, whatever lies in its socket buffers. */
    private void severIfWokenLate() {
        if (wakeGuard.wokeLate(time.nanos()) && firstCommitted) {
            sever("this host was not running for longer than the detection time", time.nanos());
        }
    }

    private void sever(String reason, long nowNanos) {
        if (role.severed(nowNanos)) {
            session.engine().disconnected();
            session.channel().reconnect(reason);
            owner.severed(reason);
        }
    }

    void disconnected(String cause) {
        session.engine().disconnected();
        if (role.severed(time.nanos())) {
            owner.severed(cause);
        }
    }

    void reconnected(EpochId lastWhole) {
        if (role.reconnected()) {
            lastContactNanos = time.nanos();
            session.engine().reconnected(lastWhole, lastContactNanos);
            session.engine().retryCommit(lastContactNanos);
            owner.reconnected(lastWhole);
        }
    }

    // ---- the end of the session

    /** Whether the backup may take the VM over in term {@code by}: only the next one, and only with a whole image. */
    boolean mayBeFencedIn(Term by) {
        return by.equals(session.term().next()) && firstCommitted && !signingOff;
    }

    /** Asks the backup to drop its image; the answer ends the session. */
    void signOff(String reason) {
        if (!signingOff) {
            signingOff = true;
            session.channel().signOff(reason);
        }
    }

    void signOffUnanswered(String reason) {
        signingOff = false;
        owner.signOffUnanswered(reason);
    }

    /** An operator vouches that the backup does not run the VM: it goes on here. */
    void goAlone(String reason) {
        backupGone(reason);
    }

    /** The backup has signed off, has no image any more, or never had one: it will not activate. */
    void backupGone(String reason) {
        if (role.backupGone()) {
            session.end().run();
            if (signingOff) {
                owner.signedOff(reason);
            } else {
                owner.alone(reason, true);
            }
        }
    }

    void backupActivated(String reason) {
        if (role.backupActivated()) {
            session.end().run();
            owner.lost(reason);
        }
    }

    /** A host that is about to go on alone first asks whether its backup has taken over, or still stands by. */
    private void askBackup() {
        askingBackup = true;
        Thread.ofVirtual().name("ask-backup").start(() -> {
            PeerAnswer answer = session.askPeer().get();
            agent.post(() -> {
                askingBackup = false;
                if (!session.hasEnded().getAsBoolean() && role.isAloneDue(time.nanos())) {
                    backupAnswered(answer);
                }
            });
        });
    }

    private void backupAnswered(PeerAnswer answer) {
        if (answer instanceof PeerAnswer.Answered(OwnerAnswer says)) {
            switch (says.state()) {
                case ACTIVATING, RUNNING_ALONE, RUNNING_PROTECTED, RUNNING_UNCERTAIN -> {
                    if (role.backupActivated()) {
                        owner.lost("the backup says " + says.state() + " " + says.text());
                    }
                    return;
                }
                case STANDBY -> {
                    role.postponeAlone(time.nanos());
                    return;
                }
                case FENCED, STOPPED -> {
                    // It had taken the VM over, and lost or ended it since: what is here is the older one.
                    if (role.backupActivated()) {
                        owner.lost("the backup says " + says.state() + " " + says.text());
                    }
                    return;
                }
                case UNKNOWN -> LOG.debug("the backup has nothing of the VM: {}", says);
            }
        }
        role.goAlone();
        session.end().run();
        owner.alone(
                "no contact with the backup " + session.backup() + " for " + PrimaryRole.ALONE_AFTER_DETECTION_TIMES
                        + " detection times (whenAlone: continue)",
                answer instanceof PeerAnswer.Answered(OwnerAnswer says)
                        && !says.term().isAfter(session.term()));
    }
}
