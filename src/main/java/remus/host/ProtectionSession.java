package remus.host;

import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.CheckpointStatus;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.base.Time;
import remus.checkpoint.BackupChannel;
import remus.checkpoint.CheckpointDevice;
import remus.checkpoint.CheckpointEngine;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.GuestControl;
import remus.checkpoint.PreCopySource;
import remus.checkpoint.StagedCheckpoint;
import remus.replication.PeerAnswer;

/**
 * The primary's side of one protection session: joins the engine that takes checkpoints, the channel to the backup, whose
 * words come by {@link SessionContact}, the synchronization of the disks, and {@link SessionOwnership}, which decides what
 * may be released. What follows for the VM is told to the {@link SessionOwner}.
 *
 * <p>All methods are called on the VM's agent thread. The session ends once, by one of the owner's final calls; then
 * {@link #end} has been called already.
 */
final class ProtectionSession implements CheckpointEngine.Observer, SessionSynchronization.Listener {
    private static final Logger LOG = LoggerFactory.getLogger(ProtectionSession.class);

    /** How long an fdatasync may hold up what the backup has acknowledged. */
    private static final Duration DISK_LIMIT = Duration.ofSeconds(10);

    /**
     * What the session works with.
     *
     * @param askPeer asks the backup who owns the VM; blocks for about a detection time at most
     * @param release called once after the end, on a thread of its own, when nothing is used any more
     */
    record Parts(
            GuestControl guest,
            PreCopySource memory,
            List<CheckpointDevice> devices,
            VmDisks disks,
            BackupChannelFactory channel,
            Supplier<PeerAnswer> askPeer,
            Runnable release) {}

    /** Opens the channel of a session. */
    @FunctionalInterface
    interface BackupChannelFactory {
        BackupChannel create(BackupChannel.Listener listener);
    }

    private final ProtectionSettings settings;
    private final HostAddress backup;
    private final Term term;
    private final SessionOwner owner;
    private final Agent agent;
    private final Time time;
    private final BackupChannel channel;
    private final Runnable release;
    private final CheckpointEngine engine;
    private final VmDisks disks;
    private final SessionOwnership ownership;
    private final SessionSynchronization synchronization;
    private final CheckpointStatistics statistics = new CheckpointStatistics();
    private final long detectNanos;
    private boolean ended;
    private long lastHeartbeatNanos;
    private boolean diskHangs;

    ProtectionSession(
            ProtectionSettings settings,
            HostAddress backup,
            Term term,
            CheckpointEngine.Settings engineSettings,
            Parts parts,
            SessionOwner owner,
            Agent agent,
            Time time) {
        this.settings = settings;
        this.backup = backup;
        this.term = term;
        this.owner = owner;
        this.agent = agent;
        this.time = time;
        detectNanos = settings.detect().toNanos();
        release = parts.release();
        disks = parts.disks();
        channel = parts.channel().create(new SessionContact(this, this::post));
        engine = new CheckpointEngine(engineSettings, parts.guest(), parts.memory(), parts.devices(), channel, this);
        ownership = new SessionOwnership(
                new SessionOwnership.Session(backup, term, engine, channel, parts.askPeer(), () -> ended, this::end),
                settings,
                owner,
                agent,
                time);
        synchronization =
                new SessionSynchronization(disks, channel, settings.syncRate().bytes(), this, this::post);
    }

    private void post(Runnable task) {
        agent.post(() -> {
            if (!ended) {
                task.run();
            }
        });
    }

    void begin() {
        ownership.opened();
        engine.begin();
    }

