package remus.host;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
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
import remus.base.EpochId;
import remus.base.Invariant.InvariantViolation;
import remus.base.Term;
import remus.checkpoint.CheckpointEngine;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.OutputBuffer;
import remus.host.OperationException.Kind;
import remus.linux.EventFd;
import remus.linux.LinuxException;
import remus.linux.Poller;
import remus.network.GuestNetwork;
import remus.network.NicLink;
import remus.qemu.DeviceState;
import remus.qemu.GuestListener;
import remus.qemu.QmpException;
import remus.qemu.RunningGuest;
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
 * any of these   backup has taken over, or fence()        → FENCED
 *                guest powered off, stop(), QEMU died     → STOPPED
 * </pre>
 *
 * <p>A broken invariant stops the release of output, then the process ({@link #run}).
 */
final class ActiveVm implements HostedVm, GuestListener, ProtectionSession.Owner {
    private static final Logger LOG = LoggerFactory.getLogger(ActiveVm.class);
    private static final Duration QUIT_LIMIT = Duration.ofSeconds(3);
    private static final Duration STATUS_LIMIT = Duration.ofMillis(300);
    private static final long IDLE_WAIT_NANOS = 500_000_000L;
    private static final int WAKEUP_SLOT = 0;
    private static final int QMP_SLOT = 1;
    private static final int FIRST_NIC_SLOT = 2;

    private final HostServices host;
    private final VmHandle handle;
    private final RunningGuest guest;
    private final GuestNetwork network;
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
    private boolean stopWanted;
    private boolean stopped;
    private boolean done;
    private @Nullable CompletableFuture<Void> unprotecting;
    private @Nullable CompletableFuture<Void> shuttingDown;
    private volatile VmStatus published;

    /**
     * Takes over a running guest. The caller's thread then calls {@link #run}, or another one does.
     *
     * @param definedProtection what the definition says of protection, or null
     */
    ActiveVm(
            HostServices host,
            VmHandle handle,
            RunningGuest guest,
            GuestNetwork network,
            Term term,
            @Nullable ProtectionSettings definedProtection)
            throws LinuxException {
        this.host = host;
        this.handle = handle;
        this.guest = guest;
        this.network = network;
        this.term = term;
        this.definedProtection = definedProtection;
        wakeup = EventFd.open();
        agent = new Agent(wakeup::signal);
        published = describe();
        guest.process().onExit(exit -> agent.post(() -> guestDied(exit.toString())));
    }

    @Override
    public String name() {
        return handle.definition().name();
    }

    /** The agent's life: until the VM is gone from this host. */
    void run() {
        try (Poller poller = new Poller(FIRST_NIC_SLOT + 2 * network.nics().size())) {
            while (!done) {
                turn(poller);
            }
        } catch (LinuxException | RuntimeException e) {
            LOG.error("the agent of VM {} failed", name(), e);
            guestDied("the agent failed: " + e.getMessage());
        } catch (InvariantViolation e) {
            // Whatever is wrong, nothing more may leave: the backup's state is the one that counts.
            network.discard();
            LOG.error("VM {}: a broken invariant, the daemon ends", name(), e);
            Runtime.getRuntime().halt(70);
        } finally {
            close();
        }
    }

    private void turn(Poller poller) throws LinuxException {
        long now = host.time().nanos();
        ProtectionSession running = session;
        long wait = running == null ? IDLE_WAIT_NANOS : running.tick(now);
        agent.runPosted();
        guest.checkDeadline(host.time().nanos(), this);
        if (done) {
            return;
        }
        watch(poller);
        poller.await(Math.min(wait, IDLE_WAIT_NANOS));
        if (poller.readable(WAKEUP_SLOT)) {
            wakeup.clear();
        }
        if (poller.readable(QMP_SLOT) || poller.writable(QMP_SLOT)) {
            guest.poll(this);
        }
        if (!done && !stopped) {
            moveFrames();
        }
    }

    private void watch(Poller poller) {
        poller.enable(WAKEUP_SLOT, wakeup.descriptor(), true, false);
        if (stopped) {
            poller.disable(QMP_SLOT);
        } else {
            poller.enable(QMP_SLOT, guest.descriptor(), true, guest.hasUnsent());
        }
        for (int index = 0; index < network.nics().size(); index++) {
            NicLink nic = network.nics().get(index);
            int slot = FIRST_NIC_SLOT + 2 * index;
            if (stopped) {
                poller.disable(slot);
                poller.disable(slot + 1);
                continue;
            }
            poller.enable(slot, nic.socketDescriptor(), true, nic.wantsToWrite());
            if (network.inboundWithheld() || nic.wantsToWrite()) {
                poller.disable(slot + 1);
            } else {
                poller.enable(slot + 1, nic.tapDescriptor(), true, false);
            }
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
            if (!stopWanted) {
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
        running.engine().guestSaved(host.time().nanos());
        FaultPoint.TRANSFERRING.reached(running.engine().sealed().value());
    }

    @Override
    public void resumed() {
        ProtectionSession running = session;
        if (running != null) {
            running.engine().guestResumed(host.time().nanos());
        } else if (stopWanted) {
            guest.suspendAndSave();
        }
    }

    @Override
    public void guestShutdown(String cause, boolean byGuest) {
        if (shuttingDown != null || stopWanted) {
            return;
        }
        event(EventType.GUEST_SHUTDOWN, byGuest ? "the guest powered itself off" : cause);
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
        stopped = true;
        network.discard();
        event(EventType.GUEST_DEAD, cause);
        guest.close();
        ProtectionSession running = session;
        if (running == null || running.roleState() == PrimaryRole.State.JOINING) {
            endSession();
            finish(VmState.STOPPED, "QEMU died: " + cause);
        } else {
            running.engine().end();
            running.reportGuestDead(cause);
            become(VmState.DEGRADED, "QEMU died, the backup is to take over: " + cause);
        }
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
        network.flow();
        become(VmState.UNPROTECTED, cause);
        event(EventType.UNPROTECTED, cause);
        CompletableFuture<Void> waiting = unprotecting;
        if (waiting != null) {
            unprotecting = null;
            waiting.complete(null);
        }
        if (shuttingDown != null) {
            quit();
        }
    }

    @Override
    public void signOffUnanswered(String cause) {
        if (shuttingDown != null) {
            event(EventType.BACKUP_LOST, cause + "; the VM ends here all the same");
            quit();
            return;
        }
        severed(cause);
        failUnprotecting(cause);
    }

    @Override
    public void alone(String cause) {
        boolean wasHeld = session != null && network.output().rule() == OutputBuffer.Rule.HOLD;
        leaveSession();
        if (stopped) {
            finish(VmState.STOPPED, "QEMU died here and the backup has no whole checkpoint: " + cause);
            return;
        }
        network.flow();
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
        leaveSession();
        fenceHere(cause);
    }

    @Override
    public void failed(String cause) {
        ProtectionSession running = session;
        event(EventType.FAILED, "protection ends: " + cause);
        if (running != null) {
            running.engine().end();
            running.signOff(cause);
        }
    }

    // ---- transitions

    private void fenceHere(String cause) {
        network.discard();
        become(VmState.FENCED, cause);
        event(EventType.FENCED, cause);
        if (!stopped) {
            stopped = true;
            guest.close();
        }
        finish(VmState.FENCED, cause);
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

    private void endSession() {
        leaveSession();
        failUnprotecting("the VM has ended");
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
            LOG.error("VM {}: term {} could not be written down", name(), next, e);
        }
    }

    /** Signs off, if there is anybody to sign off to, and ends QEMU. */
    private void endInOrder(String cause) {
        if (shuttingDown == null) {
            shuttingDown = new CompletableFuture<>();
        }
        ProtectionSession running = session;
        if (stopped || running == null) {
            quit();
            return;
        }
        running.signOff(cause);
    }

    private void quit() {
        if (!stopped) {
            stopped = true;
            try {
                guest.quit(QUIT_LIMIT);
            } catch (remus.qemu.QemuException e) {
                LOG.warn("VM {}: {}", name(), e.getMessage());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            guest.close();
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
        ProtectionSession running = session;
        if (running != null) {
            running.end();
        }
        if (!stopped) {
            stopped = true;
            guest.close();
        }
        published = describe();
        agent.close();
        network.close();
        wakeup.close();
        handle.close();
        CompletableFuture<Void> waiting = shuttingDown;
        if (waiting != null) {
            waiting.complete(null);
        }
    }

    // ---- what is asked from other threads

    /** Begins a protection session; completes when it has begun. */
    CompletableFuture<Void> protect(ProtectionSettings settings, SessionFactory factory) {
        return agent.ask(() -> {
            if (session != null) {
                throw new OperationException(
                        Kind.CONFLICT,
                        "VM %s is protected already, by %s".formatted(name(), session.backup()),
                        "end that first: remus unprotect " + name());
            }
            if (stopped || shuttingDown != null) {
                throw new OperationException(Kind.CONFLICT, "VM " + name() + " has ended", "");
            }
            if (guest.isPausing()) {
                throw new OperationException(
                        Kind.CONFLICT,
                        "VM " + name() + " is still in the last pause of the protection that has just ended",
                        "try again");
            }
            noteTerm(term.next());
            ProtectionSession next = factory.create(term, agent, this, guest, network);
            session = next;
            network.mirrorTo(next.channel());
            become(VmState.SYNCHRONIZING, "connecting to " + next.backup());
            event(
                    EventType.PROTECTING,
                    "to %s, every %d ms"
                            .formatted(next.backup(), settings.interval().toMillis()));
            next.begin();
            return null;
        });
    }

    /** Makes a session for this VM; the daemon knows how. */
    @FunctionalInterface
    interface SessionFactory {
        ProtectionSession create(Term term, Agent agent, ActiveVm vm, RunningGuest guest, GuestNetwork network)
                throws OperationException;
    }

    /**
     * Ends protection; completes when the backup has signed off, or at once with {@code force}, which is an operator's
     * word that the backup does not run the VM.
     */
    CompletableFuture<Void> unprotect(boolean force) {
        CompletableFuture<Void> result = new CompletableFuture<>();
        CompletableFuture<Void> begun = agent.ask(() -> {
            ProtectionSession running = session;
            if (running == null) {
                throw new OperationException(
                        Kind.CONFLICT, "VM " + name() + " is not protected", "see remus status " + name());
            }
            unprotecting = result;
            if (force) {
                running.goAlone("protection ended by command, without asking the backup");
                unprotecting = null;
                result.complete(null);
            } else {
                running.signOff("protection ended by command");
            }
            return null;
        });
        var _ = begun.exceptionally(e -> {
            result.completeExceptionally(e);
            return null;
        });
        return result;
    }

    @Nullable
    ProtectionSettings definedProtection() {
        return definedProtection;
    }

    VmHandle handle() {
        return handle;
    }

    /** The term of the VM's ownership when it was taken over here; later ones are in {@link #status}. */
    Term term() {
        return new Term(published.term());
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
        agent.post(() -> {
            if (shuttingDown == null) {
                shuttingDown = result;
            } else {
                var _ = shuttingDown.thenRun(() -> result.complete(null));
            }
            reason = why;
            endInOrder(why);
        });
        if (done) {
            result.complete(null);
        }
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

    @Override
    public OwnerAnswer fence(Term by) {
        CompletableFuture<Void> fenced = agent.ask(() -> {
            ProtectionSession running = session;
            Term current = running == null ? term : running.term();
            if (!done && by.isAfter(current)) {
                leaveSession();
                fenceHere("another host takes over in term " + by);
            }
            return null;
        });
        try {
            fenced.get(QUIT_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            LOG.warn("VM {} could not be fenced at once", name(), e);
        }
        return ownerAnswer();
    }

    @Override
    public boolean yieldsToNewSession() {
        return switch (published.state()) {
            case FENCED, STOPPED -> done;
            case UNPROTECTED, SYNCHRONIZING, PROTECTED, DEGRADED, STANDBY, ACTIVATING -> false;
        };
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
                List.of(),
                (pausedNanos + (running == null ? 0 : running.pausedNanos())) / 1_000_000);
    }
}
