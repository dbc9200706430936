package remus.host;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.CheckpointStatus;
import remus.availability.WakeGuard;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.base.Time;
import remus.checkpoint.BackupChannel;
import remus.checkpoint.CheckpointDevice;
import remus.checkpoint.CheckpointEngine;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.GuestControl;
import remus.checkpoint.PreCopyRound;
import remus.checkpoint.PreCopySource;
import remus.checkpoint.SmallRemainder;
import remus.checkpoint.StagedCheckpoint;
import remus.qemu.RealTimeThreads;

/**
 * The primary's side of one protection session: joins the engine that takes checkpoints, the channel to the backup, whose
 * words come by {@link SessionContact}, the synchronization of the disks, and the gate that keeps output back until the VM's
 * ownership allows its release. It decides nothing about that: what happens is told to the {@link SessionOwner}.
 *
 * <p>All methods are called on the VM's agent thread. The session ends once, by {@link #end}. Before that the VM may let go
 * of it by {@link #part}: then all that still counts of it is what its backup says of its own end.
 */
final class ProtectionSession implements CheckpointEngine.Observer, SessionSynchronization.Listener {
    private static final Logger LOG = LoggerFactory.getLogger(ProtectionSession.class);

    /** How long an fdatasync may hold up what the backup has acknowledged. */
    private static final Duration DISK_LIMIT = Duration.ofSeconds(10);

    /**
     * What the session works with.
     *
     * @param ready called when the backup has all that it needs to know, and at the end at the latest; may be repeated
     * @param release called once after the end, on a thread of its own, when nothing is used any more
     */
    record Parts(
            GuestControl guest,
            PreCopySource memory,
            List<CheckpointDevice> devices,
            VmDisks disks,
            BackupChannelFactory channel,
            RealTimeThreads.OfSession threads,
            Runnable ready,
            Runnable release) {}

    /** Opens the channel of a session. */
    @FunctionalInterface
    interface BackupChannelFactory {
        BackupChannel create(BackupChannel.Listener listener);
    }

    private final SessionPlan plan;
    private final SessionOwner owner;
    private SessionEnd ending;
    private final Agent agent;
    private final Time time;
    private final BackupChannel channel;
    private final RealTimeThreads.OfSession threads;
    private final Runnable ready;
    private final Runnable release;
    private final CheckpointEngine engine;
    private final VmDisks disks;
    private final ReleaseGate gate = new ReleaseGate();
    private final SessionWatch watch;
    private final SessionSynchronization synchronization;
    private final CheckpointStatistics statistics = new CheckpointStatistics();
    private final SessionProgress watched;
    private final long detectNanos;
    private boolean isRealTime;
    private boolean parting;
    private boolean ended;
    private long lastHeartbeatNanos;
    private boolean diskHangs;
    private int syncedRound;
    private long releasedAtNanos;

    ProtectionSession(
            SessionPlan plan,
            CheckpointEngine.Settings engineSettings,
            Parts parts,
            SessionOwner owner,
            Agent agent,
            Time time) {
        this.plan = plan;
        this.owner = owner;
        ending = owner;
        this.agent = agent;
        this.time = time;
        ProtectionSettings settings = plan.settings();
        detectNanos = settings.detect().toNanos();
        threads = parts.threads();
        ready = parts.ready();
        release = parts.release();
        disks = parts.disks();
        channel = parts.channel().create(new SessionContact(this));
        List<CheckpointDevice> devices = new ArrayList<>(parts.devices());
        devices.add(gate);
        Migration migration = plan.migration();
        watched = migration == null ? SessionProgress.UNWATCHED : migration;
        CheckpointEngine.Memory memory =
                new CheckpointEngine.Memory(parts.memory(), migration == null ? new SmallRemainder() : migration);
        engine = new CheckpointEngine(engineSettings, parts.guest(), memory, devices, channel, this);
        watch = new SessionWatch(settings, time.nanos());
        synchronization =
                new SessionSynchronization(disks, channel, settings.syncRate().bytes(), this, this::post);
    }

