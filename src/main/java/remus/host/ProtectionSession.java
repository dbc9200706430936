package remus.host;

import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.CheckpointStatus;
import remus.availability.PrimaryRole;
import remus.availability.WakeGuard;
import remus.availability.WhenAlone;
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
import remus.checkpoint.StagedPages;
import remus.disk.DiskSynchronizer;
import remus.disk.SyncProgress;
import remus.replication.PeerAnswer;
import remus.wire.OwnerAnswer;

/**
 * The primary's side of one protection session: joins the engine that takes checkpoints, the channel to the backup and
 * the role that decides what may be released, and tells the owner what follows for the VM.
 *
 * <p>All methods are called on the VM's agent thread, except those of the channel's listener, which post to it. The
 * session ends once, by one of the owner's final calls; then {@link #end} has been called already.
 */
final class ProtectionSession implements CheckpointEngine.Observer {
    private static final Logger LOG = LoggerFactory.getLogger(ProtectionSession.class);

    /** Unacknowledged for so many detection times, a checkpoint means that the backup is lost; not below the minimum. */
    private static final int ACKNOWLEDGEMENT_DETECTION_TIMES = 4;

    private static final Duration MIN_ACKNOWLEDGEMENT_DEADLINE = Duration.ofSeconds(1);
    private static final Duration FIRST_ACKNOWLEDGEMENT_DEADLINE = Duration.ofMinutes(1);

    /** How long an fdatasync may hold up what the backup has acknowledged. */
    private static final Duration DISK_LIMIT = Duration.ofSeconds(10);

    /** What the session means for its VM. The last four end it. */
    interface Owner {
        /** Synchronizing goes on; {@code text} says how far. */
        void progress(String text);

        /** From the pause that is going on, output is held. */
        void outputIsHeldFrom(EpochId epoch);

        /** The backup has the first full checkpoint: the VM is protected. */
        void isProtected();

        /** No contact with the backup: output is held until it returns or something else is decided. */
        void severed(String reason);

        /** Contact again, nothing was lost. */
        void reconnected(EpochId lastWhole);

        /** A disk here does not answer, so that nothing can be committed any more; the backup's works. */
        void diskHangs(String reason);

        /** Digests of both sides were compared. */
        void verified(EpochId epoch, boolean equal);

        /** The backup did not answer the sign-off: what it does is unknown, so output stays held. */
        void signOffUnanswered(String reason);

        /** The backup never will activate: it has signed off as asked. */
        void signedOff(String reason);

        /** The backup's images of the disks equal ours from now on. */
        void disksSynchronized(String how);

        /**
         * This host goes on alone.
         *
         * @param backupHasNothing the backup has said, or an operator has, that it never will activate
         */
        void alone(String reason, boolean backupHasNothing);

        /** Another host owns the VM now. */
        void lost(String reason);

        /** It can't go on, for a reason on this host; the backup has yet to be told. */
        void failed(String reason);
    }

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
    private final Owner owner;
    private final Agent agent;
    private final Time time;
    private final BackupChannel channel;
    private final Runnable release;
    private final Supplier<PeerAnswer> askPeer;
    private final CheckpointEngine engine;
    private final VmDisks disks;
    private final PrimaryRole role;
    private final WakeGuard wakeGuard;
    private final CheckpointStatistics statistics = new CheckpointStatistics();
    private final long detectNanos;
    private final long acknowledgementDeadlineNanos;
    private boolean firstCommitted;
    private boolean signingOff;
    private boolean ended;
    private long lastHeartbeatNanos;
    private long lastContactNanos = Long.MIN_VALUE / 2;
    private boolean askingBackup;
    private boolean diskHangs;
    private @Nullable DiskSynchronizer synchronizer;

    ProtectionSession(
            ProtectionSettings settings,
            HostAddress backup,
            Term term,
            CheckpointEngine.Settings engineSettings,
            Parts parts,
            Owner owner,
            Agent agent,
            Time time) {
        this.settings = settings;
        this.backup = backup;
        this.term = term;
        this.owner = owner;
        this.agent = agent;
        this.time = time;
        detectNanos = settings.detect().toNanos();
        acknowledgementDeadlineNanos =
                Math.max(ACKNOWLEDGEMENT_DETECTION_TIMES * detectNanos, MIN_ACKNOWLEDGEMENT_DEADLINE.toNanos());
        role = new PrimaryRole(
                detectNanos,
                settings.whenAlone() == remus.api.WhenAlone.CONTINUE ? WhenAlone.CONTINUE : WhenAlone.HOLD);
        wakeGuard = new WakeGuard(detectNanos, time.nanos());
        release = parts.release();
        askPeer = parts.askPeer();
        disks = parts.disks();
        channel = parts.channel().create(new PostedListener());
        engine = new CheckpointEngine(engineSettings, parts.guest(), parts.memory(), parts.devices(), channel, this);
    }

