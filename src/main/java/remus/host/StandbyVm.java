package remus.host;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.CheckpointStatus;
import remus.api.EventType;
import remus.api.OutputStatus;
import remus.api.Percentiles;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.availability.FailureDetector;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.CheckpointReceiver;
import remus.checkpoint.InboundMirror;
import remus.host.OperationException.Kind;
import remus.linux.LinuxException;
import remus.network.GuestNetwork;
import remus.replication.BackupConnection;
import remus.replication.PeerAnswer;
import remus.wire.CheckpointBegin;
import remus.wire.CheckpointEnd;
import remus.wire.Digest;
import remus.wire.EthernetFrames;
import remus.wire.FrameHandler;
import remus.wire.Hello;
import remus.wire.OwnerAnswer;
import remus.wire.OwnerState;
import remus.wire.PageRuns;
import remus.wire.Refusal;
import remus.wire.Welcome;

/**
 * A VM that this host backs up: receives its checkpoints, keeps the standby ready, and takes the VM over when its
 * primary fails.
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
 *                loading failed: tried again with a fresh standby        (stays)
 * </pre>
 *
 * <p>From the moment it decides to activate it acknowledges nothing any more: the connection is closed first. Without a
 * whole checkpoint it never activates. All on one agent thread, the one that calls {@link #run}.
 */
final class StandbyVm implements HostedVm, FrameHandler<CheckpointException>, CheckpointReceiver.Listener {
    private static final Logger LOG = LoggerFactory.getLogger(StandbyVm.class);
    private static final Duration STATUS_LIMIT = Duration.ofMillis(300);
    private static final Duration QUERY_LIMIT = Duration.ofSeconds(2);
    private static final long MAX_WAIT_NANOS = 200_000_000L;
    private static final long INBOUND_LIMIT_BYTES = 16L << 20;
    private static final int MAX_ACTIVATION_ATTEMPTS = 5;

    private final HostServices services;
    private final Hello hello;
    private final Term term;
    private final HostAddress primaryAddress;
    private final ReceivedFiles files;
    private final Agent agent;
    private final FailureDetector detector;
    private final long detectNanos;

    private volatile @Nullable BackupConnection connection;
    private volatile @Nullable Thread thread;
    private @Nullable StandbyParts parts;
    private @Nullable CheckpointReceiver receiver;
    private InboundMirror inbound = new InboundMirror(INBOUND_LIMIT_BYTES);
    private VmState state = VmState.SYNCHRONIZING;
    private @Nullable String reason = "waiting for the primary's files";
    private @Nullable String activationCause;
    private @Nullable CompletableFuture<Void> failingOver;
    private long heardBytes;
    private long lastBeatNanos;
    private long checkpointCount;
    private volatile boolean finished;
    private final CountDownLatch ended = new CountDownLatch(1);
    private volatile VmStatus published;

    /** Takes over {@code connection}, whose hello has been found acceptable; {@link #run} welcomes it. */
    StandbyVm(HostServices services, BackupConnection connection) {
        this.services = services;
        this.connection = connection;
        hello = connection.hello();
        term = connection.term();
        primaryAddress = primaryAddress(connection);
        files = new ReceivedFiles(services.state(), hello.files());
        agent = new Agent(this::wakeUp);
        detectNanos = hello.detect().toNanos();
        detector = new FailureDetector(detectNanos, services.time().nanos());
        published = describe();
    }

    /** A primary that listens on all its addresses can't name one; it can be reached where it came from. */
    private static HostAddress primaryAddress(BackupConnection connection) {
        HostAddress advertised = connection.hello().replicationAddress();
        boolean wildcard =
                advertised.host().equals("0.0.0.0") || advertised.host().equals("::");
        return wildcard
                ? new HostAddress(HostAddress.parse(connection.peer(), 0).host(), advertised.port())
                : advertised;
    }

