package remus.host;

import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import remus.api.EventType;
import remus.api.VmState;
import remus.availability.PrimaryEvent.BackupLost;
import remus.availability.PrimaryEvent.ProtectRequested;
import remus.availability.PrimaryEvent.StopRequested;
import remus.availability.PrimaryEvent.UnprotectRequested;
import remus.availability.PrimaryState;
import remus.availability.PrimaryState.Alone;
import remus.availability.PrimaryState.Opening;
import remus.availability.PrimaryState.Protected;
import remus.availability.PrimaryState.Waiting;
import remus.base.HostAddress;
import remus.host.OperationException.Kind;

/**
 * What people ask of a VM that runs here: refused where it makes no sense, brought to its {@link ActiveOwnership} otherwise.
 * Confined to the VM's agent thread.
 */
final class ActiveCommands {
    private final ActiveGuest guest;
    private final VmProtection protection;
    private final ActiveStatus status;
    private final VmArbiter arbiter;
    private final ActiveDuties duties;
    private final ActiveStory story;
    private final ProtectionWish wish;
    private final RunningNote note;
    private final ActiveOwnership ownership;

    ActiveCommands(
            ActiveOwnership.Vm vm,
            VmArbiter arbiter,
            ActiveDuties duties,
            ActiveStory story,
            ActiveOwnership ownership) {
        guest = vm.guest();
        protection = vm.protection();
        status = vm.status();
        wish = vm.wish();
        note = vm.note();
        this.arbiter = arbiter;
        this.duties = duties;
        this.story = story;
        this.ownership = ownership;
    }

    /** Why it is going to be decided who owns the VM. */
    void because(String why) {
        story.because(why);
    }

    /**
     * Begins to protect the VM, or finds that somebody else has begun the same.
     *
     * @param result completes when the session has begun, or can't
     */
    void protect(ProtectionSettings settings, ActiveVm.SessionFactory factory, CompletableFuture<Void> result) {
        ProtectionSession present = protection.session();
        if (present != null && present.backup().equals(factory.backup()) && !guest.isGone()) {
            result.complete(null);
            return;
        }
        if (duties.joins(factory.backup(), result)) {
            return;
        }
        begin(settings, factory, result);
    }

    /** As {@link #protect} for a VM that is to be protected all the time; refused where there is a session, or is to be none. */
    void protectAgain(ProtectionSettings settings, ActiveVm.SessionFactory factory, CompletableFuture<Void> result) {
        OperationException refusal = refusalToProtectAgain();
        if (refusal == null) {
            begin(settings, factory, result);
        } else {
            result.completeExceptionally(refusal);
        }
    }

    @Nullable
    OperationException refusalToProtectAgain() {
        if (!wish.isWanted()) {
            return new OperationException(
                    Kind.CONFLICT, "VM " + guest.name() + " is not to be protected any more", "use remus protect");
        }
        OperationException refused = refusalToProtect();
        return refused == null && !(ownership.role() instanceof Alone) ? notNow() : refused;
    }

    private void begin(ProtectionSettings settings, ActiveVm.SessionFactory factory, CompletableFuture<Void> result) {
        OperationException refused = refusalToProtect();
        if (refused != null || !(ownership.role() instanceof Alone alone)) {
            result.completeExceptionally(refused != null ? refused : notNow());
            return;
        }
        arbiter.protecting(alone.record(), factory.backup(), settings);
        duties.wanted(settings, factory, result);
        status.become(
                VmState.SYNCHRONIZING,
                "connecting to " + factory.backup(),
                EventType.PROTECTING,
                "to %s, every %d ms: %s"
                        .formatted(factory.backup(), settings.interval().toMillis(), factory.why()));
        ownership.on(new ProtectRequested(factory.backupId()));
    }

    private @Nullable OperationException refusalToProtect() {
        ProtectionSession present = protection.session();
        if (present != null) {
            return protectedAlready(guest.name(), present.backup());
        }
        if (guest.isGone() || story.isEnding() || guest.staysPaused()) {
            return new OperationException(
                    Kind.CONFLICT,
                    "VM %s is %s".formatted(guest.name(), status.state()),
                    "see remus status " + guest.name());
        }
        if (guest.isPausing()) {
            return new OperationException(
                    Kind.CONFLICT,
                    "VM " + guest.name() + " is still in the last pause of the protection that has just ended",
                    "try again");
        }
        if (guest.isHeld()) {
            return new OperationException(
                    Kind.CONFLICT,
                    "VM " + guest.name() + " still waits for its disks after the protection that has just ended",
                    "try again");
        }
        return null;
    }

    static OperationException protectedAlready(String vm, HostAddress backup) {
        return new OperationException(
                Kind.CONFLICT,
                "VM %s is protected already, by %s".formatted(vm, backup),
                "end that first: remus unprotect " + vm);
    }

    private OperationException notNow() {
        return new OperationException(
                Kind.CONFLICT,
                "who owns VM %s is being decided: %s".formatted(guest.name(), status.reason()),
                "try again; see remus status " + guest.name());
    }

