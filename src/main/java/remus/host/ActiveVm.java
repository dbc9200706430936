package remus.host;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.EventType;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.availability.HostId;
import remus.availability.OwnershipRecord;
import remus.availability.PrimaryState;
import remus.availability.Step;
import remus.base.CloseStack;
import remus.base.ErrorCategory;
import remus.base.HostAddress;
import remus.base.Term;
import remus.checkpoint.CheckpointException;
import remus.host.OperationException.Kind;
import remus.linux.EventFd;
import remus.linux.LinuxException;
import remus.wire.OwnerAnswer;

/**
 * A VM that runs on this host, or ran here last: its agent, and the way to it for other threads.
 *
 * <p>One agent thread does everything in turns: it waits for QEMU's answers, frames of either direction, messages of the
 * channel and commands, whichever comes first. What becomes of the VM is decided by {@link ActiveOwnership}, whose header
 * has the states; what can be done to the guest is in {@link ActiveGuest}, what QEMU says of it goes through
 * {@link GuestEvents}, what others are told of it through {@link ActiveStatus}.
 *
 * <p>A broken invariant stops the release of output, then the process ({@link #run}).
 */
final class ActiveVm implements HostedVm {
    private static final Logger LOG = LoggerFactory.getLogger(ActiveVm.class);
    private static final Duration STATUS_LIMIT = Duration.ofMillis(300);
    private static final Duration FENCE_LIMIT = Duration.ofSeconds(3);
    private static final Duration READY_LIMIT = Duration.ofSeconds(2);

    /** How long a backup and the arbiter may take to end a protection before the daemon ends without. */
    private static final Duration LEAVE_LIMIT = Duration.ofSeconds(8);

    private static final long IDLE_WAIT_NANOS = 500_000_000L;

    private final HostServices host;
    private final VmParts parts;
    private final EventFd wakeup;
    private final Agent agent;
    private final QemuGuest guest;
    private final VmProtection protection;
    private final ActiveStatus status;
    private final ActiveOwnership ownership;
    private final GuestEvents events;
    private final ProtectionWish wish;
    private final RunningNote note;
    private final String whyProtect;
    private final CountDownLatch ended = new CountDownLatch(1);
    private @Nullable Runnable leaving;
    private boolean left;
    private final CompletableFuture<Void> whenClosed = new CompletableFuture<>();

    /**
     * Takes over a running guest. The caller's thread then calls {@link #run}, or another one does.
     *
     * @param note in which what becomes of the VM is written down for a daemon started anew
     */
    ActiveVm(HostServices host, VmParts parts, VmArbiter arbiter, RunningNote note, Beginning beginning)
            throws LinuxException {
        this.host = host;
        this.parts = parts;
        this.note = note;
        whyProtect = beginning.whyProtect();
        wakeup = EventFd.open();
        agent = new Agent(wakeup::signal);
        guest = new QemuGuest(parts, agent);
        protection = new VmProtection(parts.network(), beginning.term());
        status = new ActiveStatus(guest, protection, host.events(), host.hostName());
        wish = new ProtectionWish(guest.name(), host.keeper(), status, note);
        ownership = new ActiveOwnership(
                host, new ActiveOwnership.Vm(guest, protection, status, wish, note), arbiter, beginning.first(), agent);
        events = new GuestEvents(guest, protection, status, ownership, agent, host.time());
        parts.disks().reportTo(events);
        parts.guest().process().onExit(exit -> agent.post(() -> ownership.guestDied(exit.toString())));
    }

    /**
     * How the VM came to this host.
     *
     * @param term in which this host owned it last
     * @param first the state in which this host owns it alone or asks to, and what that says is to be done
     * @param whyProtect why it is to be protected, for people
     */
    record Beginning(Term term, Step<PrimaryState> first, String whyProtect) {
        /** @param owned the state in which this host owns it alone */
        static Beginning owned(PrimaryState owned, String whyProtect) {
            return new Beginning(recordOf(owned).term(), new Step<>(owned, List.of()), whyProtect);
        }
    }

    /** The record by which this host owns the VM alone. */
    static OwnershipRecord recordOf(PrimaryState owned) {
        if (owned.role() instanceof PrimaryState.Alone(OwnershipRecord record, boolean _)) {
            return record;
        }
        throw new IllegalArgumentException("not owned alone: " + owned.role());
    }

    @Override
    public String name() {
        return guest.name();
    }

    /** The agent's life: until the VM is gone from this host. */
    void run() {
        try (AgentWait wait = new AgentWait(wakeup, parts.guest(), parts.network())) {
            if (ownership.isAlone()) {
                wish.alone(whyProtect);
            }
            while (!status.hasEnded()) {
                turn(wait);
            }
        } catch (LinuxException | RuntimeException e) {
            LOG.error("the agent of VM {} failed", name(), e);
            guest.discardOutput();
            status.fail(String.valueOf(e.getMessage()));
        } catch (Error e) {
            // Whatever is wrong, nothing more may leave: the backup's state is the one that counts.
            guest.discardOutput();
            LOG.error("VM {}: its agent can't go on, the daemon ends", name(), e);
            Runtime.getRuntime().halt(HostServices.EXIT_INVARIANT);
        } finally {
            close();
        }
    }