    private void wakeUp() {
        BackupConnection current = connection;
        if (current != null) {
            current.wakeup();
        }
        LockSupport.unpark(thread);
    }

    @Override
    public String name() {
        return hello.vm();
    }

    Term term() {
        return term;
    }

    /** The agent's life: until the VM is dropped, or has ended after it was activated here. */
    void run() {
        thread = Thread.currentThread();
        @Nullable ActiveVm activated = null;
        try {
            event(EventType.BACKING_UP, "for " + hello.host() + ", " + connectionPeer());
            services.state().note(name(), term, false);
            welcome();
            while (!finished && activated == null) {
                turn();
                if (activationCause != null && !finished) {
                    activated = activate(activationCause);
                }
            }
        } catch (CheckpointException | StandbyException | IOException | RuntimeException e) {
            LOG.warn("VM {}: the backup can't go on", name(), e);
            loseStandby(String.valueOf(e.getMessage()));
        } finally {
            close(activated);
        }
        if (activated != null) {
            activated.run();
        }
    }

    private void close(@Nullable ActiveVm activated) {
        BackupConnection current = connection;
        if (current != null) {
            current.close();
            connection = null;
        }
        StandbyParts own = parts;
        if (own != null) {
            own.close();
        }
        CheckpointReceiver received = receiver;
        if (received != null) {
            received.close();
        } else {
            inbound.close();
        }
        try {
            files.close();
        } catch (IOException e) {
            LOG.warn("VM {}: received files can't be closed", name(), e);
        }
        if (activated == null) {
            services.registry().remove(this);
        }
        agent.close();
        failFailover("the VM is not backed up here any more");
        ended.countDown();
    }

    private void welcome() throws CheckpointException, StandbyException {
        BackupConnection current = connection;
        if (current != null) {
            List<String> wanted = files.wanted();
            current.welcome(
                    EpochId.NONE,
                    new Welcome(
                            services.hostName(),
                            services.installation().features().version(),
                            wanted));
            if (wanted.isEmpty()) {
                startStandby();
            }
        }
    }

    private void startStandby() throws StandbyException {
        StandbyParts started = new StandbyParts(
                services,
                SharedDefinition.decode(hello.definition())
                        .at(
                                files.path(SharedDefinition.KERNEL),
                                files.path(SharedDefinition.INITRD),
                                services.state()
                                        .root()
                                        .resolve("vms")
                                        .resolve(name())
                                        .resolve("console.log")),
                exit -> agent.post(() -> standbyDied(exit.toString())));
        parts = started;
        started.start();
        receiver = new CheckpointReceiver(
                started.memory(), hello.pageBytes(), GuestNetwork.OUTPUT_LIMIT_BYTES, inbound, this);
        reason = "receiving memory";
        BackupConnection current = connection;
        if (current != null) {
            current.ready();
        }
    }

    private void turn() throws CheckpointException, StandbyException {
        agent.runPosted();
        long wait = Math.min(
                Math.min(detector.nanosUntilNextCheck(services.time().nanos()), detectNanos / 4), MAX_WAIT_NANOS);
        BackupConnection current = connection;
        if (current == null) {
            LockSupport.parkNanos(this, wait);
        } else {
            current.await(wait);
        }
        // What has arrived until here is read before the silence is judged as of here.
        long judgedNanos = services.time().nanos();
        if (current != null) {
            receive(current);
        }
        boolean silent = detector.expired(judgedNanos);
        if (state == VmState.STANDBY && silent && activationCause == null) {
            wantActivation("no sign of the primary for " + detector.silentNanos(judgedNanos) / 1_000_000 + " ms");
        }
    }

    private void receive(BackupConnection current) throws CheckpointException, StandbyException {
        while (current.poll(this) > 0 && activationCause == null && !finished) {
            noteLife(current);
        }
        noteLife(current);
        long now = services.time().nanos();
        if (now - lastBeatNanos >= detectNanos / 4) {
            lastBeatNanos = now;
            current.heartbeat(lastWhole());
        }
        if (parts == null && current.isOpen() && current.filesArrived()) {
            startStandby();
        }
        BackupConnection.End end = current.end();
        if (end != null && !finished && activationCause == null) {
            connectionEnded(end);
        }
    }

