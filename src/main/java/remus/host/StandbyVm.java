package remus.host;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.EventType;
import remus.api.VmStatus;
import remus.availability.PrimaryState;
import remus.base.CloseStack;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Invariant.InvariantViolation;
import remus.base.Term;
import remus.checkpoint.CheckpointException;
import remus.replication.BackupConnection;
import remus.wire.Hello;
import remus.wire.OwnerAnswer;
import remus.wire.Refusal;
import remus.wire.Welcome;

/**
 * A VM that this host backs up: its agent, and the way to it for other threads.
 *
 * <p>One agent thread, the one that calls {@link #run}, does everything in turns: it waits for frames of the primary and
 * messages, and keeps an eye on the primary's silence. What becomes of the VM is decided by {@link StandbyOwnership}, whose
 * header has the states; {@link StandbyCopy} has what came of the VM, {@link PrimaryContact} the connection, and
 * {@link StandbyStatus} what others are told. When it takes the VM over, the same thread becomes the agent of the
 * {@link ActiveVm} that follows.
 */
final class StandbyVm implements HostedVm {
    private static final Logger LOG = LoggerFactory.getLogger(StandbyVm.class);
    private static final Duration STATUS_LIMIT = Duration.ofMillis(300);
    private static final Duration QUERY_LIMIT = Duration.ofSeconds(2);

    /** QEMU's end, its requests to the disks and an fdatasync of them. */
    private static final Duration CLOSE_LIMIT = Duration.ofSeconds(10);

    private static final long MAX_WAIT_NANOS = 200_000_000L;

    private final HostServices services;
    private final Hello hello;
    private final SharedDefinition definition;
    private final Term term;
    private final HostAddress primaryAddress;
    private final Agent agent;
    private final PrimaryContact primary;
    private final StandbyCopy copy;
    private final StandbyStatus status;
    private final StandbyOwnership ownership;
    private final StandbyEvents events;
    private final PrimaryFrames frames;
    private final CountDownLatch ended = new CountDownLatch(1);

    private boolean isRealTime;

    /** From then on its QEMU is among what the kernel counts; until then it is only spoken for. */
    private volatile boolean hasQemu;

    /**
     * Takes over {@code connection}, whose hello has been found acceptable; {@link #run} welcomes it.
     *
     * @param definition what the hello says of the VM
     */
    StandbyVm(HostServices services, BackupConnection connection, SharedDefinition definition) {
        this.services = services;
        hello = connection.hello();
        this.definition = definition;
        term = connection.term();
        primaryAddress = primaryAddress(connection);
        primary = new PrimaryContact(hello.vm(), connection, services.time(), detectNanos() / 4);
        agent = new Agent(primary::wakeUp);
        copy = new StandbyCopy(services, hello, definition, term, primaryAddress);
        status = new StandbyStatus(services, hello, term, primaryAddress, copy);
        ownership = new StandbyOwnership(
                services,
                new StandbyOwnership.Standby(
                        hello, definition.protection().moving() != null, term, primaryAddress, copy, primary, status),
                agent);
        events = new StandbyEvents(copy, status, ownership, primary, agent);
        frames = new PrimaryFrames(copy, ownership, primary, agent, services.time());
    }

    /** A primary that listens on all its addresses can't name one; it can be reached where it came from. */
    private static HostAddress primaryAddress(BackupConnection connection) {
        HostAddress advertised = connection.hello().replicationAddress();
        boolean wildcard =
                advertised.host().equals("0.0.0.0") || advertised.host().equals("::");
        return wildcard ? new HostAddress(connection.peerAddress().host(), advertised.port()) : advertised;
    }

    private long detectNanos() {
        return hello.detect().toNanos();
    }

    @Override
    public String name() {
        return hello.vm();
    }

    // ---- the agent

