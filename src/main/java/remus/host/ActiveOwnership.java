package remus.host;

import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.EventType;
import remus.api.VmState;
import remus.api.WhenAlone;
import remus.availability.HostId;
import remus.availability.OwnershipAction;
import remus.availability.OwnershipAgent;
import remus.availability.OwnershipRecord;
import remus.availability.PrimaryEvent;
import remus.availability.PrimaryEvent.Acknowledged;
import remus.availability.PrimaryEvent.ActivationOverdue;
import remus.availability.PrimaryEvent.BackupLost;
import remus.availability.PrimaryEvent.FirstCheckpointPaused;
import remus.availability.PrimaryEvent.GuestDied;
import remus.availability.PrimaryEvent.Reconnected;
import remus.availability.PrimaryEvent.RetryDue;
import remus.availability.PrimaryEvent.StopRequested;
import remus.availability.PrimaryEvent.UnprotectRequested;
import remus.availability.PrimaryEvent.WokeLate;
import remus.availability.PrimaryEvent.YieldRequested;
import remus.availability.PrimaryOwnership;
import remus.availability.PrimaryState;
import remus.availability.PrimaryState.Alone;
import remus.availability.PrimaryState.Gone;
import remus.availability.PrimaryState.Opening;
import remus.availability.PrimaryState.Protected;
import remus.availability.PrimaryState.Waiting;
import remus.availability.Step;
import remus.base.EpochId;
import remus.base.Term;

/**
 * What happens to a VM that runs here, brought to {@link PrimaryOwnership}, which decides what becomes of it; its header
 * has the states. What is to be done then is for {@link ActiveDuties}, what is told of it for {@link ActiveStory}, what is
 * asked of it for {@link ActiveCommands}.
 *
 * <p>A backup that is silent is tried again and again with output held. With an arbiter, whose record makes it safe, it is
 * given up after the acknowledgement deadline. Without one it is given up only where the VM may go on all the same
 * ({@link WhenAlone#CONTINUE}), and at once, for then the {@link VmArbiter} has its own patience. A backup that says itself
 * that it has no image is given up always, and so is the wait for its activation; as is one that was sent no full
 * checkpoint yet. Confined to the VM's agent thread.
 */
final class ActiveOwnership implements SessionOwner {
    private static final Logger LOG = LoggerFactory.getLogger(ActiveOwnership.class);

    private final ActiveGuest guest;
    private final VmProtection protection;
    private final ActiveStatus status;
    private final VmArbiter arbiter;
    private final ActiveDuties duties;
    private final ActiveStory story;
    private final ActiveCommands commands;
    private final ProtectionWish wish;
    private final RunningNote note;
    private final OwnershipAgent<PrimaryState, PrimaryEvent> ownership;
    private @Nullable String broken;

    /**
     * What is decided about.
     *
     * @param note what is written down of it for a daemon started anew
     */
    record Vm(ActiveGuest guest, VmProtection protection, ActiveStatus status, ProtectionWish wish, RunningNote note) {}

    /** @param first the state in which this host owns the VM alone or asks to, and what that says is to be done */
    ActiveOwnership(HostServices host, Vm vm, VmArbiter arbiter, Step<PrimaryState> first, Agent agent) {
        guest = vm.guest();
        protection = vm.protection();
        status = vm.status();
        wish = vm.wish();
        note = vm.note();
        this.arbiter = arbiter;
        story = new ActiveStory(host.images(), guest, protection, status, arbiter);
        duties = new ActiveDuties(host, vm, arbiter, story, this);
        commands = new ActiveCommands(vm, arbiter, duties, story, this);
        arbiter.answerOn(agent::post);
        ownership =
                OwnershipAgent.ofPrimary(guest.name(), arbiter, agent::post, host.time(), host.pauses(), this::does);
        ownership.whenChanged(this::changed);
        ownership.begin(first);
    }

    PrimaryState.Role role() {
        return ownership.state().role();
    }

    /** Whether this host owns the VM without a session, or anything that may still be decided. */
    boolean isAlone() {
        return role() instanceof Alone;
    }

    /** Whether nothing is going on with the VM: it is owned alone, runs, and holds nothing back. */
    boolean isSettled() {
        return isAlone() && !guest.isPausing() && !guest.isHeld();
    }

    private String name() {
        return guest.name();
    }

    /** What people may ask of the VM. */
    ActiveCommands commands() {
        return commands;
    }