    void begin() {
        role.sessionOpened();
        engine.begin();
    }

    /**
     * Does what is due.
     *
     * @return nanoseconds until it wants to be called again
     */
    long tick(long nowNanos) {
        boolean late = wakeGuard.wokeLate(nowNanos);
        // Before its first commit nobody can have taken over, and copying much of memory may well take that long.
        if (late && firstCommitted && role.state() == PrimaryRole.State.PROTECTED) {
            sever("this host was not running for longer than the detection time: asking the backup", nowNanos);
        }
        if (role.state() == PrimaryRole.State.PROTECTED && isAcknowledgementOverdue(nowNanos)) {
            sever(
                    "the backup has not acknowledged epoch "
                            + engine.committed().next() + " within " + acknowledgementDeadlineNanos / 1_000_000 + " ms",
                    nowNanos);
        }
        if (!diskHangs
                && nowNanos - engine.commitWaitsSinceNanos() > DISK_LIMIT.toNanos()
                && engine.commitWaitsSinceNanos() != Long.MAX_VALUE) {
            diskHangs = true;
            owner.diskHangs("an fdatasync has not ended for " + DISK_LIMIT.toSeconds() + " s");
        }
        if (role.isAloneDue(nowNanos) && !askingBackup) {
            askBackup();
        }
        beat(nowNanos);
        long next = engine.tick(nowNanos);
        long alone = askingBackup ? Long.MAX_VALUE : role.nanosUntilAlone(nowNanos);
        return Math.min(Math.min(next, alone), detectNanos / 4);
    }

    /** The first checkpoint may be most of memory; after a reconnection the backup gets all in flight once more. */
    private boolean isAcknowledgementOverdue(long nowNanos) {
        if (engine.oldestInFlightNanos() == Long.MAX_VALUE) {
            return false;
        }
        long since = Math.max(engine.oldestInFlightNanos(), lastContactNanos);
        long deadline = firstCommitted ? acknowledgementDeadlineNanos : FIRST_ACKNOWLEDGEMENT_DEADLINE.toNanos();
        return nowNanos - since > deadline;
    }

