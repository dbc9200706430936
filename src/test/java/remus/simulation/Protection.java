package remus.simulation;

import java.lang.foreign.MemorySegment;
import java.util.Set;
import remus.availability.PrimaryEvent;
import remus.base.EpochId;
import remus.base.Term;
import remus.checkpoint.BackupChannel;
import remus.checkpoint.CheckpointEngine;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.EpochLengths;
import remus.checkpoint.PreCopyRound;
import remus.checkpoint.SmallRemainder;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;

/**
 * The primary's side of one protection session: joins the real engine, the channel and the devices, and gives the
 * ownership its events. Commits wait until the ownership has said {@code Release}.
 */
final class Protection implements CheckpointEngine.Observer, BackupChannel.Listener {
    private final PrimarySide side;
    private final Term term;
    private final Daemon daemon;
    private final Timing timing;
    private final SimChannel channel;
    private final GuestDevices devices;
    private final CheckpointEngine engine;
    private long lastBeatNanos;
    private long lastContactNanos;
    private long disconnectedSinceNanos = Long.MAX_VALUE;
    private long signOffDueNanos = Long.MAX_VALUE;
    private boolean lossReported;
    private boolean firstBegun;
    private boolean ended;

    Protection(PrimarySide side, Term term, Machine backup) {
        this.side = side;
        this.term = term;
        daemon = side.daemon();
        timing = daemon.world().timing();
        channel = new SimChannel(daemon, backup, term, this);
        devices = new GuestDevices(this, side, channel);
        engine = new CheckpointEngine(
                new CheckpointEngine.Settings(
                        new EpochLengths(timing.intervalNanos(), 4 * timing.intervalNanos(), 20),
                        GuestOutput.CAPACITY_BYTES,
                        Guest.PAGE_BYTES,
                        (long) Guest.PAGES * Guest.PAGE_BYTES),
                side.qmp(),
                new CheckpointEngine.Memory(devices.memory, new SmallRemainder()),
                devices.all(),
                channel,
                this);
    }

    void begin() {
        side.guest().observe(devices.disks, daemon);
        lastContactNanos = now();
        engine.begin();
    }

    private long now() {
        return daemon.world().scheduler().nanos();
    }

    Term term() {
        return term;
    }

    CheckpointEngine engine() {
        return engine;
    }

    SimChannel channel() {
        return channel;
    }

    /** The epoch that the guest's next frame belongs to. */
    EpochId epoch() {
        return engine.epoch();
    }

    long tick() {
        long nowNanos = now();
        channel.tick();
        if (ended) {
            return Long.MAX_VALUE;
        }
        boolean silent = isAcknowledgementOverdue(nowNanos)
                || (disconnectedSinceNanos != Long.MAX_VALUE
                        && nowNanos - disconnectedSinceNanos > timing.acknowledgementNanos());
        if (silent && firstBegun && !lossReported) {
            lossReported = true;
            lost("no acknowledgement within the deadline");
        }
        if (nowNanos >= signOffDueNanos) {
            signOffDueNanos = Long.MAX_VALUE;
            channel.withdrawSignOff();
            lost("the sign-off was not answered");
        }
        if (ended) {
            return Long.MAX_VALUE;
        }
        boolean progresses = !engine.isPausing() && engine.phase() != CheckpointEngine.Phase.ENDED;
        if (progresses && nowNanos - lastBeatNanos >= timing.detectNanos() / 4) {
            lastBeatNanos = nowNanos;
            channel.heartbeat(engine.sealed());
        }
        return Math.min(engine.tick(nowNanos), timing.detectNanos() / 4);
    }

    private boolean isAcknowledgementOverdue(long nowNanos) {
        return engine.oldestInFlightNanos() != Long.MAX_VALUE
                && nowNanos - Math.max(engine.oldestInFlightNanos(), lastContactNanos) > timing.acknowledgementNanos();
    }

    private void lost(String cause) {
        side.on(new PrimaryEvent.BackupLost(term, cause));
    }

    void retryCommit() {
        if (!ended) {
            engine.retryCommit(now());
        }
    }

    void signOff() {
        signOffDueNanos = now() + timing.acknowledgementNanos();
        channel.signOff("orderly end");
    }

    void reconnect() {
        engine.disconnected();
        channel.reconnect("a fresh hello is wanted");
    }

