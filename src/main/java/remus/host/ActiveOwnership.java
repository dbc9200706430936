package remus.host;

import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.EventType;
import remus.api.VmState;
import remus.availability.PrimaryRole;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.disk.DiskException;
import remus.host.OperationException.Kind;
import remus.replication.PeerAnswer;
import remus.wire.OwnerAnswer;

/**
 * Decides what becomes of a VM that runs here: when it is protected and when no more, who may have it instead, when it is
 * given up and when taken back. It carries nothing out itself: {@link ActiveGuest} does what is done to the guest and its
 * output, {@link VmProtection} keeps the session, and whether the session still has its backup is for
 * {@link SessionOwnership}, whose verdicts come here. States as in {@link VmState}:
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
 * <p>Confined to the VM's agent thread.
 */
final class ActiveOwnership implements SessionOwner {
    private static final Logger LOG = LoggerFactory.getLogger(ActiveOwnership.class);

    private final HostServices host;
    private final ActiveGuest guest;
    private final VmProtection protection;
    private final ActiveStatus status;
    private final Agent agent;
    private @Nullable CompletableFuture<Void> unprotecting;
    private @Nullable CompletableFuture<Void> shuttingDown;

    ActiveOwnership(HostServices host, ActiveGuest guest, VmProtection protection, ActiveStatus status, Agent agent) {
        this.host = host;
        this.guest = guest;
        this.protection = protection;
        this.status = status;
        this.agent = agent;
    }

    private String name() {
        return guest.name();
    }

    // ---- what is asked of it

    /**
     * Begins a protection session.
     *
     * @throws OperationException when it can't begin now
     * @throws IOException when its term can't be written down
     * @throws DiskException when the markers of its disks can't be
     */
    void protect(ProtectionSettings settings, ActiveVm.SessionFactory factory)
            throws OperationException, IOException, DiskException {
        refuseToProtect();
        Term next = protection.nextTerm();
        host.images().notePeer(guest.parts().handle().definition(), next, factory.backup());
        ProtectionSession begun = factory.create(next, agent, guest.parts(), this);
        protection.begin(begun);
        status.become(VmState.SYNCHRONIZING, "connecting to " + begun.backup());
        status.event(
                EventType.PROTECTING,
                "to %s, every %d ms"
                        .formatted(begun.backup(), settings.interval().toMillis()));
        begun.begin();
    }

    private void refuseToProtect() throws OperationException {
        ProtectionSession present = protection.session();
        if (present != null) {
            throw new OperationException(
                    Kind.CONFLICT,
                    "VM %s is protected already, by %s".formatted(name(), present.backup()),
                    "end that first: remus unprotect " + name());
        }
        if (guest.isGone() || shuttingDown != null || guest.staysPaused()) {
            throw new OperationException(
                    Kind.CONFLICT, "VM %s is %s".formatted(name(), status.state()), "see remus status " + name());
        }
        if (guest.isPausing()) {
            throw new OperationException(
                    Kind.CONFLICT,
                    "VM " + name() + " is still in the last pause of the protection that has just ended",
                    "try again");
        }
    }

    /**
     * Ends protection.
     *
     * @param force an operator's word that the backup does not run the VM: it goes on alone at once
     * @param result completes when the backup has signed off, or at once with {@code force}
     */
    void unprotect(boolean force, CompletableFuture<Void> result) {
        ProtectionSession running = protection.session();
        if (running == null || guest.isGone()) {
            result.completeExceptionally(new OperationException(
                    Kind.CONFLICT, "VM " + name() + " is not protected", "see remus status " + name()));
        } else if (force) {
            running.ownership().goAlone("protection ended by command, without asking the backup");
            result.complete(null);
        } else if (unprotecting != null) {
            result.completeExceptionally(new OperationException(
                    Kind.CONFLICT, "VM " + name() + "'s protection is being ended already", "wait for it"));
        } else {
            unprotecting = result;
            running.signOff("protection ended by command");
        }
    }

    /** The VM is to end here, in good order; {@code result} completes when nothing of it is left. */
    void stop(String why, CompletableFuture<Void> result) {
        if (shuttingDown == null) {
            shuttingDown = result;
        } else {
            var _ = shuttingDown.thenRun(() -> result.complete(null));
        }
        status.because(why);
        endInOrder(why);
    }

