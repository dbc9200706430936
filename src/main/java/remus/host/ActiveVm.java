package remus.host;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.CheckpointStatus;
import remus.api.EventType;
import remus.api.OutputStatus;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.availability.PrimaryRole;
import remus.base.CloseStack;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.checkpoint.CheckpointEngine;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.OutputBuffer;
import remus.disk.DiskException;
import remus.disk.DiskRequest;
import remus.disk.GuestDisks;
import remus.host.OperationException.Kind;
import remus.linux.EventFd;
import remus.linux.LinuxException;
import remus.network.GuestNetwork;
import remus.network.NicLink;
import remus.qemu.DeviceState;
import remus.qemu.GuestListener;
import remus.qemu.QmpException;
import remus.qemu.RunningGuest;
import remus.replication.PeerAnswer;
import remus.wire.OwnerAnswer;
import remus.wire.OwnerState;

/**
 * A VM that runs on this host, or ran here last: its QEMU, its network and, while it is protected, its session.
 *
 * <p>One agent thread does everything in turns: it waits for QEMU's answers, frames of either direction, messages of the
 * channel and commands, whichever comes first. States as in {@link VmState}:
 *
 * <pre>
 * UNPROTECTED    protect()                                → SYNCHRONIZING
 * SYNCHRONIZING  first checkpoint committed               → PROTECTED
 *                backup refuses or is lost                → UNPROTECTED
 * PROTECTED      no contact with the backup               → DEGRADED (output held)
 * DEGRADED       contact again                            → PROTECTED
 *                backup gone, or whenAlone: continue      → DEGRADED (output flows), may be protected again
 * any of these   backup takes over, or fence()            → FENCED (guest paused, output discarded)
 *                guest powered off, stop(), QEMU died     → STOPPED
 * FENCED         the other host says that the VM runs there, or did → the end, QEMU is killed
 *                it says that it has nothing of it        → DEGRADED: taken back, output flows
 * </pre>
 *
 * <p>A broken invariant stops the release of output, then the process ({@link #run}).
 */
final class ActiveVm implements HostedVm, GuestListener, GuestDisks.Listener, ProtectionSession.Owner {
    private static final Logger LOG = LoggerFactory.getLogger(ActiveVm.class);
    private static final Duration QUIT_LIMIT = Duration.ofSeconds(3);

    /** How long a process that is being killed may take to be gone, with all its memory to give back. */
    private static final Duration DYING_LIMIT = Duration.ofMillis(500);

    private static final Duration STATUS_LIMIT = Duration.ofMillis(300);
    private static final Duration FENCE_LIMIT = Duration.ofSeconds(3);
    private static final long IDLE_WAIT_NANOS = 500_000_000L;

    /** How often the winner is asked whether the VM runs there, while this host keeps its own paused. */
    private static final Duration WINNER_POLL = Duration.ofMillis(200);

    private static final Duration WINNER_LIMIT = Duration.ofSeconds(1);

    private final HostServices host;
    private final VmParts parts;
    private final VmHandle handle;
    private final RunningGuest guest;
    private final GuestNetwork network;
    private final VmDisks disks;
    private final EventFd wakeup;
    private final Agent agent;
    private final @Nullable ProtectionSettings definedProtection;

    private VmState state = VmState.UNPROTECTED;
    private @Nullable String reason;
    private Term term;
    private EpochId lastEpoch = EpochId.NONE;
    private EpochId lastCommitted = EpochId.NONE;
    private CheckpointStatus lastStatistics = CheckpointStatus.NONE;
    private long pausedNanos;
    private @Nullable ProtectionSession session;
    // The guest has lost or is losing its right to run: it is left paused when QEMU has stopped it.
    private boolean staysPaused;
    // QEMU has ended, or is as good as dead: nothing is asked of it any more.
    private boolean stopped;
    private volatile boolean done;
    private @Nullable CompletableFuture<Void> unprotecting;
    private @Nullable CompletableFuture<Void> shuttingDown;
    private final CountDownLatch ended = new CountDownLatch(1);
    private volatile VmStatus published;