    /** Has the agent do {@code task}, unless the VM has let go of the session by then. */
    void post(Runnable task) {
        agent.post(() -> {
            if (!ended && !parting) {
                task.run();
            }
        });
    }

    /** As {@link #post}, but of a session that is parting, too. */
    void postEnd(Consumer<SessionEnd> word) {
        agent.post(() -> {
            if (!ended) {
                word.accept(ending);
            }
        });
    }

    /**
     * Ends it but for its backup, which is asked to drop its image: what that answers is told to {@code next}, and nothing
     * else of this session to anybody.
     */
    void part(SessionEnd next, String reason) {
        parting = true;
        ending = next;
        engine.end();
        setRealTime(false);
        signOff(reason);
    }

    /**
     * Ends it but for its backup, which is ordered to take over; as {@link #part} otherwise. All that the guest has done is
     * there, for its last checkpoint is committed.
     */
    void handOver(SessionEnd next, String reason) {
        parting = true;
        ending = next;
        // Before the end of the tracking, which takes a while: the guest stands still.
        channel.handOver(Math.max(0, time.nanos() - engine.suspendedAtNanos()), reason);
        engine.end();
        setRealTime(false);
    }

    /** What the backup of a session that is parting says is told to {@code next} from now on. */
    void heardBy(SessionEnd next) {
        ending = next;
    }

    /** Whether the images of the disks go with the VM as they are. */
    boolean sharesDisks() {
        return plan.sharesDisks();
    }

    /**
     * The last checkpoint is not the last one after all, and the guest goes on if it stands still for that. Where its images
     * may be the destination's by now it stands still until the VM is this host's by the record.
     */
    void goOn() {
        boolean awaitsOwner = plan.sharesDisks() && engine.phase() == CheckpointEngine.Phase.HALTED;
        if (!awaitsOwner) {
            engine.goOn();
        }
    }

    /** The next checkpoint is the guest's last one here: its owner is told when that is committed. */
    void takeLast() {
        watched.takesLast();
        engine.takeLast();
    }

    void begin() {
        engine.begin();
    }

    /**
     * Does what is due.
     *
     * @return nanoseconds until it wants to be called again
     */
    long tick(long nowNanos) {
        lookAtContact(nowNanos);
        if (!diskHangs
                && gate.mayCommit(engine.committed().next())
                && engine.commitWaitsSinceNanos() != Long.MAX_VALUE
                && nowNanos - Math.max(engine.commitWaitsSinceNanos(), releasedAtNanos) > DISK_LIMIT.toNanos()) {
            diskHangs = true;
            owner.diskHangs("an fdatasync has not ended for " + DISK_LIMIT.toSeconds() + " s");
        }
        beat(nowNanos);
        return Math.min(engine.tick(nowNanos), detectNanos / 4);
    }

    private void lookAtContact(long nowNanos) {
        tellIfWokenLate(nowNanos);
        String overdue = watch.overdue(engine, nowNanos);
        if (overdue != null) {
            reconnect(overdue);
            owner.severed(overdue);
        }
        if (watch.isGivenUp(nowNanos)) {
            owner.givenUp("no contact with the backup " + backup());
        }
    }

    /** A host that woke late must ask first, whatever lies in its socket buffers. */
    private void tellIfWokenLate(long nowNanos) {
        if (watch.wokeLate(nowNanos)) {
            owner.wokeLate();
        }
    }

    /**
     * Tells the backup that checkpoints make progress; while QEMU owes an answer they do not, unless it is a slow disk that
     * it waits for: no backup would be quicker for that. How long that may take is for QEMU's reply limit to say.
     */
    private void beat(long nowNanos) {
        if ((!engine.isPausing() || disks.guest().isBusy())
                && engine.phase() != CheckpointEngine.Phase.ENDED
                && nowNanos - lastHeartbeatNanos >= detectNanos / 4) {
            lastHeartbeatNanos = nowNanos;
            channel.heartbeat(engine.sealed());
        }
    }