    /** The agent's life: until the VM is dropped, or has ended after it was activated here. */
    void run() {
        primary.begin();
        @Nullable ActiveVm activated = null;
        try {
            status.event(EventType.BACKING_UP, "for " + hello.host() + ", " + primaryAddress);
            welcome();
            while (!ownership.hasEnded() && activated == null) {
                turn();
                if (ownership.duties().isToLoad() && !ownership.hasEnded()) {
                    load();
                }
                PrimaryState owned = ownership.duties().taken();
                if (owned != null) {
                    activated = takeOver(owned);
                }
            }
        } catch (CheckpointException | StandbyException | IOException | RuntimeException e) {
            LOG.warn("VM {}: the backup can't go on", name(), e);
            ownership.loseStandby(String.valueOf(e.getMessage()));
        } catch (InvariantViolation e) {
            LOG.error("VM {}: a broken invariant, the daemon ends", name(), e);
            Runtime.getRuntime().halt(HostServices.EXIT_INVARIANT);
        } finally {
            close(activated);
        }
        services.threads().setOwn(false);
        if (activated != null) {
            tellOfSwitchover(activated);
            activated.run();
        }
    }

    private ActiveVm takeOver(PrimaryState owned) throws StandbyException {
        Switchover switchover = ownership.switchover();
        if (switchover != null) {
            primary.receiveInput(new MirroredInput(copy.receiver()::inboundFrame));
        }
        ActiveVm activated = copy.handOver(this, ownership.takeOver(owned));
        if (switchover != null) {
            primary.activated("it was handed over, and runs on " + services.hostName());
        }
        return activated;
    }

    /** The former primary waits for the figures. */
    private void tellOfSwitchover(ActiveVm activated) {
        Switchover switchover = ownership.switchover();
        if (switchover != null) {
            activated.tellOfSwitchover(
                    switchover.figures(hello.host(), services.time().nanos()),
                    definition.protection().moving() == null ? EventType.SWITCHED_OVER : EventType.MIGRATED);
        }
    }

    /** Takes the session, unless the disks can't be kept here. */
    private void welcome() throws StandbyException, IOException {
        try {
            copy.openImages(events);
        } catch (StandbyException e) {
            String why = "its disks can't be kept here: " + e.getMessage();
            primary.refuse(new Refusal(Refusal.Code.OTHER, why));
            ownership.drop(why);
            return;
        }
        List<String> wanted = copy.files().wanted();
        primary.welcome(
                EpochId.NONE,
                new Welcome(
                        services.hostName(),
                        services.installation().features().version(),
                        wanted,
                        copy.images().withContent()));
        if (wanted.isEmpty()) {
            startStandby();
        }
    }

    /** The term is on disk before anything of the VM comes; a primary's patience with the welcome need not cover that. */
    private void startStandby() throws StandbyException, IOException {
        services.state().note(name(), term, false);
        copy.start(events);
        hasQemu = true;
        status.because("receiving memory");
        primary.ready();
    }

    private void load() {
        if (copy.isSpent()) {
            ownership.drop("its QEMU died after it had begun to run, so the memory is the checkpoint's no more");
            return;
        }
        try {
            copy.load();
            ownership.runs();
        } catch (StandbyException | CheckpointException e) {
            LOG.warn("VM {}: its standby could not be loaded", name(), e);
            copy.dropLoaded();
            ownership.loadFailed(String.valueOf(e.getMessage()));
        }
    }

    private void turn() throws CheckpointException, StandbyException, IOException {
        agent.runPosted();
        long wait = Math.min(Math.min(ownership.nanosUntilNextCheck(), detectNanos() / 4), MAX_WAIT_NANOS);
        wait = Math.min(wait, ownership.tick(services.time().nanos()));
        primary.await(wait);
        // What has arrived until here is read before the silence is judged as of here.
        long judgedNanos = services.time().nanos();
        receive();
        ownership.judgeSilence(judgedNanos);
    }

    private void receive() throws CheckpointException, StandbyException, IOException {
        primary.receive(frames, ownership::isBackup, this::heard);
        hurry();
        beat();
        if (!copy.isStarted() && primary.hasSentFiles()) {
            startStandby();
        }
        BackupConnection.End end = primary.end();
        if (end != null && ownership.isBackup()) {
            ownership.connectionEnded(end.cause());
        }
    }

    /** Much may come without a pause, and the primary hears nothing else of this host meanwhile. */
    private void heard() {
        ownership.heard();
        beat();
    }

    /** From the first whole checkpoint on: what comes before it is all memory, which has time. */
    private void hurry() {
        if (!isRealTime && copy.isWhole()) {
            isRealTime = true;
            services.threads().setOwn(true);
        }
    }

