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
    private @Nullable Runnable afterProtection;

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
        if (story.migration() != null) {
            return new OperationException(Kind.CONFLICT, "VM " + guest.name() + " is being migrated", "wait for it");
        }
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

    /**
     * Moves the VM to another host. One that is protected gives up its backup before, and is to have one again where it runs
     * then.
     *
     * @param begun completes when the session has begun, or can't
     */
    void migrate(
            ProtectionSettings settings,
            ActiveVm.SessionFactory factory,
            Migration migration,
            CompletableFuture<Void> begun) {
        OperationException refused = refusalToMigrate();
        if (refused != null) {
            begun.completeExceptionally(refused);
            return;
        }
        story.migrating(migration);
        if (ownership.role() instanceof Alone) {
            beginMoving(settings, factory, begun);
        } else {
            String why = "it is to move to " + factory.backup();
            afterProtection = () -> beginMoving(settings, factory, new CompletableFuture<>());
            story.relieving(why);
            status.because(why);
            ownership.on(new UnprotectRequested(why));
            begun.complete(null);
        }
    }

    /** As {@link #switchOver}, by who wants to know how it goes. */
    void migrateToBackup(Migration migration, CompletableFuture<Void> begun) {
        OperationException refused = refusalToSwitchOver();
        ProtectionSession running = protection.session();
        if (refused != null || running == null) {
            begun.completeExceptionally(refused == null ? notNow() : refused);
            return;
        }
        migration.takesLast();
        story.switchingOver(migration.handedOver(), running.backup());
        running.takeLast();
        begun.complete(null);
    }

    private @Nullable OperationException refusalToMigrate() {
        if (story.isSwitchingOver() || story.isUnprotecting()) {
            return new OperationException(
                    Kind.CONFLICT,
                    "VM %s is being %s already".formatted(guest.name(), story.isSwitchingOver() ? moved() : "let go"),
                    "see remus status " + guest.name());
        }
        if (ownership.role() instanceof Protected && status.state() == VmState.PROTECTED) {
            return null;
        }
        OperationException refused = refusalToProtect();
        return refused == null && !(ownership.role() instanceof Alone) ? notNow() : refused;
    }

    /** What is being done to a VM that is handed over. */
    private String moved() {
        return story.migration() == null ? "switched over" : "migrated";
    }

    private void beginMoving(
            ProtectionSettings settings, ActiveVm.SessionFactory factory, CompletableFuture<Void> begun) {
        OperationException refused = refusalToProtect();
        if (refused != null || !(ownership.role() instanceof Alone alone)) {
            OperationException why = refused != null ? refused : notNow();
            story.failSwitchover(String.valueOf(why.getMessage()));
            begun.completeExceptionally(why);
            return;
        }
        arbiter.protecting(alone.record(), factory.backup(), settings);
        duties.wanted(settings, factory, begun);
        status.become(
                VmState.SYNCHRONIZING,
                "moving to %s, connecting".formatted(factory.backup()),
                EventType.MIGRATING,
                "to %s: %s".formatted(factory.backup(), factory.why()));
        ownership.on(new ProtectRequested(factory.backupId()));
    }

    /** Does what had to wait until the protection before a migration had ended. */
    void tick() {
        Runnable due = afterProtection;
        if (due != null && ownership.isSettled()) {
            afterProtection = null;
            due.run();
        }
    }

    /**
     * Switchover and migration end where who owns the VM takes another course.
     *
     * @param cause of that
     */
    void changed(PrimaryState.Role before, PrimaryState.Role after, String cause) {
        if (afterProtection != null) {
            if (!isOnItsWay(after)) {
                afterProtection = null;
                story.failSwitchover("its protection could not be ended before: " + cause);
            }
            return;
        }
        if (before instanceof Protected && endsSwitchover(after)) {
            cancelSwitchover("protection ends: " + cause);
        }
        if (story.migration() != null && after instanceof Alone && !(before instanceof Alone)) {
            story.failSwitchover(cause);
        }
    }

    /** Of the protection that ends before a migration begins. */
    private static boolean isOnItsWay(PrimaryState.Role role) {
        return role instanceof PrimaryState.Leaving || role instanceof PrimaryState.GoingAlone || role instanceof Alone;
    }

    /** One that sleeps may go on, and one that waits has handed over. */
    private static boolean endsSwitchover(PrimaryState.Role role) {
        return !(role instanceof Protected || role instanceof PrimaryState.Woken || role instanceof Waiting);
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
                    Kind.CONFLICT, "VM %s is being %s".formatted(guest.name(), moved()), "wait for it"));
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
        OperationException refused = refusalToSwitchOver();
        ProtectionSession running = protection.session();
        if (refused != null || running == null) {
            result.completeExceptionally(refused == null ? notNow() : refused);
        } else {
            story.switchingOver(result, running.backup());
            running.takeLast();
        }
    }

    private @Nullable OperationException refusalToSwitchOver() {
        if (protection.session() == null
                || !(ownership.role() instanceof Protected)
                || status.state() != VmState.PROTECTED) {
            String why = status.reason();
            return new OperationException(
                    Kind.CONFLICT,
                    "VM %s can't be switched over: it is %s%s, and only the backup of a PROTECTED one has all of it"
                            .formatted(guest.name(), status.state(), why == null ? "" : " (" + why + ")"),
                    "wait until remus status shows PROTECTED, or see remus protect");
        }
        if (story.isSwitchingOver() || story.isEnding() || story.isUnprotecting()) {
            return new OperationException(
                    Kind.CONFLICT,
                    "VM %s is being %s already".formatted(guest.name(), story.isSwitchingOver() ? moved() : "let go"),
                    "see remus status " + guest.name());
        }
        return null;
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
                                    story.isSwitchingOver() ? "being " + moved() : status.state()),
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
        afterProtection = null;
        story.failSwitchover(why);
        ProtectionSession running = protection.session();
        if (running != null) {
            running.goOn();
        }
        boolean isMoving = running == null ? ownership.role() instanceof Opening : running.migration() != null;
        if (isMoving) {
            story.endedBecause("it does not move: " + why); // and its session is, or would be, for nothing else
            ownership.on(new UnprotectRequested(why));
        }
    }

    /**
     * The VM is not to move after all.
     *
     * @param result completes when that is so; too late once it is handed over
     */
    void cancelMigration(CompletableFuture<Void> result) {
        if (story.migration() == null || ownership.role() instanceof Waiting) {
            result.completeExceptionally(new OperationException(
                    Kind.CONFLICT,
                    story.migration() == null
                            ? "VM %s is not being migrated".formatted(guest.name())
                            : "VM %s is handed over already".formatted(guest.name()),
                    "see remus status " + guest.name()));
        } else {
            cancelSwitchover("cancelled by command");
            result.complete(null);
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