    private void noteLife(BackupConnection current) {
        long bytes = current.receivedBytes();
        if (bytes != heardBytes) {
            heardBytes = bytes;
            detector.heard(services.time().nanos());
        }
    }

    private void connectionEnded(BackupConnection.End end) {
        connection = null;
        heardBytes = 0;
        CheckpointReceiver received = receiver;
        if (received != null) {
            received.dropPartial();
        }
        if (state != VmState.STANDBY) {
            drop("the connection ended before the first whole checkpoint: " + end.cause());
            return;
        }
        event(EventType.PRIMARY_LOST, "connection lost (" + end.cause() + "); waiting for it until the detection time");
        reason = "connection lost: " + end.cause();
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
                LOG.warn(
                        "VM {}: its primary can't be asked at {} ({}), so that its death is noticed by silence only",
                        name(),
                        primaryAddress,
                        answer);
            }
        });
    }

    private void primaryAnswered(PeerAnswer answer) {
        if (connection != null || state != VmState.STANDBY || finished) {
            return;
        }
        switch (answer) {
            case PeerAnswer.Refused refused -> wantActivation("the primary's port refuses: " + refused.cause());
            case PeerAnswer.Unreachable unreachable -> LOG.debug("the primary does not answer: {}", unreachable);
            case PeerAnswer.Answered answered -> {
                OwnerAnswer owner = answered.answer();
                switch (owner.state()) {
                    case RUNNING_ALONE, STOPPED -> drop("the primary says: " + owner.state() + " " + owner.text());
                    case UNKNOWN -> wantActivation("the primary's daemon was started anew and has lost the VM");
                    case STANDBY, ACTIVATING, RUNNING_PROTECTED, RUNNING_UNCERTAIN, FENCED ->
                        LOG.debug("the primary lives: {}", owner);
                }
            }
        }
    }

    private void wantActivation(String cause) {
        if (activationCause == null && lastWhole().isAfter(EpochId.NONE)) {
            activationCause = cause;
        }
    }

    private void standbyDied(String how) {
        if (state == VmState.ACTIVATING || finished) {
            return;
        }
        event(EventType.STANDBY_LOST, how + "; starting another one with the image");
        StandbyParts own = parts;
        try {
            if (own != null) {
                own.restart();
                event(EventType.STANDBY_READY, "a fresh standby has the image of epoch " + lastWhole());
            }
        } catch (StandbyException e) {
            loseStandby(String.valueOf(e.getMessage()));
        }
    }

    /** This host can't be the backup any more, and says so. */
    private void loseStandby(String why) {
        BackupConnection current = connection;
        if (current != null) {
            current.standbyLost(why);
        }
        event(EventType.FAILED, "not a backup any more: " + why);
        finished = true;
    }

    private void drop(String why) {
        event(EventType.UNPROTECTED, "not a backup any more: " + why);
        finished = true;
    }

    // ---- activation

    private @Nullable ActiveVm activate(String cause) {
        long startNanos = services.time().nanos();
        state = VmState.ACTIVATING;
        reason = cause;
        published = describe();
        BackupConnection current = connection;
        if (current != null) {
            current.activated(cause);
            current.close();
            connection = null;
        }
        event(EventType.ACTIVATING, cause);
        Term next = term.next();
        CompletableFuture<Void> noted = CompletableFuture.runAsync(() -> note(next));
        for (int attempt = 1; attempt <= MAX_ACTIVATION_ATTEMPTS; attempt++) {
            try {
                return finishActivation(startNanos, next, noted);
            } catch (StandbyException e) {
                LOG.warn("VM {}: activation attempt {} failed", name(), attempt, e);
                event(EventType.FAILED, "activation attempt " + attempt + ": " + e.getMessage());
                try {
                    Objects.requireNonNull(parts).restart();
                } catch (StandbyException again) {
                    LOG.warn("VM {}: no fresh standby", name(), again);
                }
            } catch (LinuxException | CheckpointException e) {
                event(EventType.FAILED, "activation: " + e.getMessage());
                break;
            }
        }
        event(EventType.FAILED, "the VM could not be activated; its image is lost");
        finished = true;
        return null;
    }

    private void note(Term next) {
        try {
            services.state().note(name(), next, true);
        } catch (IOException e) {
            LOG.error("VM {}: term {} could not be written down", name(), next, e);
        }
    }

    private ActiveVm finishActivation(long startNanos, Term next, CompletableFuture<Void> noted)
            throws StandbyException, LinuxException, CheckpointException {
        StandbyParts own = Objects.requireNonNull(parts);
        CheckpointReceiver received = Objects.requireNonNull(receiver);
        received.finishApplying();
        StandbyParts.Activated vm = own.activate(received);
        // Nothing is released before it is written down that this host has taken over.
        noted.join();
        ActiveVm active = new ActiveVm(services, vm.handle(), vm.guest(), vm.network(), next, null);
        services.registry().replace(this, active);
        long replayed = inbound.frameCount();
        inbound.drain((memory, offset, length) -> replay(vm.network(), memory, offset, length));
        received.drainHeldOutput(vm.network()::rereleaseOutput);
        long micros = (services.time().nanos() - startNanos) / 1_000;
        services.events()
                .publish(
                        name(),
                        EventType.ACTIVATED,
                        "runs here from epoch %s, %d.%03d ms after the decision, %d inbound frames replayed"
                                .formatted(received.lastWhole(), micros / 1_000, micros % 1_000, replayed),
                        next,
                        received.lastWhole());
        CompletableFuture<Void> asked = failingOver;
        if (asked != null) {
            failingOver = null;
            asked.complete(null);
        }
        return active;
    }

    private static void replay(GuestNetwork network, MemorySegment memory, long offset, int length) {
        try {
            network.replayInbound(memory, offset, length);
        } catch (LinuxException e) {
            throw new IllegalStateException("a frame could not be replayed: " + e.getMessage(), e);
        }
    }

    // ---- what the primary sends

    @Override
    public void fileData(String name, long offset, MemorySegment bytes) throws CheckpointException {
        files.write(name, offset, bytes);
    }

    private CheckpointReceiver received() {
        return Objects.requireNonNull(receiver, "pages come after READY only");
    }

    @Override
    public void pages(EpochId epoch, PageRuns runs) throws CheckpointException {
        for (int run = 0; run < runs.runCount(); run++) {
            if (epoch.equals(EpochId.NONE)) {
                received().preCopyPages(runs.firstPage(run), runs.pageCount(run), runs.data(), runs.dataOffset(run));
            } else {
                received().pages(epoch, runs.firstPage(run), runs.pageCount(run), runs.data(), runs.dataOffset(run));
            }
        }
    }

    @Override
    public void zeroPages(EpochId epoch, PageRuns runs) throws CheckpointException {
        for (int run = 0; run < runs.runCount(); run++) {
            if (epoch.equals(EpochId.NONE)) {
                received().preCopyZeroPages(runs.firstPage(run), runs.pageCount(run));
            } else {
                received().zeroPages(epoch, runs.firstPage(run), runs.pageCount(run));
            }
        }
    }

    @Override
    public void checkpointBegin(EpochId epoch, CheckpointBegin begin) throws CheckpointException {
        received().begin(epoch, begin.first(), begin.inboundMark());
    }

    @Override
    public void deviceState(EpochId epoch, long offset, long totalBytes, MemorySegment bytes)
            throws CheckpointException {
        received().deviceState(epoch, offset, bytes, 0, (int) bytes.byteSize());
    }

    @Override
    public void outputFrames(EpochId epoch, EthernetFrames frames) throws CheckpointException {
        frames.forEach((index, memory, offset, length) -> received().outputFrame(epoch, memory, offset, length));
    }

    @Override
    public void checkpointEnd(EpochId epoch, CheckpointEnd end) throws CheckpointException {
        Digest digest = end.memoryDigest();
        received()
                .end(
                        epoch,
                        end.pageCount(),
                        end.deviceStateBytes(),
                        end.outputFrameCount(),
                        digest == null ? null : digest.bytes());
        checkpointCount++;
    }

    @Override
    public void inboundFrames(long firstSequence, EthernetFrames frames) throws CheckpointException {
        frames.forEach((index, memory, offset, length) ->
                received().inboundFrame(firstSequence + index, memory, offset, length));
    }

    @Override
    public void released(EpochId epoch) throws CheckpointException {
        received().releasedUpTo(epoch);
    }

    @Override
    public void heartbeat(EpochId sealed) {
        // That bytes came is all there is to it.
    }

    @Override
    public void guestDead(String why) {
        wantActivation("the primary reports that its QEMU is dead: " + why);
    }

    @Override
    public void signOff(String why) {
        BackupConnection current = connection;
        if (current != null) {
            current.signedOff("image dropped by " + services.hostName());
        }
        drop("signed off by the primary: " + why);
    }

    @Override
    public void whole(EpochId epoch) {
        BackupConnection current = connection;
        if (current != null) {
            current.acknowledge(epoch);
        }
        if (state == VmState.SYNCHRONIZING) {
            state = VmState.STANDBY;
            reason = null;
            published = describe();
            event(EventType.STANDBY_READY, "the first checkpoint is whole; ready to take over");
            tryPrimarysPort();
        }
        FaultPoint.APPLYING.reached(epoch.value());
    }

    @Override
    public void verified(EpochId epoch, boolean equal) {
        BackupConnection current = connection;
        if (current != null) {
            current.verified(epoch, equal);
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
            if (activationCause != null || state == VmState.ACTIVATING) {
                // Anything else would let the primary go on alone beside the VM that is about to run here.
                next.refuse(new Refusal(Refusal.Code.ACTIVATED, "this host is taking the VM over: " + activationCause));
                next.close();
                return null;
            }
            if (!next.term().equals(term) || state != VmState.STANDBY) {
                refuse.accept(next);
                return null;
            }
            BackupConnection old = connection;
            if (old != null) {
                old.close();
                received().dropPartial();
            }
            connection = next;
            heardBytes = 0;
            detector.heard(services.time().nanos());
            next.welcome(
                    lastWhole(),
                    new Welcome(
                            services.hostName(),
                            services.installation().features().version(),
                            List.of()));
            reason = null;
            event(EventType.RECONNECTED, "the session goes on after epoch " + lastWhole());
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
        CompletableFuture<Boolean> ready = agent.ask(() -> lastWhole().isAfter(EpochId.NONE));
        Thread.ofVirtual().name("failover").start(() -> {
            // Fencing kills the primary's VM: only for one that can go on here.
            if (!ready.exceptionally(ended -> false).join()) {
                result.completeExceptionally(finished ? notAStandby() : nothingWhole());
                return;
            }
            PeerAnswer answer = force
                    ? new PeerAnswer.Unreachable("not asked, by --force")
                    : services.peers().fence(primaryAddress, name(), term.next(), QUERY_LIMIT);
            agent.post(() -> failoverAfter(answer, result));
            if (finished) {
                result.completeExceptionally(notAStandby());
            }
        });
        return result;
    }

    private OperationException notAStandby() {
        return new OperationException(
                Kind.CONFLICT, "VM " + name() + " is not backed up here any more", "see remus status");
    }

    private OperationException nothingWhole() {
        return new OperationException(
                Kind.CONFLICT,
                "VM " + name() + " has no whole checkpoint here yet, so there is nothing to activate",
                "wait until remus status shows STANDBY");
    }

    private void failoverAfter(PeerAnswer answer, CompletableFuture<Void> result) {
        if (!lastWhole().isAfter(EpochId.NONE)) {
            result.completeExceptionally(nothingWhole());
            return;
        }
        if (answer instanceof PeerAnswer.Answered(OwnerAnswer owner) && !isOutOfTheWay(owner)) {
            result.completeExceptionally(new OperationException(
                    Kind.FAILED,
                    "the primary could not be fenced, it says %s %s".formatted(owner.state(), owner.text()),
                    "use --force to activate in spite of it, which risks two running copies"));
            return;
        }
        failingOver = result;
        wantActivation("by command; primary: " + answer);
    }

    private static boolean isOutOfTheWay(OwnerAnswer owner) {
        return switch (owner.state()) {
            case FENCED, STOPPED, UNKNOWN -> true;
            case STANDBY, ACTIVATING, RUNNING_ALONE, RUNNING_PROTECTED, RUNNING_UNCERTAIN -> false;
        };
    }

    private void failFailover(String why) {
        CompletableFuture<Void> waiting = failingOver;
        if (waiting != null) {
            failingOver = null;
            waiting.completeExceptionally(new OperationException(Kind.FAILED, "VM " + name() + ": " + why, ""));
        }
    }

    /** Ends the session if it has no whole checkpoint yet; returns whether it has ended. */
    boolean supersede(String why) {
        CompletableFuture<Boolean> answer = agent.ask(() -> {
            if (lastWhole().isAfter(EpochId.NONE)) {
                return false;
            }
            drop(why);
            return true;
        });
        try {
            return answer.get(QUERY_LIMIT.toMillis(), TimeUnit.MILLISECONDS)
                    && ended.await(QUERY_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        } catch (ExecutionException | TimeoutException e) {
            return finished;
        }
    }

    @Override
    public CompletableFuture<Void> shutdown(String why) {
        CompletableFuture<Void> result = new CompletableFuture<>();
        agent.post(() -> loseStandby(why));
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
        try {
            return agent.ask(() -> published = describe()).get(STATUS_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            LOG.debug("VM {} is busy: showing what it last said", name());
        }
        return published;
    }

    @Override
    public OwnerAnswer ownerAnswer() {
        VmState now = published.state();
        OwnerState answer = now == VmState.ACTIVATING ? OwnerState.ACTIVATING : OwnerState.STANDBY;
        return new OwnerAnswer(name(), answer, term, "backup on " + services.hostName());
    }

    @Override
    public OwnerAnswer fence(Term by) {
        return ownerAnswer();
    }

    @Override
    public boolean yieldsToNewSession() {
        return finished;
    }

    @Override
    public long memoryBytes() {
        return finished ? 0 : hello.memoryBytes();
    }

    private EpochId lastWhole() {
        CheckpointReceiver received = receiver;
        return received == null ? EpochId.NONE : received.lastWhole();
    }

    private String connectionPeer() {
        BackupConnection current = connection;
        return current == null ? "not connected" : current.peer();
    }

    private void event(EventType type, String why) {
        services.events().publish(name(), type, why, term, lastWhole());
    }

    private VmStatus describe() {
        StandbyParts own = parts;
        return new VmStatus(
                name(),
                VmRole.BACKUP,
                state,
                reason,
                term.value(),
                lastWhole().value(),
                lastWhole().value(),
                primaryAddress.toString(),
                hello.interval().toMillis(),
                own == null ? null : own.qemuPid(),
                own == null ? null : own.tapName(),
                new CheckpointStatus(checkpointCount, Percentiles.NONE, Percentiles.NONE, Percentiles.NONE, 0),
                OutputStatus.NONE,
                List.of(),
                0);
    }
}