    private void beat() {
        if (ownership.isBackup()) {
            primary.beat(copy.lastWhole());
        }
    }

    private void close(@Nullable ActiveVm activated) {
        ownership.end();
        if (activated == null) {
            closeParts();
            services.registry().remove(this);
            agent.close();
            ownership.commands().ended(false);
            ended.countDown();
        } else {
            agent.close();
            ownership.commands().ended(true);
            // Giving back what received checkpoints takes tens of milliseconds, for which no client is to wait.
            Thread.ofVirtual().name("standby-close").start(() -> {
                try {
                    services.threads().set(activated.parts().guest().process(), false);
                    closeParts();
                } finally {
                    ended.countDown();
                }
            });
        }
    }

    private void closeParts() {
        try (CloseStack owned = new CloseStack()) {
            owned.push(copy);
            owned.push(primary);
        } catch (IllegalStateException e) {
            LOG.warn("VM {}: not all of its standby was closed", name(), e);
        }
    }

    // ---- what is asked from other threads

    /**
     * The primary is back on a new connection: goes on after the last whole checkpoint.
     *
     * @param refuse answers a primary whose session is not this one, or is no more, by what the host knows then
     */
    void resume(BackupConnection next, Consumer<BackupConnection> refuse) {
        var answered = agent.ask(() -> {
            ownership.primaryReturned(next, refuse);
            return null;
        });
        var _ = answered.exceptionally(e -> {
            refuse.accept(next);
            return null;
        });
    }

    /** Activates by command, after the primary was fenced unless {@code force}; completes when the VM runs. */
    CompletableFuture<Void> failover(boolean force) {
        CompletableFuture<Void> result = new CompletableFuture<>();
        if (!agent.post(() -> ownership.commands().failOver(force, result))) {
            result.completeExceptionally(ownership.commands().notAStandby());
        }
        return result;
    }

    /** Names or addresses of hosts that its primary may have as its backup. */
    List<String> candidates() {
        return definition.protection().backups();
    }

    /** Asks the primary to let this host go, which then happens or not. */
    void relieve(String why) {
        agent.post(() -> ownership.relieve(why));
    }

    @Override
    public CompletableFuture<Void> shutdown(String why) {
        agent.post(() -> ownership.leave(why));
        return whenEnded();
    }

    /** From its request to activate on, the copy here may be all there is of the VM. */
    @Override
    public CompletableFuture<Void> leave(String why) {
        agent.post(() -> ownership.leaveUnlessTakingOver(why));
        return whenEnded();
    }

    private CompletableFuture<Void> whenEnded() {
        CompletableFuture<Void> result = new CompletableFuture<>();
        Thread.ofVirtual().name("standby-shutdown").start(() -> {
            try {
                ended.await();
                result.complete(null);
            } catch (InterruptedException e) {
                result.completeExceptionally(e);
            }
        });
        return result;
    }

    @Override
    public VmStatus status() {
        return agent.ask(status::publish, STATUS_LIMIT, status.published());
    }

    @Override
    public VmStatus published() {
        return status.published();
    }

    @Override
    public OwnerAnswer ownerAnswer() {
        return status.ownerAnswer();
    }

    @Override
    public OwnerAnswer fence(Term by) {
        return ownerAnswer();
    }

    @Override
    public Yield yieldTo(Term next) {
        // An agent that waits for a disk or for QEMU decides later, and whoever asks again meets a VM that has ended.
        Yield decided = hasEnded()
                ? Yield.FREE
                : agent.ask(() -> ownership.endFor(next) ? Yield.FREE : Yield.KEPT, QUERY_LIMIT, Yield.BUSY);
        return decided == Yield.FREE && !awaitClosed() ? Yield.BUSY : decided;
    }

    @Override
    public boolean awaitClosed() {
        try {
            return ended.await(CLOSE_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    @Override
    public boolean hasEnded() {
        return ownership.hasEnded();
    }

    @Override
    public long memoryBytes() {
        return hasEnded() ? 0 : hello.memoryBytes();
    }

    @Override
    public long stagingBytes() {
        if (hasEnded()) {
            return 0;
        }
        MemoryNeed need = MemoryNeed.ofStandby(hello, definition);
        return need.staging().bytes() + (hasQemu ? 0 : need.qemu().bytes());
    }
}