    /**
     * Takes over a running guest. The caller's thread then calls {@link #run}, or another one does.
     *
     * @param definedProtection what the definition says of protection, or null
     */
    ActiveVm(HostServices host, VmParts parts, Term term, @Nullable ProtectionSettings definedProtection)
            throws LinuxException {
        this.host = host;
        this.parts = parts;
        handle = parts.handle();
        guest = parts.guest();
        network = parts.network();
        disks = parts.disks();
        this.term = term;
        this.definedProtection = definedProtection;
        wakeup = EventFd.open();
        agent = new Agent(wakeup::signal);
        published = describe();
        disks.reportTo(this);
        guest.process().onExit(exit -> agent.post(() -> guestDied(exit.toString())));
    }

    @Override
    public String name() {
        return handle.definition().name();
    }

    /** The agent's life: until the VM is gone from this host. */
    void run() {
        try (AgentWait wait = new AgentWait(wakeup, guest, network)) {
            while (!done) {
                turn(wait);
            }
        } catch (LinuxException | RuntimeException e) {
            LOG.error("the agent of VM {} failed", name(), e);
            network.discard();
            become(VmState.STOPPED, "its agent failed: " + e.getMessage());
            event(EventType.FAILED, "its agent failed: " + e.getMessage());
        } catch (Error e) {
            // Whatever is wrong, nothing more may leave: the backup's state is the one that counts.
            network.discard();
            LOG.error("VM {}: its agent can't go on, the daemon ends", name(), e);
            Runtime.getRuntime().halt(HostServices.EXIT_INVARIANT);
        } finally {
            close();
        }
    }

    private void turn(AgentWait wait) throws LinuxException {
        ProtectionSession running = session;
        long nanos =
                running == null ? IDLE_WAIT_NANOS : running.tick(host.time().nanos());
        agent.runPosted();
        guest.checkDeadline(host.time().nanos(), this);
        if (done) {
            return;
        }
        boolean qemuSpoke = wait.await(Math.min(nanos, IDLE_WAIT_NANOS), !stopped);
        if (qemuSpoke) {
            guest.poll(this);
        }
        if (!done && !stopped) {
            moveFrames();
        }
    }

    private void moveFrames() {
        try {
            for (NicLink nic : network.nics()) {
                if (nic.wantsToWrite()) {
                    nic.flushToGuest();
                }
            }
            network.moveOutput();
            network.moveInput();
        } catch (LinuxException e) {
            // QEMU's end of the socket is gone, and QEMU with it; its exit code says more when it comes.
            guest.poll(this);
            guestDied("its network is gone: " + e.getMessage());
        }
        ProtectionSession running = session;
        if (running != null && network.outputIsFilling()) {
            running.engine().endEpochEarly();
        }
    }

    // ---- what QEMU says

    @Override
    public void suspended() {
        ProtectionSession running = session;
        if (running != null) {
            running.engine().guestSuspended();
            FaultPoint.PAUSED.reached(running.engine().epoch().value());
        }
    }

    @Override
    public void saved(DeviceState saved) {
        ProtectionSession running = session;
        if (running == null) {
            if (!staysPaused) {
                guest.resume(); // the session ended in the middle of a pause
            }
            return;
        }
        if (running.engine().phase() != CheckpointEngine.Phase.SAVING) {
            running.engine().guestSaved(host.time().nanos()); // not this session's checkpoint, or it has ended
            return;
        }
        try {
            saved.readInto(running.engine().deviceState());
        } catch (remus.qemu.DeviceStateException | CheckpointException e) {
            failed("the device state can't be read: " + e.getMessage());
            running.engine().guestSaved(host.time().nanos()); // lets the guest go on
            return;
        }
        running.guestSaved(host.time().nanos());
        FaultPoint.TRANSFERRING.reached(running.engine().sealed().value());
    }