    /** Does what is due; returns nanoseconds until it wants to be called again. */
    long tick(long nowNanos) {
        commands.tick();
        return ownership.tick(nowNanos);
    }

    /** A duty that can't be done leaves nothing that could go on: what leaves is what the backup knows. */
    private void does(OwnershipAction action) {
        try {
            duties.does(action);
        } catch (RuntimeException e) {
            LOG.error("VM {}: {} could not be done", name(), action, e);
            ownership.stop();
            guest.discardOutput();
            status.fail("%s could not be done: %s".formatted(action, e.getMessage()));
        }
    }

    private void changed(PrimaryState before, PrimaryState after) {
        if (after.role() instanceof Alone(var record, boolean spent)) {
            protection.granted(record.term());
            arbiter.isAlone();
            note.alone(record, spent);
        } else if (after.role() instanceof Protected(var record, var _)) {
            protection.granted(record.term());
        }
        boolean endsByCommand = story.endsByCommand();
        boolean wasEntered = story.isEntered();
        String cause = story.cause(); // to which its end puts an end, too
        story.changed(before.role(), after.role());
        wishes(before.role(), after.role(), endsByCommand);
        if (story.isEntered() && !wasEntered) {
            entered();
        }
        if (after.role() instanceof Gone && !(before.role() instanceof Gone)) {
            duties.gone(before.role());
        }
        if (before.role() instanceof Opening && !(after.role() instanceof Opening)) {
            duties.failWanted(story.cause());
        }
        if (before.role() instanceof Waiting && after.role() instanceof Alone) {
            duties.takenBack();
        }
        commands.changed(before.role(), after.role(), cause);
        if (after.role() instanceof Protected && !(before.role() instanceof Protected)) {
            backToProtected();
        }
        hurry();
        status.stepIsOver();
    }

    /** Who never will activate is not waited for until that is overdue. */
    private void hurry() {
        if (role() instanceof Waiting(OwnershipRecord seen, boolean overdue, var _)
                && seen != null
                && !overdue
                && arbiter.isBackupGone()) {
            ownership.on(new ActivationOverdue(seen.term()));
            ownership.on(new RetryDue());
        }
    }

    /** What becomes of the wish for a backup. */
    private void wishes(PrimaryState.Role before, PrimaryState.Role after, boolean endsByCommand) {
        if (after instanceof Alone && !(before instanceof Alone)) {
            if (story.isLeaving()) {
                return; // the next daemon knows it by the note
            }
            if (endsByCommand || story.isEnding()) {
                wish.drop();
            } else {
                wish.alone(String.valueOf(status.reason()));
            }
        } else if (after instanceof Gone) {
            wish.over();
        }
    }

    /** The session protects the VM for the first time: from now on the VM is to be protected so. */
    private void entered() {
        ProtectionSession running = protection.session();
        if (running != null && running.migration() == null) {
            wish.isProtected(running.settings());
        }
    }

    /** Somebody may have wanted an end of that meanwhile, or the session may not be able to go on. */
    private void backToProtected() {
        String cause = broken;
        if (cause != null) {
            tell(session -> new BackupLost(session, cause));
        } else if (story.endsByCommand()) {
            ownership.on(new UnprotectRequested(story.cause()));
        } else if (standsStillForNothing()) {
            tell(session -> new BackupLost(session, story.cause()));
        }
    }

    /** It does not move after all, and stands still until it is clear that its disks are this host's. */
    private boolean standsStillForNothing() {
        ProtectionSession running = protection.session();
        return running != null && running.sharesDisks() && !story.isSwitchingOver();
    }

    /** Another session begins. */
    void sessionBegins(Term session) {
        broken = null;
        story.sessionBegins();
        arbiter.begins(session);
    }

    void on(PrimaryEvent event) {
        ownership.on(event);
    }

    /** An event of the session of now. */
    void tell(Function<Term, PrimaryEvent> event) {
        ProtectionSession running = protection.session();
        if (running != null) {
            ownership.on(event.apply(running.term()));
        }
    }

    /** No session could be begun. */
    void sessionFailed(Term session, String cause) {
        ownership.on(new BackupLost(session, cause));
    }

    // ---- what other hosts ask

    /** The backup never will activate, by its own word or an operator's: what the record says is looked at now. */
    void nobodyTakesOver() {
        hurry();
        ownership.on(new RetryDue());
    }

