package remus.host;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import remus.api.MigrationMode;
import remus.api.MigrationRound;
import remus.api.MigrationSettling;
import remus.api.MigrationStage;
import remus.api.MigrationStatus;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Time;
import remus.checkpoint.PreCopyPolicy;
import remus.checkpoint.PreCopyRound;
import remus.checkpoint.StagedCheckpoint;
import remus.memory.GuestMemory;
import remus.migration.MigrationPlan;
import remus.migration.PreCopyRules;

/**
 * One migration of a VM from this host: what it is to be, how far it is, how it ended. Asks its rules about the rounds, as
 * the engine asks it, and remembers what they did.
 *
 * <p>What has ended stays as it ended, whatever its session still does. Changed on the VM's agent thread, and after the hand-over on the thread that waits for that; read by any.
 */
final class Migration implements PreCopyPolicy, SessionProgress {
    /**
     * So many checkpoints are committed before the last one. They have the record of ownership written, and both hosts run
     * what the last one needs while the guest runs too, not while it stands still.
     */
    static final int SETTLING_CHECKPOINTS = 4;

    private final Order order;
    private final PreCopyRules rules;
    private final Time time;
    private final long beganNanos;
    private final CompletableFuture<Void> handedOver = new CompletableFuture<>();
    private final List<MigrationRound> rounds = new ArrayList<>();

    private MigrationStage stage = MigrationStage.CONNECTING;
    private @Nullable String reason;
    private @Nullable Long readyNanos;
    private @Nullable Long endNanos;
    private @Nullable Long downtimeMicros;
    private @Nullable Long outputMicros;
    private @Nullable Boolean memoryEqual;
    private @Nullable MigrationRound current;
    private long stoppedNanos;
    private long diskBytes;
    private long bytesSent;
    private boolean isForGood;
    private long settlingSinceNanos;
    private long settlingNanos;
    private int settlingCheckpoints;
    private long settlingPages;
    private long settlingBytes;
    private long settlingPauseNanos;
    private long stopAndCopyPages;

    /**
     * What was asked for.
     *
     * @param from this host's name
     * @param isProtected whether it had a backup, and is to have one at its destination
     * @param isToBackup whether the destination is that backup: it is switched over to, and nothing of the plan applies
     */
    record Order(
            String vm,
            String from,
            HostAddress to,
            long memoryBytes,
            boolean isProtected,
            boolean isToBackup,
            MigrationPlan plan) {
        /** What is going to happen. */
        List<String> sentences() {
            if (isToBackup) {
                return List.of(
                        "The destination is the VM's backup and has all of it already: the guest is suspended for a last"
                                + " checkpoint and goes on there, as by remus switchover; this host is its backup then.");
            }
            if (!isProtected) {
                return plan.sentences();
            }
            List<String> all = new ArrayList<>(plan.sentences());
            all.addFirst(
                    "The VM gives up the backup that it has, and is protected again from its new host: until then it has"
                            + " none.");
            return all;
        }
    }

    Migration(Order order, Time time) {
        this.order = order;
        this.time = time;
        rules = new PreCopyRules(order.plan(), GuestMemory.PAGE_BYTES);
        beganNanos = time.nanos();
    }

    Order order() {
        return order;
    }

    /** Completes when the VM is the destination's, or exceptionally when it stays here. */
    CompletableFuture<Void> handedOver() {
        return handedOver;
    }

    synchronized boolean hasEnded() {
        return stage == MigrationStage.DONE || stage == MigrationStage.FAILED;
    }

    // ---- how it goes

    @Override
    public synchronized void ready(boolean hasDisks) {
        if (hasEnded()) {
            return;
        }
        readyNanos = time.nanos();
        stage = hasDisks ? MigrationStage.COPYING_DISKS : MigrationStage.PUSHING;
    }

    @Override
    public synchronized void disksCopied(long bytes) {
        if (hasEnded()) {
            return;
        }
        diskBytes = bytes;
        stage = MigrationStage.PUSHING;
    }

    @Override
    public synchronized Decision decide(@Nullable PreCopyRound done, long pagesLeft) {
        if (done != null) {
            rounds.add(describe(done, pagesLeft));
            bytesSent += done.bytes();
        }
        current = null;
        Decision decision = rules.decide(done, pagesLeft);
        isForGood = decision == Decision.SUSPEND_FOR_GOOD;
        return decision;
    }

    @Override
    public synchronized void progress(PreCopyRound soFar) {
        if (hasEnded()) {
            return;
        }
        current = describe(soFar, 0);
    }