    private void turn(AgentWait wait) throws LinuxException {
        ProtectionSession running = protection.session();
        long nowNanos = host.time().nanos();
        long nanos = running == null ? IDLE_WAIT_NANOS : running.tick(nowNanos);
        nanos = Math.min(nanos, ownership.tick(nowNanos));
        boolean ran = agent.runPosted();
        parts.guest().checkDeadline(host.time().nanos(), events);
        if (status.hasEnded()) {
            return;
        }
        Runnable leave = leaving;
        if (leave != null && ownership.isSettled()) {
            leave.run();
            return;
        }
        // What was posted may have made something due, such as a round's end: only the next turn finds that.
        boolean qemuSpoke = wait.await(ran ? 0 : Math.min(nanos, IDLE_WAIT_NANOS), !guest.isGone());
        if (qemuSpoke) {
            parts.guest().poll(events);
        }
        if (!status.hasEnded() && !guest.isGone()) {
            moveFrames();
        }
    }

    private void moveFrames() {
        try {
            guest.moveFrames();
        } catch (LinuxException e) {
            // QEMU's end of the socket is gone, and QEMU with it; its exit code says more when it comes.
            parts.guest().poll(events);
            ownership.guestDied("its network is gone: " + e.getMessage());
        }
        ProtectionSession running = protection.session();
        if (running != null && parts.network().outputIsFilling()) {
            running.engine().endEpochEarly();
        }
    }

    private void close() {
        status.finish();
        protection.abandon();
        if (!left && !guest.isGone()) {
            guest.kill();
        }
        status.publish();
        agent.close();
        ownership.ending();
        try (CloseStack owned = new CloseStack()) {
            owned.push(wakeup);
            owned.push(left ? parts::leave : parts);
        } catch (IllegalStateException e) {
            LOG.warn("VM {}: not all of it was closed", name(), e);
        } finally {
            ownership.ended();
            ended.countDown();
            whenClosed.complete(null);
        }
    }

    // ---- what is asked from other threads

    /** Makes a session for this VM; the daemon knows how. */
    interface SessionFactory {
        HostAddress backup();

        /** The name of the host at that address. */
        HostId backupId();

        /** Why the VM is to be protected now, for people. */
        String why();

        /** Whether that host sees the same images of the VM's disks, and is to have these. */
        default boolean sharesDisks() {
            return false;
        }

        ProtectionSession create(Term term, SessionOwner owner) throws OperationException;
    }

    /** Begins a protection session; completes when it has begun, at once where the VM has that backup already. */
    CompletableFuture<Void> protect(ProtectionSettings settings, SessionFactory factory) {
        return command(result -> ownership.commands().protect(settings, factory, result));
    }

    /** As {@link #protect}, unless an end of protection was asked for meanwhile. */
    CompletableFuture<Void> protectAgain(ProtectionSettings settings, SessionFactory factory) {
        return command(result -> ownership.commands().protectAgain(settings, factory, result));
    }

    /** @throws OperationException when no session could be begun now */
    void requireReadyToProtect() throws OperationException {
        OperationException refusal = agent.ask(() -> ownership.commands().refusalToProtectAgain(), READY_LIMIT, busy());
        if (refusal != null) {
            throw refusal;
        }
    }

    private OperationException busy() {
        return new OperationException(Kind.CONFLICT, "VM " + name() + " is busy", "try again");
    }

    private CompletableFuture<Void> command(Consumer<CompletableFuture<Void>> command) {
        CompletableFuture<Void> result = new CompletableFuture<>();
        if (!agent.post(() -> command.accept(result))) {
            result.completeExceptionally(
                    new OperationException(Kind.CONFLICT, "VM " + name() + " has ended", "see remus status"));
        }
        return result;
    }

    /** How it is protected, or would be. */
    ProtectionSettings protection() {
        return wish.settings();
    }

    /** Whether it is to have a backup. */
    boolean isToBeProtected() {
        return wish.isWanted();
    }

    /** The backup of the session of now; null: there is none. */
    @Nullable
    HostAddress backup() {
        Optional<HostAddress> present = agent.ask(
                () -> Optional.ofNullable(protection.session()).map(ProtectionSession::backup),
                STATUS_LIMIT,
                Optional.empty());
        return present.orElse(null);
    }

    /** It has no backup yet, though it is to have one. */
    void waits(String reason, boolean news) {
        agent.post(() -> wish.waits(reason, news));
    }

    /**
     * Ends protection; completes when the backup has signed off, or at once with {@code force}, which is an operator's
     * word that the backup does not run the VM.
     */
    CompletableFuture<Void> unprotect(boolean force) {
        return command(result -> ownership.commands().unprotect(force, result));
    }

    /** Pauses the guest until it is resumed, or resumes it; completes when that has been asked of QEMU. */
    CompletableFuture<Void> pause(boolean still) {
        return command(result -> ownership.commands().pause(still, result));
    }

    /** Hands the VM over to its backup; completes when it runs there. */
    CompletableFuture<Void> switchOver() {
        return command(result -> ownership.commands().switchOver(result));
    }