    /** Another host wants the VM: only the session's own backup, in the next term, and once it may hold a checkpoint. */
    void fence(Term by) {
        ProtectionSession running = protection.session();
        if (running != null
                && by.equals(running.term().next())
                && (role() instanceof Protected || role() instanceof PrimaryState.GoingAlone)) {
            backupActivated("by command, in term " + by);
        }
    }

    /**
     * A paused VM gives way to the session of whoever has won: that it offers one proves that the VM runs there. One that
     * has been ended is only to be waited for.
     */
    boolean yieldTo(Term next) {
        if (role() instanceof Gone) {
            return true;
        }
        if (!(role() instanceof Waiting) || !next.isAfter(protection.term())) {
            return false;
        }
        arbiter.peerOwns();
        ownership.on(new RetryDue());
        return true;
    }

    // ---- what becomes of the guest

    void guestShutDown(String cause, boolean byGuest) {
        if (story.isEnding() || guest.staysPaused()) {
            return;
        }
        if (!byGuest) {
            // Somebody ended QEMU from outside: to the guest that is a power failure, which is what the backup is for.
            guestDied("QEMU was told to end: " + cause);
            return;
        }
        status.event(EventType.GUEST_SHUTDOWN, "the guest powered itself off");
        commands.stop("the guest powered itself off", new CompletableFuture<>());
    }

    /** QEMU is dead or hangs: if there is a backup, it takes over. */
    void guestDied(String cause) {
        if (guest.isGone() || status.hasEnded()) {
            return;
        }
        guest.discardOutput();
        guest.kill();
        story.failSwitchover("QEMU died here: " + cause);
        if (story.isEnding()) {
            return; // what is left of that needs no QEMU
        }
        if (role() instanceof Waiting) {
            status.event(EventType.GUEST_DEAD, cause + "; it was kept paused here");
        }
        ProtectionSession running = protection.session();
        if (running != null) {
            running.engine().end();
        }
        ownership.on(new GuestDied(cause));
    }

    // ---- what the session says

    @Override
    public void progress(String text) {
        Migration migration = story.migration();
        status.because(
                migration == null
                        ? text
                        : "moving to %s, %s".formatted(migration.order().to(), text));
    }

    @Override
    public void disksSynchronized(String how) {
        status.event(EventType.DISKS_SYNCHRONIZED, how);
    }

    @Override
    public void firstCheckpointPaused(EpochId epoch) {
        arbiter.imageMayBeAt(backup());
        duties.firstEpoch(epoch);
        tell(FirstCheckpointPaused::new);
    }

    private HostId backup() {
        return switch (role().session()) {
            case PrimaryState.Session(Term _, HostId backup) -> backup;
            case null -> throw new IllegalStateException("a checkpoint without a session");
        };
    }

    @Override
    public void acknowledged(EpochId epoch) {
        tell(session -> new Acknowledged(session, epoch));
    }

    @Override
    public void lastCommitted() {
        Migration migration = story.migration();
        if (migration != null && migration.awaitsVerification()) {
            return;
        }
        if (story.isSwitchingOver() && role() instanceof Protected) {
            if (migration != null) {
                migration.handingOver();
            }
            FaultPoint.HANDING_OVER.reached(protection.committed().value());
            duties.handsOver();
            tell(session -> new YieldRequested(session, "handed over by command to " + backup()));
        } else {
            commands.cancelSwitchover("who owns the VM is being decided");
            ProtectionSession running = protection.session();
            if (running != null && !story.isSwitchingOver()) {
                running.goOn(); // nobody waits for it any more
            }
        }
    }

    @Override
    public void wokeLate() {
        if (protection.session() == null) {
            return;
        }
        arbiter.wokeLate();
        ownership.on(new WokeLate());
    }

    @Override
    public void severed(String reason) {
        if (!(role() instanceof PrimaryState.Synchronizing)) { // where contact may still have to be made
            if (isCopying() && !arbiter.isShared() && !(role() instanceof Waiting)) {
                arbiter.backupGone(); // it does not take over what it was not handed
            }
            commands.cancelSwitchover("no contact with the backup: " + reason);
        }
        if (!arbiter.isShared() && mayGoOnAlone() && role() instanceof Protected) {
            story.because(reason);
            tell(session -> new BackupLost(session, reason));
        } else {
            story.severed(role(), reason);
        }
    }

    /**
     * Whether the session of now moves the VM, and its disks by copies: of shared ones nobody may be wrong. One that protects it
     * may have to end before.
     */
    private boolean isCopying() {
        ProtectionSession running = protection.session();
        return running != null && running.migration() != null && !running.sharesDisks();
    }