    /**
     * Does what is due.
     *
     * @return nanoseconds until it wants to be called again
     */
    long tick(long nowNanos) {
        ownership.tick(nowNanos);
        if (!diskHangs
                && nowNanos - engine.commitWaitsSinceNanos() > DISK_LIMIT.toNanos()
                && engine.commitWaitsSinceNanos() != Long.MAX_VALUE) {
            diskHangs = true;
            owner.diskHangs("an fdatasync has not ended for " + DISK_LIMIT.toSeconds() + " s");
        }
        ownership.goAloneIfDue(nowNanos);
        beat(nowNanos);
        long next = engine.tick(nowNanos);
        return Math.min(Math.min(next, ownership.nanosUntilAlone(nowNanos)), detectNanos / 4);
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

    SessionOwnership ownership() {
        return ownership;
    }

    SessionSynchronization synchronization() {
        return synchronization;
    }

    Term term() {
        return term;
    }

    HostAddress backup() {
        return backup;
    }

    ProtectionSettings settings() {
        return settings;
    }

    CheckpointStatus statistics() {
        return statistics.status();
    }

    long pausedNanos() {
        return statistics.pausedNanos();
    }

    /** The device state is in place: as {@link CheckpointEngine#guestSaved}, and the backup is told of life meanwhile. */
    void guestSaved(long nowNanos) {
        boolean digests = settings.verifyEvery() > 0
                && engine.phase() == CheckpointEngine.Phase.SAVING
                && engine.epoch().value() % settings.verifyEvery() == 0;
        if (!digests) {
            engine.guestSaved(nowNanos);
            return;
        }
        // A digest of all memory takes longer than a detection time; it is progress all the same.
        CountDownLatch done = new CountDownLatch(1);
        EpochId sealed = engine.sealed();
        Thread beating = Thread.ofVirtual().name("verify-beat").start(() -> beatUntil(done, sealed));
        try {
            engine.guestSaved(nowNanos);
        } finally {
            done.countDown();
            joinQuietly(beating);
        }
    }

    private void beatUntil(CountDownLatch done, EpochId sealed) {
        try {
            while (!done.await(detectNanos / 4, TimeUnit.NANOSECONDS)) {
                channel.heartbeat(sealed);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void joinQuietly(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Asks the backup to drop its image; the answer ends the session. */
    void signOff(String reason) {
        ownership.signOff(reason);
    }

    /** Tells the backup that the VM is dead here; it takes over, and its word of that ends the session. */
    void reportGuestDead(String reason) {
        channel.reportGuestDead(reason);
    }

    /** A disk has what a commit waited for. */
    void retryCommit() {
        ownership.retryCommit();
    }

    /** Ends all parts; staging memory is freed when the channel's threads have let go of it. Idempotent. */
    void end() {
        if (ended) {
            return;
        }
        ended = true;
        engine.end();
        Thread.ofVirtual().name("session-end").start(() -> {
            channel.close();
            engine.close();
            release.run();
        });
    }

    // ---- what the engine says

    @Override
    public void preCopyProgress(int round, long pagesCopied, long pagesInRound) {
        long percent = pagesInRound == 0 ? 100 : 100 * pagesCopied / pagesInRound;
        owner.progress("round " + round + ": " + percent + "% of " + pagesInRound + " pages");
    }

    @Override
    public void firstCheckpointBegins(EpochId epoch) {
        ownership.firstCheckpointBegins(epoch);
    }

    @Override
    public void checkpointTaken(StagedCheckpoint checkpoint, long pauseNanos) {
        statistics.taken(
                pauseNanos,
                checkpoint.pages().pageCount(),
                checkpoint.pages().dataBytes() + checkpoint.deviceState().size(),
                time.nanos());
    }

    @Override
    public void committed(EpochId epoch, long commitNanos) {
        statistics.committed(commitNanos);
        ownership.committed();
    }

    @Override
    public void deviceFailed(CheckpointException cause) {
        LOG.error("a checkpoint could not be taken", cause);
        post(() -> owner.failed(String.valueOf(cause.getMessage())));
    }

    // ---- what the backup and the synchronization say

    /** The backup waits: first for the disks, which take longest, then for memory. */
    void backupReady(Set<String> disksWithContent) {
        if (engine.phase() != CheckpointEngine.Phase.CONNECTING) {
            return; // it has ended in between, and is being signed off
        }
        if (disks.isEmpty()) {
            engine.backupReady();
        } else {
            synchronization.begin(disksWithContent);
        }
    }

    void verified(EpochId epoch, boolean equal) {
        owner.verified(epoch, equal);
    }

    @Override
    public void diskProgress(String text) {
        owner.progress(text);
    }

    @Override
    public void disksSynchronized(String how) {
        owner.disksSynchronized(how);
        engine.backupReady();
    }

    @Override
    public void synchronizationFailed(CheckpointException cause) {
        LOG.error("the disks could not be synchronized", cause);
        owner.failed(String.valueOf(cause.getMessage()));
    }
}