    /** The guest is dead: no more checkpoints, but the channel still brings the news. */
    void endEngine() {
        engine.end();
    }

    void end() {
        if (!ended) {
            ended = true;
            engine.end();
            side.guest().observe(null, daemon);
            channel.close();
            engine.close();
        }
    }

    // ---- QEMU's answers

    void suspended() {
        engine.guestSuspended();
    }

    void saved() {
        if (!ended && engine.phase() == CheckpointEngine.Phase.SAVING) {
            byte[] state = GuestDevices.deviceState(term, engine.epoch());
            try {
                engine.deviceState().append(MemorySegment.ofArray(state), 0, state.length);
            } catch (CheckpointException e) {
                throw new AssertionError(e);
            }
        }
        engine.guestSaved(now());
        if (!ended && engine.phase() == CheckpointEngine.Phase.RESUMING) {
            daemon.note("seals epoch %s of session %s", engine.sealed(), term);
            daemon.world().sabotage().sealed(side, this, engine.sealed());
        }
    }

    void resumed() {
        engine.guestResumed(now());
    }

    // ---- what the engine says

    @Override
    public void preCopyProgress(PreCopyRound soFar) {}

    @Override
    public void firstCheckpointBegins(EpochId epoch) {
        firstBegun = true;
        lastContactNanos = now();
        side.on(new PrimaryEvent.FirstCheckpointPaused(term));
    }

    @Override
    public void checkpointTaken(StagedCheckpoint checkpoint, long pauseNanos) {}

    @Override
    public void committed(EpochId epoch, long commitNanos) {}

    @Override
    public void deviceFailed(CheckpointException cause) {
        daemon.post(() -> {
            if (!ended) {
                lost(String.valueOf(cause.getMessage()));
            }
        });
    }

    // ---- what the channel says

    @Override
    public void backupReady(Set<String> disksWithContent) {
        devices.disks.attach();
        synchronizeDisks();
    }

    private void synchronizeDisks() {
        if (ended) {
            return;
        }
        if (devices.disks.synchronizeSome()) {
            engine.backupReady();
            daemon.wake();
        } else {
            daemon.post(this::synchronizeDisks);
        }
    }

    @Override
    public void diskDigests(int disk, long firstBlock, byte[] digests) {}

    @Override
    public void writesAreFilling() {
        engine.endEpochEarly();
    }

    @Override
    public void chunkSent(StagedPages chunk) {
        if (!ended) {
            engine.chunkSent(chunk);
        }
    }

    @Override
    public void acknowledged(EpochId epoch) {
        lastContactNanos = now();
        daemon.note("reads the acknowledgement of epoch %s of session %s", epoch, term);
        engine.acknowledged(epoch, now());
        side.on(new PrimaryEvent.Acknowledged(term, epoch));
    }

    @Override
    public void disconnected(String cause) {
        daemon.note("is disconnected: %s", cause);
        engine.disconnected();
        disconnectedSinceNanos = Math.min(disconnectedSinceNanos, now());
    }

    @Override
    public void reconnected(EpochId lastWhole) {
        daemon.note("is welcomed again, the backup holds epoch %s", lastWhole);
        lastContactNanos = now();
        disconnectedSinceNanos = Long.MAX_VALUE;
        lossReported = false;
        engine.reconnected(lastWhole, now());
        side.on(new PrimaryEvent.Reconnected(term, lastWhole));
    }

    @Override
    public void refused(String reason) {
        lost(reason);
    }

    @Override
    public void signedOff(String reason) {
        signOffDueNanos = Long.MAX_VALUE;
        lost("signed off: " + reason);
    }

    @Override
    public void signOffUnanswered(String reason) {
        throw new IllegalStateException("this side looks after the limit itself");
    }

    @Override
    public void reliefWanted(String reason) {
        throw new AssertionError(reason);
    }

    @Override
    public void backupLost(String reason) {
        lost(reason);
    }

    @Override
    public void backupActivated(String reason) {
        side.on(new PrimaryEvent.YieldRequested(term, reason));
    }

    @Override
    public void channelFailed(Throwable cause) {
        throw new Violation(Rule.CODE, "the channel failed", cause);
    }

    @Override
    public void verified(EpochId epoch, boolean equal) {}
}