    @Override
    public void givenUp(String reason) {
        // Before the first full checkpoint there is nothing that the backup could go on with, whoever may ask.
        boolean hasNoImage = role() instanceof PrimaryState.Synchronizing;
        if (hasNoImage || (mayGoOnAlone() && !(role() instanceof PrimaryState.GoingAlone))) {
            story.givenUp(reason);
            tell(session -> new BackupLost(session, reason));
        }
    }

    private boolean mayGoOnAlone() {
        ProtectionSession running = protection.session();
        return running != null && (arbiter.isShared() || running.settings().whenAlone() == WhenAlone.CONTINUE);
    }

    @Override
    public void reconnected(EpochId lastWhole) {
        if (protection.session() == null || broken != null) {
            return; // it can't be gone on with
        }
        arbiter.backupReturned();
        tell(session -> new Reconnected(session, lastWhole));
        story.reconnected(role(), lastWhole);
    }

    @Override
    public void backupGone(String reason) {
        arbiter.backupGone();
        if (role() instanceof Gone) {
            duties.finishAfterDeath(
                    VmState.STOPPED, "QEMU died here and the backup has no whole checkpoint: " + reason);
            return;
        }
        story.because(reason);
        tell(session -> new BackupLost(session, reason));
    }

    @Override
    public void signOffUnanswered(String reason) {
        tell(session -> new BackupLost(session, reason));
        if (arbiter.isShared()) {
            return; // the record decides, whatever the backup does
        }
        if (story.isEnding()) {
            status.event(EventType.BACKUP_LOST, reason + "; the VM ends here all the same");
            ownership.on(new StopRequested(reason));
        } else if (role() instanceof PrimaryState.GoingAlone) {
            story.stuck(reason);
        }
    }

    /** It is signed off as by command; who else is to be the backup is for the {@link ProtectionKeeper}. */
    @Override
    public void reliefWanted(String reason) {
        if (protection.session() == null || story.isSwitchingOver() || story.isUnprotecting() || story.isEnding()) {
            return; // it is about to be let go, or comes again
        }
        story.relieving(reason);
        ownership.on(new UnprotectRequested(reason));
    }

    @Override
    public void backupActivated(String reason) {
        arbiter.fenced();
        String why = "the backup takes over: " + reason;
        if (role() instanceof Gone) {
            duties.finishAfterDeath(VmState.FENCED, why);
            return;
        }
        tell(session -> new YieldRequested(session, why));
    }

    @Override
    public void diskHangs(String cause) {
        status.event(EventType.DISK_ERROR, cause);
        guestDied("its disk hangs: " + cause);
    }

    @Override
    public void verified(EpochId epoch, boolean equal) {
        Migration migration = story.migration();
        if (migration != null) {
            migration.verified(equal);
        }
        if (equal) {
            status.event(EventType.VERIFIED, "memory of both sides is equal at epoch " + epoch);
            ProtectionSession running = protection.session();
            if (migration != null && running != null && running.engine().hasCommittedLast()) {
                lastCommitted();
            }
            return;
        }
        status.event(
                EventType.VERIFY_FAILED, "memory differs between both sides at epoch " + epoch + ": protection ends");
        giveUpProtection("memory digests differ at epoch " + epoch);
    }

    @Override
    public void failed(String cause) {
        if (guest.isEnding()) {
            // Its memory goes before the process does: this is a death to be reported, not a protection to be ended.
            guestDied("QEMU ended while a checkpoint was taken: " + cause);
            return;
        }
        ProtectionSession running = protection.session();
        boolean moves = running != null && running.migration() != null;
        status.event(EventType.FAILED, (moves ? "the migration ends: " : "protection ends: ") + cause);
        if (running != null) {
            running.engine().end();
        }
        giveUpProtection(cause);
    }

    private void giveUpProtection(String cause) {
        if (protection.session() == null) {
            return; // it is over already
        }
        broken = cause;
        story.endedBecause(cause);
        ownership.on(new UnprotectRequested(cause));
    }

    // ---- the end

    /** Nothing is decided any more: who waits for the end of protection is told. */
    void ending() {
        arbiter.close();
        story.failUnprotecting("the VM has ended");
        duties.close();
        wish.over();
    }

    /** Nothing of the VM is left: who waits for that is told. */
    void ended() {
        story.ended();
    }
}