    /** Signs off, if there is anybody to sign off to, and ends QEMU; at the latest when the backup does not answer. */
    private void endInOrder(String cause) {
        if (shuttingDown == null) {
            shuttingDown = new CompletableFuture<>();
        }
        ProtectionSession running = protection.session();
        if (guest.isGone() || running == null) {
            quit();
            return;
        }
        running.engine().end();
        running.signOff(cause);
    }

    private void quit() {
        if (!guest.isGone()) {
            guest.quit();
        }
        status.event(EventType.STOPPED, "QEMU has ended");
        status.finish(VmState.STOPPED, status.reason());
    }

    /** Another host wants the VM: only the session's own backup, in the next term, and once it may hold a checkpoint. */
    void fence(Term by) {
        ProtectionSession running = protection.session();
        if (!status.hasEnded() && running != null && running.ownership().mayBeFencedIn(by)) {
            lose("the backup takes over by command in term " + by, running.backup());
        }
    }

    /** A paused VM gives way to the session of whoever has won: that it offers one proves that the VM runs there. */
    boolean yieldTo(Term next) {
        if (status.state() != VmState.FENCED || !next.isAfter(protection.term())) {
            return false;
        }
        giveUp();
        return true;
    }

    // ---- what becomes of the guest

    void guestShutDown(String cause, boolean byGuest) {
        if (shuttingDown != null || guest.staysPaused()) {
            return;
        }
        if (!byGuest) {
            // Somebody ended QEMU from outside: to the guest that is a power failure, which is what the backup is for.
            guestDied("QEMU was told to end: " + cause);
            return;
        }
        status.event(EventType.GUEST_SHUTDOWN, "the guest powered itself off");
        agent.post(() -> endInOrder("the guest powered itself off"));
    }

    /** QEMU is dead or hangs: if there is a backup, it takes over. */
    void guestDied(String cause) {
        if (guest.isGone() || status.hasEnded() || shuttingDown != null) {
            return;
        }
        guest.discardOutput();
        guest.kill();
        if (status.state() == VmState.FENCED) {
            status.finish(VmState.FENCED, status.reason());
            return;
        }
        status.event(EventType.GUEST_DEAD, cause);
        ProtectionSession running = protection.session();
        if (running == null || running.ownership().state() == PrimaryRole.State.JOINING) {
            protection.end();
            status.finish(VmState.STOPPED, "QEMU died: " + cause);
        } else {
            running.engine().end();
            running.reportGuestDead(cause);
            status.become(VmState.DEGRADED, "QEMU died, the backup is to take over: " + cause);
        }
    }

    // ---- what the session says

    @Override
    public void progress(String text) {
        status.become(VmState.SYNCHRONIZING, text);
    }

    @Override
    public void disksSynchronized(String how) {
        status.event(EventType.DISKS_SYNCHRONIZED, how);
    }

    @Override
    public void outputIsHeldFrom(EpochId epoch) {
        ProtectionSession running = protection.session();
        if (running != null && running.settings().outputCommit()) {
            guest.holdFrom(epoch);
        }
    }

    @Override
    public void isProtected() {
        status.become(VmState.PROTECTED, null);
        status.event(
                EventType.PROTECTED, "the backup has the first full checkpoint; output waits for commits from now on");
    }

    @Override
    public void severed(String cause) {
        status.become(VmState.DEGRADED, "output is held: " + cause);
        status.event(EventType.BACKUP_LOST, "output is held: " + cause);
    }

    @Override
    public void reconnected(EpochId lastWhole) {
        status.become(VmState.PROTECTED, null);
        status.event(EventType.RECONNECTED, "the backup stands by at epoch " + lastWhole + ", nothing was lost");
    }

    @Override
    public void diskHangs(String cause) {
        status.event(EventType.DISK_ERROR, cause);
        guestDied("its disk hangs: " + cause);
    }

    @Override
    public void verified(EpochId epoch, boolean equal) {
        if (equal) {
            status.event(EventType.VERIFIED, "memory of both sides is equal at epoch " + epoch);
            return;
        }
        status.event(
                EventType.VERIFY_FAILED, "memory differs between both sides at epoch " + epoch + ": protection ends");
        ProtectionSession running = protection.session();
        if (running != null) {
            running.signOff("memory digests differ at epoch " + epoch);
        }
    }