    /**
     * Ends protection.
     *
     * @param force an operator's word that the backup does not run the VM
     * @param result completes when the VM is alone by the record
     */
    void unprotect(boolean force, CompletableFuture<Void> result) {
        if (wish.isWanted()
                && protection.session() == null
                && ownership.role() instanceof Alone
                && !guest.isGone()
                && !story.isEnding()) {
            wish.drop();
            story.giveUpWaiting("not to be protected again, by command");
            result.complete(null);
            return;
        }
        boolean isForWaiting = force && !arbiter.isShared() && ownership.role() instanceof Waiting;
        boolean canEnd = protection.session() != null
                || ownership.role().output() == PrimaryState.Output.HELD
                || ownership.role() instanceof Opening;
        if (guest.isGone() || !(canEnd || isForWaiting)) {
            result.completeExceptionally(new OperationException(
                    Kind.CONFLICT, "VM " + guest.name() + " is not protected", "see remus status " + guest.name()));
        } else if (force) {
            story.unprotecting(result, "protection ended by command, without asking the backup");
            arbiter.vouched();
            ownership.tell(
                    session -> new BackupLost(session, "protection ended by command, without asking the backup"));
            ownership.nobodyTakesOver();
        } else if (story.isSwitchingOver()) {
            result.completeExceptionally(new OperationException(
                    Kind.CONFLICT, "VM " + guest.name() + " is being switched over", "wait for it"));
        } else if (story.isUnprotecting()) {
            result.completeExceptionally(new OperationException(
                    Kind.CONFLICT, "VM " + guest.name() + "'s protection is being ended already", "wait for it"));
        } else {
            story.unprotecting(result, "protection ended by command");
            ownership.on(new UnprotectRequested("protection ended by command"));
        }
    }

    /**
     * Hands the VM over to its backup: after a last checkpoint, which the guest does not survive here.
     *
     * @param result completes when the backup runs it
     */
    void switchOver(CompletableFuture<Void> result) {
        ProtectionSession running = protection.session();
        if (running == null || !(ownership.role() instanceof Protected) || status.state() != VmState.PROTECTED) {
            String why = status.reason();
            result.completeExceptionally(new OperationException(
                    Kind.CONFLICT,
                    "VM %s can't be switched over: it is %s%s, and only the backup of a PROTECTED one has all of it"
                            .formatted(guest.name(), status.state(), why == null ? "" : " (" + why + ")"),
                    "wait until remus status shows PROTECTED, or see remus protect"));
        } else if (story.isSwitchingOver() || story.isEnding() || story.isUnprotecting()) {
            result.completeExceptionally(new OperationException(
                    Kind.CONFLICT,
                    "VM %s is being %s already"
                            .formatted(guest.name(), story.isSwitchingOver() ? "switched over" : "let go"),
                    "see remus status " + guest.name()));
        } else {
            story.switchingOver(result, running.backup());
            running.takeLast();
        }
    }

    /**
     * The guest is to stand still until it is resumed, or not any more. Where it is protected its checkpoints go on, and say
     * so: it is as still on the backup. Done already is done.
     *
     * @param result completes when that has been asked of QEMU
     */
    void pause(boolean still, CompletableFuture<Void> result) {
        if (guest.isGone() || story.isEnding() || guest.staysPaused() || story.isSwitchingOver()) {
            result.completeExceptionally(new OperationException(
                    Kind.CONFLICT,
                    "VM %s can't be %s: it is %s"
                            .formatted(
                                    guest.name(),
                                    still ? "paused" : "resumed",
                                    story.isSwitchingOver() ? "being switched over" : status.state()),
                    "see remus status " + guest.name()));
            return;
        }
        if (still != guest.isKeptStill()) {
            note.paused(still);
            if (still) {
                guest.keepStill();
                status.event(EventType.PAUSED, "by command");
            } else {
                guest.letGo();
                status.event(EventType.RESUMED, "by command");
            }
        }
        result.complete(null);
    }

    /**
     * Ends protection for the time without a daemon; the next one is to protect the VM again.
     *
     * @param result completes when the VM is alone by the record
     */
    void leave(String why, CompletableFuture<Void> result) {
        cancelSwitchover(why);
        story.leaving();
        if (ownership.role() instanceof Alone) {
            result.complete(null);
        } else if (story.isUnprotecting()) {
            story.unprotecting(result, why);
        } else if (!(ownership.role() instanceof Waiting)) {
            unprotect(false, result);
        }
    }

    /** The VM stays here: its guest goes on if it stands still for its last checkpoint. */
    void cancelSwitchover(String why) {
        if (!story.isSwitchingOver() || ownership.role() instanceof Waiting) {
            return; // or it is on its way
        }
        story.failSwitchover(why);
        ProtectionSession running = protection.session();
        if (running != null) {
            running.engine().goOn();
        }
    }

    /** The VM is to end here, in good order; {@code result} completes when nothing of it is left. */
    void stop(String why, CompletableFuture<Void> result) {
        cancelSwitchover(why);
        story.ending(why, result);
        wish.drop();
        if (guest.isGone()) {
            duties.quit();
        } else {
            ownership.on(new StopRequested(why));
        }
    }
}
