package remus.host;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
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
import remus.base.CloseStack;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.base.HostAddress;
import remus.base.Invariant;
import remus.base.Invariant.InvariantViolation;
import remus.base.Term;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.CheckpointFrames;
import remus.checkpoint.CheckpointReceiver;
import remus.checkpoint.InboundMirror;
import remus.disk.DiskException;
import remus.disk.ImageMarker;
import remus.disk.StandbyDisks;
import remus.host.OperationException.Kind;
import remus.network.GuestNetwork;
import remus.replication.BackupConnection;
import remus.replication.PeerAnswer;
import remus.wire.Hello;
import remus.wire.OwnerAnswer;
import remus.wire.OwnerState;
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
 *                it can't be made to run ({@link Activation})          → dropped
 * </pre>
 *
 * <p>From the moment it decides to activate it acknowledges nothing any more: the connection is closed first. Without a
 * whole checkpoint it never activates. All on one agent thread, the one that calls {@link #run}.
 */
final class StandbyVm implements HostedVm, CheckpointReceiver.Listener, StandbyDisks.Listener {
    private static final Logger LOG = LoggerFactory.getLogger(StandbyVm.class);
    private static final Duration STATUS_LIMIT = Duration.ofMillis(300);
    private static final Duration QUERY_LIMIT = Duration.ofSeconds(2);

    /** Longer than a primary may take to stop its guest. */
    private static final Duration FENCE_LIMIT = Duration.ofSeconds(5);

    /** QEMU's end, its requests to the disks and an fdatasync of them. */
    private static final Duration CLOSE_LIMIT = Duration.ofSeconds(10);

    private static final long MAX_WAIT_NANOS = 200_000_000L;
    private static final long INBOUND_LIMIT_BYTES = 16L << 20;

    private final HostServices services;
    private final Hello hello;
    private final Term term;
    private final HostAddress primaryAddress;
    private final ReceivedFiles files;
    private final Agent agent;
    private final FailureDetector detector;
    private final Frames frames = new Frames();
    private final long detectNanos;

    private volatile @Nullable BackupConnection connection;
    private volatile @Nullable Thread thread;
    private @Nullable StandbyImages images;
    private @Nullable StandbyParts parts;
    private @Nullable CheckpointReceiver receiver;
    private @Nullable InboundMirror inbound;
    private VmState state = VmState.SYNCHRONIZING;
    private @Nullable String reason = "waiting for the primary's files";
    private @Nullable String activationCause;
    private @Nullable CompletableFuture<Void> failingOver;
    private long heardBytes;
    private long lastBeatNanos;
    private long checkpointCount;
    private boolean primarysPortIsBlocked;
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
        return wildcard ? new HostAddress(connection.peerAddress().host(), advertised.port()) : advertised;
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
            event(EventType.BACKING_UP, "for " + hello.host() + ", " + primaryAddress);
            services.state().note(name(), term, false);
            welcome();
            while (!finished && activated == null) {
                turn();
                String cause = activationCause;
                if (cause != null && !finished) {
                    activated = activate(cause);
                }
            }
        } catch (CheckpointException | StandbyException | IOException | RuntimeException e) {
            LOG.warn("VM {}: the backup can't go on", name(), e);
            loseStandby(String.valueOf(e.getMessage()));
        } catch (InvariantViolation e) {
            LOG.error("VM {}: a broken invariant, the daemon ends", name(), e);
            Runtime.getRuntime().halt(HostServices.EXIT_INVARIANT);
        } finally {
            close(activated);
        }
        if (activated != null) {
            activated.run();
        }
    }

    private void close(@Nullable ActiveVm activated) {
        finished = true;
        try (CloseStack owned = new CloseStack()) {
            owned.push(files);
            StandbyImages copies = images;
            if (copies != null) {
                owned.push(copies);
            }
            CheckpointReceiver received = receiver;
            InboundMirror mirror = inbound;
            if (received != null) {
                owned.push(received);
            } else if (mirror != null) {
                owned.push(mirror);
            }
            StandbyParts own = parts;
            if (own != null) {
                owned.push(own);
            }
            BackupConnection current = connection;
            if (current != null) {
                connection = null;
                owned.push(current);
            }
        } catch (IllegalStateException e) {
            LOG.warn("VM {}: not all of its standby was closed", name(), e);
        }
        if (activated == null) {
            services.registry().remove(this);
        }
        agent.close();
        completeFailover(activated != null);
        ended.countDown();
    }

    private void welcome() throws CheckpointException, StandbyException {
        BackupConnection current = connection;
        if (current != null) {
            if (!openImages(current)) {
                return;
            }
            List<String> wanted = files.wanted();
            current.welcome(
                    EpochId.NONE,
                    new Welcome(
                            services.hostName(),
                            services.installation().features().version(),
                            wanted,
                            openImages().withContent()));
            if (wanted.isEmpty()) {
                startStandby();
            }
        }
    }

    /** Opens the images, or refuses the session. */
    private boolean openImages(BackupConnection current) {
        try {
            images = StandbyImages.open(services, hello, term, primaryAddress, this);
            return true;
        } catch (StandbyException e) {
            current.refuse(new Refusal(Refusal.Code.OTHER, "its disks can't be kept here: " + e.getMessage()));
            drop("its disks can't be kept here: " + e.getMessage());
            return false;
        }
    }

    private StandbyImages openImages() {
        return Invariant.present(images, "the images, which there are from the welcome on");
    }

    private void startStandby() throws StandbyException {
        StandbyParts started = new StandbyParts(
                services,
                SharedDefinition.decode(hello.definition())
                        .at(
                                files.path(SharedDefinition.KERNEL),
                                files.path(SharedDefinition.INITRD),
                                openImages()::path,
                                services.state()
                                        .root()
                                        .resolve("vms")
                                        .resolve(name())
                                        .resolve("console.log")),
                openImages()::forStandby,
                exit -> agent.post(() -> standbyDied(exit.toString())));
        parts = started;
        started.start();
        InboundMirror mirror = new InboundMirror(INBOUND_LIMIT_BYTES);
        inbound = mirror;
        receiver = new CheckpointReceiver(
                started.memory(),
                openImages().backupDisks(),
                hello.pageBytes(),
                GuestNetwork.OUTPUT_LIMIT_BYTES,
                mirror,
                this);
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
        try {
            while (current.poll(frames) > 0 && activationCause == null && !finished) {
                noteLife(current);
            }
        } catch (CheckpointException e) {
            if (e.category() != ErrorCategory.RETRY) {
                throw e;
            }
            // What the primary sent makes no sense; a real one connects again and sends it once more.
            LOG.warn("VM {}: the connection is dropped: {}", name(), e.getMessage());
            current.close();
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
        if (connection != null || state != VmState.STANDBY || finished) {
            return;
        }
        switch (answer) {
            case PeerAnswer.Refused refused -> {
                // A port that refused while the primary lived says nothing now.
                if (!primarysPortIsBlocked) {
                    wantActivation("the primary's port refuses: " + refused.cause());
                }
            }
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
        if (finished) {
            return;
        }
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

    private @Nullable ActiveVm activate(String cause) throws StandbyException {
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
        return new Activation(
                        services,
                        this,
                        term.next(),
                        Invariant.present(parts, "a standby"),
                        openImages(),
                        received(),
                        Invariant.present(inbound, "the inbound mirror"))
                .perform();
    }

    // ---- what the primary sends

    private CheckpointReceiver received() {
        return Invariant.present(receiver, "the receiver, which there is from READY on");
    }

    private final class Frames extends CheckpointFrames {
        @Override
        protected CheckpointReceiver receiver() {
            return received();
        }

        @Override
        public void fileData(String name, long offset, MemorySegment bytes) throws CheckpointException {
            files.write(name, offset, bytes);
        }

        @Override
        public void diskCompare(int disk, long firstBlock, int count) throws CheckpointException {
            StandbyDisks replica = openImages().replica();
            if (replica == null) {
                throw new CheckpointException(ErrorCategory.RETRY, "digests of disk " + disk + " are asked for", null);
            }
            replica.digests(disk, firstBlock, count, StandbyVm.this::answerDigests);
        }

        @Override
        public void heartbeat(EpochId sealed) {
            // That bytes came is all there is to it.
        }

        @Override
        public void guestDead(String why) {
            wantActivation("the primary reports that its QEMU is dead: " + why);
            if (activationCause == null) {
                loseStandby("the primary's QEMU is dead, and no checkpoint was whole before");
            }
        }

        @Override
        public void signOff(String why) {
            BackupConnection current = connection;
            if (current != null) {
                current.signedOff("image dropped by " + services.hostName());
            }
            drop("signed off by the primary: " + why);
        }
    }

    private void answerDigests(int disk, long firstBlock, byte[] digests) {
        agent.post(() -> {
            BackupConnection current = connection;
            if (current != null) {
                current.diskDigests(disk, firstBlock, digests);
            }
        });
    }

    // ---- what the disks say, on the thread of the images

    @Override
    public void consistent(EpochId base) {
        try {
            openImages().mark(ImageMarker.Role.STANDBY);
        } catch (DiskException e) {
            failed(new CheckpointException(
                    ErrorCategory.DEGRADE, "the disks can't be marked as whole: " + e.getMessage(), e));
        }
    }

    @Override
    public void logged(EpochId last) {
        FaultPoint.LOGGED.reached(last.value());
    }

    @Override
    public void progressed() {
        agent.post(() -> {
            CheckpointReceiver received = receiver;
            if (received != null && activationCause == null && !finished) {
                received.acknowledgeWhatIsDue();
            }
        });
    }

    @Override
    public void failed(CheckpointException why) {
        agent.post(() -> {
            // An activation tries again by itself, and has nobody to tell.
            if (activationCause == null && state != VmState.ACTIVATING) {
                loseStandby(String.valueOf(why.getMessage()));
            }
        });
    }

    @Override
    public void acknowledge(EpochId epoch) {
        BackupConnection current = connection;
        if (current != null) {
            current.acknowledge(epoch);
        }
    }

    @Override
    public void whole(EpochId epoch) {
        checkpointCount++;
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
                connection = null;
            }
            heardBytes = 0;
            detector.heard(services.time().nanos());
            EpochId from = received().resume();
            if (from == null) {
                // No end of the session: the primary comes again.
                next.refuse(new Refusal(Refusal.Code.OTHER, "the first checkpoint waits for this host's disks"));
                next.close();
                return null;
            }
            connection = next;
            next.welcome(
                    from,
                    new Welcome(
                            services.hostName(),
                            services.installation().features().version(),
                            List.of(),
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
        boolean accepted = agent.post(() -> {
            if (!lastWhole().isAfter(EpochId.NONE)) {
                result.completeExceptionally(new OperationException(
                        Kind.CONFLICT,
                        "VM " + name() + " has no whole checkpoint here yet, so there is nothing to activate",
                        "wait until remus status shows STANDBY"));
            } else if (failingOver != null) {
                result.completeExceptionally(new OperationException(
                        Kind.CONFLICT, "VM " + name() + " is being activated already", "see remus status " + name()));
            } else {
                failingOver = result;
                fenceAndActivate(force);
            }
        });
        if (!accepted) {
            result.completeExceptionally(notAStandby());
        }
        return result;
    }

    private void fenceAndActivate(boolean force) {
        if (force) {
            wantActivation("by command, without asking the primary");
            return;
        }
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
        wantActivation("by command; primary: " + answer);
    }

    private static boolean isOutOfTheWay(OwnerAnswer owner) {
        return switch (owner.state()) {
            case FENCED, STOPPED, UNKNOWN -> true;
            case STANDBY, ACTIVATING, RUNNING_ALONE, RUNNING_PROTECTED, RUNNING_UNCERTAIN -> false;
        };
    }

    private OperationException notAStandby() {
        return new OperationException(
                Kind.CONFLICT, "VM " + name() + " is not backed up here any more", "see remus status");
    }

    private void completeFailover(boolean activated) {
        CompletableFuture<Void> waiting = failingOver;
        failingOver = null;
        if (waiting != null && activated) {
            waiting.complete(null);
        } else if (waiting != null) {
            waiting.completeExceptionally(notAStandby());
        }
    }

    /** Ends the session if it has no whole checkpoint yet; returns whether it has ended. */
    private boolean endUnlessWhole(String why) {
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
        return agent.ask(() -> published = describe(), STATUS_LIMIT, published);
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

    /** Gives way to a later session of the same VM as long as no checkpoint of this one is whole. */
    @Override
    public boolean yieldTo(Term next) {
        return (finished || (!term.isAfter(next) && endUnlessWhole("a new session takes its place"))) && awaitClosed();
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

    private void event(EventType type, String why) {
        services.events().publish(name(), type, why, term, lastWhole());
    }

    private VmStatus describe() {
        StandbyParts own = parts;
        StandbyImages copies = images;
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
                copies == null ? List.of() : copies.status(lastWhole().isAfter(EpochId.NONE)),
                0);
    }
}