    @Override
    public void resumed() {
        ProtectionSession running = session;
        if (running != null) {
            running.engine().guestResumed(host.time().nanos());
        } else if (staysPaused) {
            guest.suspendAndSave();
        }
    }

    @Override
    public void guestShutdown(String cause, boolean byGuest) {
        if (shuttingDown != null || staysPaused) {
            return;
        }
        if (!byGuest) {
            // Somebody ended QEMU from outside: to the guest that is a power failure, which is what the backup is for.
            guestDied("QEMU was told to end: " + cause);
            return;
        }
        event(EventType.GUEST_SHUTDOWN, "the guest powered itself off");
        agent.post(() -> endInOrder("the guest powered itself off"));
    }

    @Override
    public void guestReset(boolean byGuest) {
        event(EventType.GUEST_RESET, byGuest ? "the guest reset itself" : "reset from outside");
    }

    @Override
    public void guestPanicked() {
        event(EventType.GUEST_PANIC, "the guest's kernel reports a panic; it is replicated as it is");
    }

    @Override
    public void failed(QmpException cause) {
        guestDied(String.valueOf(cause.getMessage()));
    }

    /** QEMU is dead or hangs: if there is a backup, it takes over. */
    private void guestDied(String cause) {
        if (stopped || done || shuttingDown != null) {
            return;
        }
        network.discard();
        killQemu();
        if (state == VmState.FENCED) {
            finish(VmState.FENCED, reason);
            return;
        }
        event(EventType.GUEST_DEAD, cause);
        ProtectionSession running = session;
        if (running == null || running.roleState() == PrimaryRole.State.JOINING) {
            leaveSession();
            finish(VmState.STOPPED, "QEMU died: " + cause);
        } else {
            running.engine().end();
            running.reportGuestDead(cause);
            become(VmState.DEGRADED, "QEMU died, the backup is to take over: " + cause);
        }
    }