    private MigrationRound describe(PreCopyRound round, long pagesLeft) {
        return new MigrationRound(
                round.round(),
                round.pages(),
                round.pagesSent(),
                round.zeroPages(),
                round.skippedPages(),
                round.bytes(),
                round.nanos() / 1_000,
                rules.bytesPerSecond(),
                pagesLeft,
                round.nanos() == 0 ? 0 : (int) (100 * round.guestHeldNanos() / round.nanos()));
    }

    @Override
    public long bytesPerSecond() {
        return rules.bytesPerSecond();
    }

    @Override
    public int heldPercent() {
        return rules.heldPercent();
    }

    @Override
    public synchronized void firstCheckpoint() {
        if (hasEnded()) {
            return;
        }
        current = null;
        settlingSinceNanos = time.nanos();
        if (isForGood) {
            stopsAndCopies();
        } else {
            stage = MigrationStage.SETTLING;
        }
    }

    @Override
    public synchronized boolean wantsLast(EpochId committed) {
        return stage == MigrationStage.SETTLING && committed.value() >= SETTLING_CHECKPOINTS;
    }

    @Override
    public synchronized void takesLast() {
        if (hasEnded()) {
            return;
        }
        if (stage == MigrationStage.SETTLING) {
            settlingNanos = time.nanos() - settlingSinceNanos;
        }
        stopsAndCopies();
    }

    private void stopsAndCopies() {
        Long ready = readyNanos;
        stoppedNanos = ready != null && order.plan().mode() == MigrationPlan.Mode.STOP_THE_WORLD ? ready : time.nanos();
        stage = MigrationStage.STOP_AND_COPY;
    }

    @Override
    public synchronized void taken(StagedCheckpoint checkpoint, long pauseNanos) {
        if (hasEnded()) {
            return;
        }
        long pages = checkpoint.pages().pageCount();
        long bytes = checkpoint.pages().dataBytes() + checkpoint.deviceState().size();
        bytesSent += bytes;
        if (stage == MigrationStage.SETTLING) {
            settlingCheckpoints++;
            settlingPages += pages;
            settlingBytes += bytes;
            settlingPauseNanos += pauseNanos;
        } else {
            stopAndCopyPages = pages;
        }
    }

    /** Whether the checkpoint about to be sealed is the one that is compared: the last one. */
    synchronized boolean wantsDigest() {
        return order.plan().verify() && stage == MigrationStage.STOP_AND_COPY;
    }

    synchronized void verified(boolean equal) {
        memoryEqual = equal;
    }

    /** Whether the memory of both hosts is to be compared before the VM may be handed over, and was not yet. */
    synchronized boolean awaitsVerification() {
        return order.plan().verify() && memoryEqual == null;
    }

    synchronized void handingOver() {
        if (hasEnded()) {
            return;
        }
        stage = MigrationStage.HANDING_OVER;
    }

    // ---- how it ended

    /** @param figures what the destination says of it */
    synchronized void done(String figures) {
        Long micros = Switchover.stillMicrosIn(figures);
        downtimeMicros = micros;
        outputMicros = Switchover.outputMicrosIn(figures);
        end(MigrationStage.DONE, figures);
        if (micros != null) {
            endNanos = stoppedNanos + 1_000 * micros; // and not when this host was told
        }
    }

    synchronized void failed(String why) {
        if (!hasEnded()) {
            end(MigrationStage.FAILED, why);
        }
    }

    private void end(MigrationStage last, String why) {
        current = null;
        stage = last;
        reason = why;
        endNanos = time.nanos();
    }

    private MigrationMode mode() {
        return switch (order.plan().mode()) {
            case PRE_COPY -> MigrationMode.PRE_COPY;
            case STOP_THE_WORLD -> MigrationMode.STOP_THE_WORLD;
        };
    }

    synchronized MigrationStatus status() {
        List<MigrationRound> shown = new ArrayList<>(rounds);
        if (current != null) {
            shown.add(current);
        }
        Long ready = readyNanos;
        Long end = endNanos;
        long nowNanos = end == null ? time.nanos() : end;
        return new MigrationStatus(
                order.vm(),
                order.from(),
                order.to().toString(),
                mode(),
                stage,
                order.sentences(),
                shown,
                rules.stopCondition(),
                reason,
                order.memoryBytes(),
                diskBytes,
                settling(),
                stopAndCopyPages,
                bytesSent,
                ((ready == null ? nowNanos : ready) - beganNanos) / 1_000,
                ready == null ? 0 : (nowNanos - ready) / 1_000,
                downtimeMicros,
                outputMicros,
                memoryEqual);
    }

    private @Nullable MigrationSettling settling() {
        return settlingCheckpoints == 0
                ? null
                : new MigrationSettling(
                        settlingCheckpoints,
                        settlingPages,
                        settlingBytes,
                        settlingNanos / 1_000,
                        settlingPauseNanos / 1_000);
    }
}