    /** A host that is about to go on alone first asks whether its backup has taken over, or still stands by. */
    private void askBackup() {
        askingBackup = true;
        Thread.ofVirtual().name("ask-backup").start(() -> {
            PeerAnswer answer = askPeer.get();
            agent.post(() -> {
                askingBackup = false;
                if (!ended && role.isAloneDue(time.nanos())) {
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
        end();
        owner.alone(
                "no contact with the backup " + backup + " for " + PrimaryRole.ALONE_AFTER_DETECTION_TIMES
                        + " detection times (whenAlone: continue)",
                answer instanceof PeerAnswer.Answered(OwnerAnswer says)
                        && !says.term().isAfter(term));
    }

    private void sever(String reason, long nowNanos) {
        if (role.severed(nowNanos)) {
            engine.disconnected();
            channel.reconnect(reason);
            owner.severed(reason);
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

    Term term() {
        return term;
    }

    HostAddress backup() {
        return backup;
    }

    ProtectionSettings settings() {
        return settings;
    }

    PrimaryRole.State roleState() {
        return role.state();
    }

    /** Whether the backup may take the VM over in term {@code by}: only the next one, and only with a whole image. */
    boolean mayBeFencedIn(Term by) {
        return by.equals(term.next()) && firstCommitted && !signingOff;
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

    CheckpointStatus statistics() {
        return statistics.status();
    }

    long pausedNanos() {
        return statistics.pausedNanos();
    }

    /** Asks the backup to drop its image; the answer ends the session. */
    void signOff(String reason) {
        if (!signingOff) {
            signingOff = true;
            channel.signOff(reason);
        }
    }

    /** An operator vouches that the backup does not run the VM: it goes on here. */
    void goAlone(String reason) {
        backupGone(reason);
    }

    /** Tells the backup that the VM is dead here; it takes over, and its word of that ends the session. */
    void reportGuestDead(String reason) {
        channel.reportGuestDead(reason);
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

    @Override
    public void preCopyProgress(int round, long pagesCopied, long pagesInRound) {
        long percent = pagesInRound == 0 ? 100 : 100 * pagesCopied / pagesInRound;
        owner.progress("round " + round + ": " + percent + "% of " + pagesInRound + " pages");
    }

    @Override
    public void firstCheckpointBegins(EpochId epoch) {
        role.firstCheckpointBegins();
        owner.outputIsHeldFrom(epoch);
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
        if (!firstCommitted) {
            firstCommitted = true;
            owner.isProtected();
        }
    }

    @Override
    public void deviceFailed(CheckpointException cause) {
        LOG.error("a checkpoint could not be taken", cause);
        agent.post(() -> {
            if (!ended) {
                owner.failed(String.valueOf(cause.getMessage()));
            }
        });
    }

    /** A disk has what a commit waited for: it follows now, if this host may still release, else with the next one. */
    void retryCommit() {
        severIfWokenLate();
        if (role.mayRelease()) {
            engine.retryCommit(time.nanos());
        }
    }

    /** A host that woke late must ask first, whatever lies in its socket buffers. */
    private void severIfWokenLate() {
        if (wakeGuard.wokeLate(time.nanos()) && firstCommitted) {
            sever("this host was not running for longer than the detection time", time.nanos());
        }
    }

    /** The backup waits: first for the disks, which take longest, then for memory. */
    private void backupReady(Set<String> disksWithContent) {
        if (engine.phase() != CheckpointEngine.Phase.CONNECTING) {
            return; // it has ended in between, and is being signed off
        }
        if (disks.isEmpty()) {
            engine.backupReady();
            return;
        }
        disks.guest().attach(channel);
        DiskSynchronizer begun = disks.guest()
                .synchronizer(
                        new DiskSynchronizer.Settings(settings.syncRate().bytes(), disksWithContent),
                        new PostedSynchronization());
        synchronizer = begun;
        begun.start();
    }

    private void backupGone(String reason) {
        if (role.backupGone()) {
            end();
            if (signingOff) {
                owner.signedOff(reason);
            } else {
                owner.alone(reason, true);
            }
        }
    }

    /** Brings what the synchronizer's thread says to the agent's. */
    private final class PostedSynchronization implements DiskSynchronizer.Listener {
        private volatile @Nullable SyncProgress last;

        private void post(Runnable task) {
            agent.post(() -> {
                if (!ended) {
                    task.run();
                }
            });
        }

        @Override
        public void progress(SyncProgress progress) {
            last = progress;
            post(() -> owner.progress(SynchronizationText.of(progress)));
        }

        @Override
        public void done() {
            SyncProgress result = last;
            post(() -> {
                owner.disksSynchronized(result == null ? "nothing to copy" : SynchronizationText.result(result));
                engine.backupReady();
            });
        }

        @Override
        public void failed(CheckpointException cause) {
            deviceFailed(cause);
        }

        @Override
        public void broken(Throwable cause) {
            post(() -> {
                throw new AssertionError("the synchronization of the disks failed", cause);
            });
        }
    }

    /** Brings what the channel's threads say to the agent's thread. */
    private final class PostedListener implements BackupChannel.Listener {
        private void post(Runnable task) {
            agent.post(() -> {
                if (!ended) {
                    task.run();
                }
            });
        }

        @Override
        public void backupReady(Set<String> disksWithContent) {
            post(() -> ProtectionSession.this.backupReady(disksWithContent));
        }

        @Override
        public void diskDigests(int disk, long firstBlock, byte[] digests) {
            post(() -> {
                DiskSynchronizer asking = synchronizer;
                if (asking != null) {
                    asking.digests(disk, firstBlock, digests);
                }
            });
        }

        @Override
        public void writesAreFilling() {
            post(engine::endEpochEarly);
        }

        @Override
        public void chunkSent(StagedPages chunk) {
            post(() -> engine.chunkSent(chunk));
        }

        @Override
        public void acknowledged(EpochId epoch) {
            post(() -> {
                severIfWokenLate();
                if (role.mayRelease()) {
                    FaultPoint.ACKNOWLEDGED.reached(epoch.value());
                    lastContactNanos = time.nanos();
                    engine.acknowledged(epoch, lastContactNanos);
                }
            });
        }

        @Override
        public void disconnected(String cause) {
            post(() -> {
                engine.disconnected();
                if (role.severed(time.nanos())) {
                    owner.severed(cause);
                }
            });
        }

        @Override
        public void reconnected(EpochId lastWhole) {
            post(() -> {
                if (role.reconnected()) {
                    lastContactNanos = time.nanos();
                    engine.reconnected(lastWhole, lastContactNanos);
                    engine.retryCommit(lastContactNanos);
                    owner.reconnected(lastWhole);
                }
            });
        }

        @Override
        public void refused(String reason) {
            post(() -> backupGone(reason));
        }

        @Override
        public void signedOff(String reason) {
            post(() -> backupGone(reason));
        }

        @Override
        public void signOffUnanswered(String reason) {
            post(() -> {
                signingOff = false;
                owner.signOffUnanswered(reason);
            });
        }

        @Override
        public void backupLost(String reason) {
            post(() -> backupGone(reason));
        }

        @Override
        public void backupActivated(String reason) {
            post(() -> {
                if (role.backupActivated()) {
                    end();
                    owner.lost(reason);
                }
            });
        }

        @Override
        public void channelFailed(Throwable cause) {
            post(() -> {
                if (cause instanceof Error error) {
                    throw error;
                }
                throw new AssertionError("the channel failed", cause);
            });
        }

        @Override
        public void verified(EpochId epoch, boolean equal) {
            post(() -> owner.verified(epoch, equal));
        }
    }
}