    private boolean isQemuEnding() {
        try {
            return guest.process().awaitExit(DYING_LIMIT).isPresent();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private void killQemu() {
        stopped = true;
        try {
            guest.close();
        } catch (IllegalStateException e) {
            LOG.error("VM {}: QEMU could not be killed", name(), e);
        }
    }

    // ---- what the disks say, on any thread

    @Override
    public void diskFailed(String disk, DiskRequest request, DiskException cause) {
        agent.post(() -> event(
                EventType.DISK_ERROR,
                "disk %s: %s, reported to the guest: %s".formatted(disk, request, cause.getMessage())));
    }

    @Override
    public void owedSyncDone() {
        agent.post(() -> {
            ProtectionSession running = session;
            if (running != null) {
                running.retryCommit();
            }
        });
    }

    // ---- what the session says

    @Override
    public void progress(String text) {
        become(VmState.SYNCHRONIZING, text);
    }

    @Override
    public void outputIsHeldFrom(EpochId epoch) {
        ProtectionSession running = session;
        if (running != null && running.settings().outputCommit()) {
            network.hold(epoch);
        }
    }

    @Override
    public void diskHangs(String cause) {
        event(EventType.DISK_ERROR, cause);
        guestDied("its disk hangs: " + cause);
    }

    @Override
    public void disksSynchronized(String how) {
        event(EventType.DISKS_SYNCHRONIZED, how);
    }

    @Override
    public void isProtected() {
        become(VmState.PROTECTED, null);
        event(EventType.PROTECTED, "the backup has the first full checkpoint; output waits for commits from now on");
    }

    @Override
    public void severed(String cause) {
        become(VmState.DEGRADED, "output is held: " + cause);
        event(EventType.BACKUP_LOST, "output is held: " + cause);
    }

    @Override
    public void reconnected(EpochId lastWhole) {
        become(VmState.PROTECTED, null);
        event(EventType.RECONNECTED, "the backup stands by at epoch " + lastWhole + ", nothing was lost");
    }

    @Override
    public void verified(EpochId epoch, boolean equal) {
        if (equal) {
            event(EventType.VERIFIED, "memory of both sides is equal at epoch " + epoch);
            return;
        }
        event(EventType.VERIFY_FAILED, "memory differs between both sides at epoch " + epoch + ": protection ends");
        ProtectionSession running = session;
        if (running != null) {
            running.signOff("memory digests differ at epoch " + epoch);
        }
    }

    @Override
    public void signedOff(String cause) {
        leaveSession();
        flow();
        host.images().forget(handle.definition());
        become(VmState.UNPROTECTED, cause);
        event(EventType.UNPROTECTED, cause);
        completeUnprotecting();
        if (shuttingDown != null) {
            quit();
        }
    }

    private void completeUnprotecting() {
        CompletableFuture<Void> waiting = unprotecting;
        if (waiting != null) {
            unprotecting = null;
            waiting.complete(null);
        }
    }

    @Override
    public void signOffUnanswered(String cause) {
        if (shuttingDown != null) {
            event(EventType.BACKUP_LOST, cause + "; the VM ends here all the same");
            quit();
            return;
        }
        failUnprotecting(cause);
    }

    /**
     * Output flows again: as soon as what the guest was told to be on its disk is there, for the session's last pause may
     * still owe that. Until then {@link #protect} refuses: a session finds output that flows.
     */
    private void flow() {
        if (disks.guest().mayCommit(EpochId.NONE)) {
            network.flow();
            return;
        }
        disks.guest()
                .whenDurable(
                        EpochId.NONE,
                        () -> agent.post(() -> {
                            if (session == null && !staysPaused && !done) {
                                network.flow();
                            }
                        }));
    }

    @Override
    public void alone(String cause, boolean backupHasNothing) {
        boolean wasHeld = session != null && network.output().rule() == OutputBuffer.Rule.HOLD;
        leaveSession();
        if (stopped) {
            finish(VmState.STOPPED, "QEMU died here and the backup has no whole checkpoint: " + cause);
            return;
        }
        flow();
        if (backupHasNothing) {
            host.images().forget(handle.definition());
        }
        become(wasHeld ? VmState.DEGRADED : VmState.UNPROTECTED, cause);
        event(
                wasHeld ? EventType.DEGRADED : EventType.FAILED,
                (wasHeld ? "goes on alone: " : "not protected: ") + cause);
        failUnprotecting(cause);
        if (shuttingDown != null) {
            quit();
        }
    }

    @Override
    public void lost(String cause) {
        ProtectionSession running = session;
        HostAddress winner = running == null ? null : running.backup();
        lose(cause, winner);
    }

    @Override
    public void failed(String cause) {
        if (isQemuEnding()) {
            // Its memory goes before the process does: this is a death to be reported, not a protection to be ended.
            guestDied("QEMU ended while a checkpoint was taken: " + cause);
            return;
        }
        ProtectionSession running = session;
        event(EventType.FAILED, "protection ends: " + cause);
        if (running != null) {
            running.engine().end();
            running.signOff(cause);
        }
    }

    // ---- transitions

    /**
     * Another host takes over: nothing that is held leaves any more, and the guest is paused until it is known whether the
     * VM runs there; so the VM is never on neither side.
     *
     * @param winner who takes over, or null when it is not known
     */
    private void lose(String cause, @Nullable HostAddress winner) {
        network.discard();
        staysPaused = true;
        leaveSession();
        become(VmState.FENCED, cause);
        event(EventType.FENCED, cause);
        failUnprotecting(cause);
        if (stopped || shuttingDown != null || winner == null) {
            killQemu();
            finish(VmState.FENCED, cause);
            return;
        }
        disks.guest().letWritesThrough(true);
        if (!guest.isPausing()) {
            guest.suspendAndSave();
        }
        askWinner(winner);
    }

    /** Asks, again and again, whether the VM runs at the other host; each answer comes to the agent. */
    private void askWinner(HostAddress winner) {
        Thread.ofVirtual().name("ask-winner").start(() -> {
            try {
                while (!done) {
                    PeerAnswer answer = host.peers().ask(winner, name(), WINNER_LIMIT);
                    agent.post(() -> winnerAnswered(answer));
                    TimeUnit.NANOSECONDS.sleep(WINNER_POLL.toNanos());
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
    }

    private void winnerAnswered(PeerAnswer answer) {
        if (state != VmState.FENCED || done || !(answer instanceof PeerAnswer.Answered(OwnerAnswer owner))) {
            return;
        }
        switch (owner.state()) {
            case RUNNING_ALONE, RUNNING_PROTECTED, RUNNING_UNCERTAIN, STOPPED, FENCED -> {
                killQemu();
                finish(VmState.FENCED, reason);
            }
            case UNKNOWN -> takeBack();
            case STANDBY, ACTIVATING -> LOG.debug("VM {}: still waiting for the winner: {}", name(), owner);
        }
    }

    /** The other host could not make the VM run and has nothing of it any more: it goes on here. */
    private void takeBack() {
        staysPaused = false;
        disks.guest().letWritesThrough(false);
        flow();
        host.images().forget(handle.definition());
        if (guest.isPaused()) {
            guest.resume();
        }
        become(VmState.DEGRADED, "taken back: the other host could not make it run");
        event(EventType.DEGRADED, "taken back: the other host could not make it run");
    }

    /** Notes what is worth keeping of the session and lets go of it. */
    private void leaveSession() {
        ProtectionSession running = session;
        if (running != null) {
            running.end();
            lastEpoch = running.engine().epoch();
            lastCommitted = running.engine().committed();
            lastStatistics = running.statistics();
            pausedNanos += running.pausedNanos();
            noteTerm(running.term().next());
            session = null;
            network.mirrorTo(null);
        }
    }

    private void failUnprotecting(String cause) {
        CompletableFuture<Void> waiting = unprotecting;
        if (waiting != null) {
            unprotecting = null;
            waiting.completeExceptionally(new OperationException(
                    Kind.FAILED,
                    "VM " + name() + " is not let go by its backup, so its output stays held: " + cause,
                    "if you know that the backup does not run it: remus unprotect " + name() + " --force"));
        }
    }

    private void noteTerm(Term next) {
        term = next;
        try {
            host.state().note(name(), next, false);
        } catch (IOException e) {
            // The next session refuses to begin under a term that can't be written down; see protect().
            LOG.error("VM {}: term {} could not be written down", name(), next, e);
        }
    }

    /** Signs off, if there is anybody to sign off to, and ends QEMU; at the latest when the backup does not answer. */
    private void endInOrder(String cause) {
        if (shuttingDown == null) {
            shuttingDown = new CompletableFuture<>();
        }
        ProtectionSession running = session;
        if (stopped || running == null) {
            quit();
            return;
        }
        running.engine().end();
        running.signOff(cause);
    }

    private void quit() {
        if (!stopped) {
            try {
                guest.quit(QUIT_LIMIT);
            } catch (remus.qemu.QemuException e) {
                LOG.warn("VM {}: {}", name(), e.getMessage());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            killQemu();
        }
        event(EventType.STOPPED, "QEMU has ended");
        finish(VmState.STOPPED, reason);
    }

    private void finish(VmState last, @Nullable String cause) {
        become(last, cause);
        done = true;
    }

    private void become(VmState next, @Nullable String why) {
        state = next;
        reason = why;
        published = describe();
    }

    private void event(EventType type, String why) {
        ProtectionSession running = session;
        host.events()
                .publish(
                        name(),
                        type,
                        why,
                        running == null ? term : running.term(),
                        running == null ? lastEpoch : running.engine().epoch());
    }

    private void close() {
        done = true;
        ProtectionSession running = session;
        if (running != null) {
            running.end();
            session = null;
        }
        if (!stopped) {
            killQemu();
        }
        published = describe();
        agent.close();
        failUnprotecting("the VM has ended");
        try (CloseStack owned = new CloseStack()) {
            owned.push(wakeup);
            owned.push(parts);
        } catch (IllegalStateException e) {
            LOG.warn("VM {}: not all of it was closed", name(), e);
        } finally {
            CompletableFuture<Void> waiting = shuttingDown;
            if (waiting != null) {
                waiting.complete(null);
            }
            ended.countDown();
        }
    }

    // ---- what is asked from other threads

    /** Begins a protection session; completes when it has begun. */
    CompletableFuture<Void> protect(ProtectionSettings settings, SessionFactory factory) {
        return agent.ask(() -> {
            ProtectionSession present = session;
            if (present != null) {
                throw new OperationException(
                        Kind.CONFLICT,
                        "VM %s is protected already, by %s".formatted(name(), present.backup()),
                        "end that first: remus unprotect " + name());
            }
            if (stopped || shuttingDown != null || staysPaused) {
                throw new OperationException(
                        Kind.CONFLICT, "VM %s is %s".formatted(name(), state), "see remus status " + name());
            }
            if (guest.isPausing()) {
                throw new OperationException(
                        Kind.CONFLICT,
                        "VM " + name() + " is still in the last pause of the protection that has just ended",
                        "try again");
            }
            if (network.output().rule() == OutputBuffer.Rule.HOLD) {
                throw new OperationException(
                        Kind.CONFLICT,
                        "VM " + name() + " still waits for its disks after the protection that has just ended",
                        "try again");
            }
            Term next = term.next();
            host.state().note(name(), next, false);
            term = next;
            host.images().notePeer(handle.definition(), next, factory.backup());
            ProtectionSession begun = factory.create(next, agent, this);
            session = begun;
            network.mirrorTo(begun.channel());
            become(VmState.SYNCHRONIZING, "connecting to " + begun.backup());
            event(
                    EventType.PROTECTING,
                    "to %s, every %d ms"
                            .formatted(begun.backup(), settings.interval().toMillis()));
            begun.begin();
            return null;
        });
    }

    /** Makes a session for this VM; the daemon knows how. */
    interface SessionFactory {
        HostAddress backup();

        ProtectionSession create(Term term, Agent agent, ActiveVm vm) throws OperationException;
    }

    /**
     * Ends protection; completes when the backup has signed off, or at once with {@code force}, which is an operator's
     * word that the backup does not run the VM.
     */
    CompletableFuture<Void> unprotect(boolean force) {
        CompletableFuture<Void> result = new CompletableFuture<>();
        boolean accepted = agent.post(() -> {
            ProtectionSession running = session;
            if (running == null || stopped) {
                result.completeExceptionally(new OperationException(
                        Kind.CONFLICT, "VM " + name() + " is not protected", "see remus status " + name()));
            } else if (force) {
                running.goAlone("protection ended by command, without asking the backup");
                result.complete(null);
            } else if (unprotecting != null) {
                result.completeExceptionally(new OperationException(
                        Kind.CONFLICT, "VM " + name() + "'s protection is being ended already", "wait for it"));
            } else {
                unprotecting = result;
                running.signOff("protection ended by command");
            }
        });
        if (!accepted) {
            result.completeExceptionally(
                    new OperationException(Kind.CONFLICT, "VM " + name() + " has ended", "see remus status"));
        }
        return result;
    }

    @Nullable
    ProtectionSettings definedProtection() {
        return definedProtection;
    }

    VmHandle handle() {
        return handle;
    }

    VmParts parts() {
        return parts;
    }

    /** The term of the VM's ownership when it was taken over here; later ones are in {@link #status}. */
    Term term() {
        return new Term(published.term());
    }

    /** Work of the activation's that nobody waits for; on the agent, as its first. */
    void afterActivation(Runnable task) {
        agent.post(task);
    }

    /** Ends a VM whose agent never ran. */
    void abandon() {
        close();
    }

    @Override
    public long memoryBytes() {
        return done ? 0 : handle.definition().memory().bytes();
    }

    @Override
    public CompletableFuture<Void> shutdown(String why) {
        CompletableFuture<Void> result = new CompletableFuture<>();
        boolean accepted = agent.post(() -> {
            if (shuttingDown == null) {
                shuttingDown = result;
            } else {
                var _ = shuttingDown.thenRun(() -> result.complete(null));
            }
            reason = why;
            endInOrder(why);
        });
        if (!accepted) {
            result.complete(null);
        }
        return result;
    }

    @Override
    public VmStatus status() {
        return agent.ask(() -> published = describe(), STATUS_LIMIT, published);
    }

    @Override
    public OwnerAnswer ownerAnswer() {
        VmStatus now = published;
        OwnerState answer = switch (now.state()) {
            case UNPROTECTED -> OwnerState.RUNNING_ALONE;
            case SYNCHRONIZING -> OwnerState.RUNNING_ALONE;
            case PROTECTED -> OwnerState.RUNNING_PROTECTED;
            case DEGRADED -> now.peer() == null ? OwnerState.RUNNING_ALONE : OwnerState.RUNNING_UNCERTAIN;
            case STANDBY, ACTIVATING -> OwnerState.ACTIVATING;
            case FENCED -> OwnerState.FENCED;
            case STOPPED -> OwnerState.STOPPED;
        };
        String why = now.reason();
        return new OwnerAnswer(name(), answer, new Term(now.term()), why == null ? "" : why);
    }

    /** Only the session's own backup, in the term after the session's, and only once it may hold a whole checkpoint. */
    @Override
    public OwnerAnswer fence(Term by) {
        agent.ask(
                () -> {
                    ProtectionSession running = session;
                    if (!done && running != null && running.mayBeFencedIn(by)) {
                        lose("the backup takes over by command in term " + by, running.backup());
                    }
                    return true;
                },
                FENCE_LIMIT,
                false);
        return ownerAnswer();
    }

    /** A paused VM gives way to the session of whoever has won: that it offers one proves that the VM runs there. */
    @Override
    public boolean yieldTo(Term next) {
        if (done) {
            return awaitClosed();
        }
        boolean accepted = agent.ask(
                () -> {
                    if (state != VmState.FENCED || !next.isAfter(term)) {
                        return false;
                    }
                    killQemu();
                    finish(VmState.FENCED, reason);
                    return true;
                },
                FENCE_LIMIT,
                false);
        return accepted && awaitClosed();
    }

    @Override
    public boolean awaitClosed() {
        try {
            return ended.await(FENCE_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    @Override
    public boolean hasEnded() {
        return done;
    }

    private VmStatus describe() {
        ProtectionSession running = session;
        List<NicLink> nics = network.nics();
        OutputBuffer output = network.output();
        return new VmStatus(
                name(),
                VmRole.PRIMARY,
                state,
                reason,
                running == null ? term.value() : running.term().value(),
                running == null ? lastEpoch.value() : running.engine().epoch().value(),
                running == null
                        ? lastCommitted.value()
                        : running.engine().committed().value(),
                running == null ? null : running.backup().toString(),
                running == null ? 0 : running.settings().interval().toMillis(),
                stopped ? null : guest.process().identity().pid(),
                stopped || nics.isEmpty() ? null : nics.getFirst().tapName(),
                running == null ? lastStatistics : running.statistics(),
                new OutputStatus(
                        output.heldFrameCount(),
                        output.heldBytes(),
                        output.releasedFrameCount(),
                        output.droppedFrameCount()),
                disks.status(),
                (pausedNanos + (running == null ? 0 : running.pausedNanos())) / 1_000_000);
    }
}