    CheckpointEngine engine() {
        return engine;
    }

    BackupChannel channel() {
        return channel;
    }

    SessionSynchronization synchronization() {
        return synchronization;
    }

    Term term() {
        return plan.term();
    }

    HostAddress backup() {
        return plan.backup();
    }

    ProtectionSettings settings() {
        return plan.settings();
    }

    /** The VM is to be the backup's as soon as that has all of it; null: it is to be protected. */
    @Nullable
    Migration migration() {
        return plan.migration();
    }

    CheckpointStatus statistics() {
        return statistics.status();
    }

    /** The device state is in place: as {@link CheckpointEngine#guestSaved}, and the backup is told of life meanwhile. */
    void guestSaved(long nowNanos) {
        boolean takesLong = engine.phase() == CheckpointEngine.Phase.SAVING
                && (plan.wantsDigest(engine.epoch()) || plan.sharesDisks());
        if (!takesLong) {
            engine.guestSaved(nowNanos);
            return;
        }
        // A digest of all memory takes longer than a detection time, and so may an fdatasync; it is progress all the
        // same.
        CountDownLatch done = new CountDownLatch(1);
        EpochId sealed = engine.sealed();
        WakeGuard guard = new WakeGuard(detectNanos, nowNanos);
        AtomicBoolean slept = new AtomicBoolean();
        Thread beating = Thread.ofVirtual().name("pause-beat").start(() -> slept.set(beatUntil(done, sealed, guard)));
        try {
            engine.guestSaved(nowNanos);
        } finally {
            done.countDown();
            joinQuietly(beating);
        }
        if (!slept.get()) {
            watch.wasAwake(time.nanos()); // it has computed all the time
        }
    }