    @Override
    public void failed(String cause) {
        if (guest.isEnding()) {
            // Its memory goes before the process does: this is a death to be reported, not a protection to be ended.
            guestDied("QEMU ended while a checkpoint was taken: " + cause);
            return;
        }
        ProtectionSession running = protection.session();
        status.event(EventType.FAILED, "protection ends: " + cause);
        if (running != null) {
            running.engine().end();
            running.signOff(cause);
        }
    }

    @Override
    public void signOffUnanswered(String cause) {
        if (shuttingDown != null) {
            status.event(EventType.BACKUP_LOST, cause + "; the VM ends here all the same");
            quit();
            return;
        }
        failUnprotecting(cause);
    }

    @Override
    public void signedOff(String cause) {
        protection.end();
        flow();
        forgetCopies();
        status.become(VmState.UNPROTECTED, cause);
        status.event(EventType.UNPROTECTED, cause);
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
    public void alone(String cause, boolean backupHasNothing) {
        boolean wasHeld = protection.session() != null && guest.isHeld();
        protection.end();
        if (guest.isGone()) {
            status.finish(VmState.STOPPED, "QEMU died here and the backup has no whole checkpoint: " + cause);
            return;
        }
        flow();
        if (backupHasNothing) {
            forgetCopies();
        }
        status.become(wasHeld ? VmState.DEGRADED : VmState.UNPROTECTED, cause);
        status.event(
                wasHeld ? EventType.DEGRADED : EventType.FAILED,
                (wasHeld ? "goes on alone: " : "not protected: ") + cause);
        failUnprotecting(cause);
        if (shuttingDown != null) {
            quit();
        }
    }

    private void flow() {
        guest.flowOnceDurable(() -> protection.session() == null && !guest.staysPaused() && !status.hasEnded());
    }

    /** No other host can have gone on with a copy of the disks: they are started here without a question. */
    private void forgetCopies() {
        host.images().forget(guest.parts().handle().definition());
    }

    // ---- another host takes over

    @Override
    public void lost(String cause) {
        ProtectionSession running = protection.session();
        lose(cause, running == null ? null : running.backup());
    }

    /**
     * Another host takes over: nothing that is held leaves any more, and the guest is paused until it is known whether the
     * VM runs there; so the VM is never on neither side.
     *
     * @param winner who takes over, or null when it is not known
     */
    private void lose(String cause, @Nullable HostAddress winner) {
        guest.discardOutput();
        guest.stayPaused();
        protection.end();
        status.become(VmState.FENCED, cause);
        status.event(EventType.FENCED, cause);
        failUnprotecting(cause);
        if (guest.isGone() || shuttingDown != null || winner == null) {
            giveUp();
            return;
        }
        guest.pause();
        WinnerInquiry.begin(
                host.peers(),
                winner,
                name(),
                () -> !status.hasEnded(),
                answer -> agent.post(() -> winnerAnswered(answer)));
    }

    private void winnerAnswered(PeerAnswer answer) {
        if (status.state() != VmState.FENCED
                || status.hasEnded()
                || !(answer instanceof PeerAnswer.Answered(OwnerAnswer owner))) {
            return;
        }
        switch (owner.state()) {
            case RUNNING_ALONE, RUNNING_PROTECTED, RUNNING_UNCERTAIN, STOPPED, FENCED -> giveUp();
            case UNKNOWN -> takeBack();
            case STANDBY, ACTIVATING -> LOG.debug("VM {}: still waiting for the winner: {}", name(), owner);
        }
    }

    /** The VM is elsewhere for good. */
    private void giveUp() {
        guest.kill();
        status.finish(VmState.FENCED, status.reason());
    }

    /** The other host could not make the VM run and has nothing of it any more: it goes on here. */
    private void takeBack() {
        flow();
        forgetCopies();
        guest.goOn();
        status.become(VmState.DEGRADED, "taken back: the other host could not make it run");
        status.event(EventType.DEGRADED, "taken back: the other host could not make it run");
    }

    // ---- the end

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

    /** Nothing is decided any more: who waits for the end of protection is told. */
    void ending() {
        failUnprotecting("the VM has ended");
    }

    /** Nothing of the VM is left: who waits for that is told. */
    void ended() {
        CompletableFuture<Void> waiting = shuttingDown;
        if (waiting != null) {
            waiting.complete(null);
        }
    }
}