    /** Moves the VM to another host; completes when that has begun. */
    CompletableFuture<Void> migrate(ProtectionSettings settings, SessionFactory factory, Migration migration) {
        return command(result -> ownership.commands().migrate(settings, factory, migration, result));
    }

    /** Moves the VM to the host that backs it up, which has all of it already; completes when that has begun. */
    CompletableFuture<Void> migrateToBackup(Migration migration) {
        return command(result -> ownership.commands().migrateToBackup(migration, result));
    }

    /** The destination of its migration may come to own its images; on the agent. */
    void disksMayLeave() throws CheckpointException {
        try {
            note.withheld();
        } catch (IOException e) {
            throw new CheckpointException(
                    ErrorCategory.DEGRADE, "that the disks are handed over can't be noted: " + e, e);
        }
    }

    /** The VM is not to move after all. */
    CompletableFuture<Void> cancelMigration() {
        return command(result -> ownership.commands().cancelMigration(result));
    }

    /** It was handed over to this host by its former primary; for whoever asks. Before {@link #run}. */
    void tellOfSwitchover(String figures, EventType as) {
        status.switchedOver(figures, as);
    }

    @Override
    public CompletableFuture<Void> shutdown(String why) {
        CompletableFuture<Void> result = new CompletableFuture<>();
        if (!agent.post(() -> ownership.commands().stop(why, result))) {
            result.complete(null);
        }
        return result;
    }

    /**
     * The daemon ends and its next start is to find the guest running: protection is ended in good order, then QEMU is left
     * by itself. Where nobody signs off in time QEMU is left all the same, as by a daemon that was killed.
     */
    @Override
    public CompletableFuture<Void> leave(String why) {
        CompletableFuture<Void> result = new CompletableFuture<>();
        var _ = whenClosed.thenRun(() -> result.complete(null));
        if (!agent.post(() -> beginLeaving(why))) {
            result.complete(null);
        }
        return result;
    }

    private void beginLeaving(String why) {
        if (guest.isGone()) {
            ownership.commands().stop(why, new CompletableFuture<>());
            return;
        }
        Runnable now = () -> depart(why);
        leaving = now;
        CompletableFuture<Void> alone = new CompletableFuture<>();
        ownership.commands().leave(why, alone);
        var _ = alone.orTimeout(LEAVE_LIMIT.toMillis(), TimeUnit.MILLISECONDS).whenComplete((done, failure) -> {
            if (failure != null) {
                LOG.warn("VM {} is left without its backup's word: {}", name(), failure.toString());
                agent.post(now);
            }
        });
    }

    private void depart(String why) {
        if (left || status.hasEnded() || guest.isGone()) {
            return;
        }
        left = true;
        host.runtime().leave(parts.handle().directory());
        status.event(EventType.LEFT, why + "; QEMU goes on without network and disks until the next daemon adopts it");
        status.finish();
    }

    @Override
    public OwnerAnswer fence(Term by) {
        agent.ask(
                () -> {
                    ownership.fence(by);
                    return true;
                },
                FENCE_LIMIT,
                false);
        return ownerAnswer();
    }

    @Override
    public Yield yieldTo(Term next) {
        Yield decided = hasEnded()
                ? Yield.FREE
                : agent.ask(() -> ownership.yieldTo(next) ? Yield.FREE : Yield.KEPT, FENCE_LIMIT, Yield.BUSY);
        return decided == Yield.FREE && !awaitClosed() ? Yield.BUSY : decided;
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

    /** Work of the activation's that nobody waits for; on the agent, as its first. */
    void afterActivation(Runnable task) {
        agent.post(task);
    }

    /**
     * Goes on with a guest that a former daemon has left in whatever it was doing; before the agent runs.
     *
     * @param isPausedByCommand whether it is to stand still until somebody resumes it
     */
    void adopted(String why, boolean isPausedByCommand) {
        if (isPausedByCommand) {
            guest.keepStill();
        }
        String told = isPausedByCommand ? why + "; it stands still by command" : why;
        if (ownership.isAlone()) {
            guest.goOn();
            status.become(VmState.UNPROTECTED, why, EventType.ADOPTED, told);
        } else {
            ownership.commands().because(why);
            String held = "output is held until it is clear who owns the VM: " + why;
            status.become(VmState.DEGRADED, held, EventType.ADOPTED, told);
        }
        if (parts.guest().isShutDown()) {
            agent.post(() -> ownership.guestShutDown("while no daemon watched it", true));
        }
    }

    /** For a session of this VM's. */
    Agent agent() {
        return agent;
    }

    /** Ends a VM whose agent never ran. */
    void abandon() {
        close();
    }

    VmHandle handle() {
        return parts.handle();
    }

    VmParts parts() {
        return parts;
    }

    /** The term of the VM's ownership when it was taken over here; later ones are in {@link #status}. */
    Term term() {
        return new Term(status.published().term());
    }

    @Override
    public long memoryBytes() {
        return hasEnded() ? 0 : handle().definition().memory().bytes();
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
    public boolean hasEnded() {
        return status.hasEnded();
    }
}