    /** Returns whether this process was not running for longer than the detection time meanwhile. */
    private boolean beatUntil(CountDownLatch done, EpochId sealed, WakeGuard guard) {
        boolean slept = false;
        try {
            while (!done.await(detectNanos / 4, TimeUnit.NANOSECONDS)) {
                slept |= guard.wokeLate(time.nanos());
                channel.heartbeat(sealed);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return true;
        }
        return guard.wokeLate(time.nanos()) || slept;
    }

    private static void joinQuietly(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** The output of all epochs up to {@code upTo} may leave, as soon as the guest's disks allow it, too. */
    void release(EpochId upTo) {
        releasedAtNanos = time.nanos();
        gate.release(upTo);
        engine.retryCommit(releasedAtNanos);
    }

    /** The connection is dropped and made again; what was allowed to leave before waits for that, too. */
    void reconnect(String reason) {
        gate.shut();
        engine.disconnected();
        watch.disconnected(time.nanos());
        channel.reconnect(reason);
    }

    /** Asks the backup to drop its image. */
    void signOff(String reason) {
        channel.signOff(reason);
    }

    /** Tells the backup that the VM is dead here; it takes over, and says so. */
    void reportGuestDead(String reason) {
        channel.reportGuestDead(reason);
    }

    /** A disk has what a commit waited for. */
    void retryCommit() {
        tellIfWokenLate(time.nanos());
        engine.retryCommit(time.nanos());
    }

    /** Ends all parts; staging memory is freed when the channel's threads have let go of it. Idempotent. */
    void end() {
        if (ended) {
            return;
        }
        ended = true;
        engine.end();
        setRealTime(false);
        Thread.ofVirtual().name("session-end").start(() -> {
            channel.close();
            engine.close();
            ready.run();
            release.run();
        });
    }

    // ---- what the engine says

    @Override
    public void preCopyProgress(PreCopyRound soFar) {
        watched.progress(soFar);
        if (plan.sharesDisks() && soFar.round() != syncedRound) {
            syncedRound = soFar.round();
            disks.guest().syncAhead(); // so that little of that is left for the pause
        }
        long percent = soFar.pages() == 0 ? 100 : 100 * soFar.pagesCopied() / soFar.pages();
        owner.progress("round %d: %d%% of %d pages".formatted(soFar.round(), percent, soFar.pages()));
    }

    @Override
    public void firstCheckpointBegins(EpochId epoch) {
        watched.firstCheckpoint();
        owner.firstCheckpointPaused(epoch);
    }

    @Override
    public void checkpointTaken(StagedCheckpoint checkpoint, long pauseNanos) {
        statistics.taken(
                pauseNanos,
                checkpoint.pages().pageCount(),
                checkpoint.deviceState().size(),
                channel.rawPageBytes(),
                channel.sentPageBytes(),
                time.nanos());
        watched.taken(checkpoint, pauseNanos);
    }

    @Override
    public void committed(EpochId epoch, long commitNanos) {
        setRealTime(true);
        statistics.committed(commitNanos);
        if (engine.hasCommittedLast()) {
            post(owner::lastCommitted);
        } else if (watched.wantsLast(epoch)) {
            post(() -> {
                if (watched.wantsLast(epoch)) { // it may have been cancelled in between
                    takeLast();
                }
            });
        }
    }

    /** From the first commit on: copying all memory has time. */
    private void setRealTime(boolean realTime) {
        if (isRealTime != realTime) {
            isRealTime = realTime;
            threads.setRealTime(realTime);
        }
    }

    @Override
    public void deviceFailed(CheckpointException cause) {
        if (plan.migration() != null && cause.getCause() == null) {
            LOG.warn("a migration ends: {}", cause.getMessage()); // as ordered, or as the guest's disks want it
        } else {
            LOG.error("a checkpoint could not be taken", cause);
        }
        post(() -> owner.failed(String.valueOf(cause.getMessage())));
    }

    // ---- what the backup and the synchronization say

    void welcomed() {
        watch.welcomed();
    }

    /** The backup waits: first for the disks, which take longest, then for memory. */
    void backupReady(Set<String> disksWithContent) {
        watch.ready();
        ready.run();
        if (engine.phase() != CheckpointEngine.Phase.CONNECTING) {
            return; // it has ended in between, and is being signed off
        }
        boolean copiesDisks = !disks.isEmpty() && !plan.sharesDisks();
        watched.ready(copiesDisks);
        engine.holdWhereAlways(time.nanos());
        if (!copiesDisks) {
            engine.backupReady();
        } else {
            synchronization.begin(disksWithContent);
        }
    }

    void acknowledged(EpochId epoch) {
        long nowNanos = time.nanos();
        tellIfWokenLate(nowNanos);
        FaultPoint.ACKNOWLEDGED.reached(epoch.value());
        watch.acknowledged(epoch, nowNanos);
        engine.acknowledged(epoch, nowNanos);
        owner.acknowledged(epoch);
    }

    void disconnected(String cause) {
        engine.disconnected();
        watch.disconnected(time.nanos());
        owner.severed("the backup is out of reach: " + cause);
    }

    void reconnected(EpochId lastWhole) {
        long nowNanos = time.nanos();
        if (watch.wokeLate(nowNanos)) {
            owner.wokeLate(); // this hello may be from before: another one is asked for
            return;
        }
        watch.reconnected(lastWhole, nowNanos);
        engine.reconnected(lastWhole, nowNanos);
        owner.reconnected(lastWhole);
    }

    SessionOwner owner() {
        return owner;
    }

    @Override
    public void diskProgress(String text) {
        owner.progress(text);
    }

    @Override
    public void disksSynchronized(String how, long bytesSent) {
        watched.disksCopied(bytesSent);
        owner.disksSynchronized(how);
        engine.backupReady();
    }

    @Override
    public void synchronizationFailed(CheckpointException cause) {
        LOG.error("the disks could not be synchronized", cause);
        owner.failed(String.valueOf(cause.getMessage()));
    }
}
