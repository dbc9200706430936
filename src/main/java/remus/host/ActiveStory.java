package remus.host;

import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import remus.api.EventType;
import remus.api.VmState;
import remus.availability.PrimaryState.Alone;
import remus.availability.PrimaryState.Bequeathing;
import remus.availability.PrimaryState.Claiming;
import remus.availability.PrimaryState.Entering;
import remus.availability.PrimaryState.GoingAlone;
import remus.availability.PrimaryState.Gone;
import remus.availability.PrimaryState.Joining;
import remus.availability.PrimaryState.Leaving;
import remus.availability.PrimaryState.Opening;
import remus.availability.PrimaryState.Protected;
import remus.availability.PrimaryState.Role;
import remus.availability.PrimaryState.Synchronizing;
import remus.availability.PrimaryState.Waiting;
import remus.availability.PrimaryState.Woken;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.host.OperationException.Kind;

/**
 * What people are told as a VM's ownership moves on: its state with the reason, the events, and the answer to whoever waits
 * for the end of its protection or for its own. Confined to the VM's agent thread.
 */
final class ActiveStory {
    private final ImageOwnership images;
    private final ActiveGuest guest;
    private final VmProtection protection;
    private final ActiveStatus status;
    private final VmArbiter arbiter;
    private @Nullable CompletableFuture<Void> unprotecting;
    private @Nullable CompletableFuture<Void> shuttingDown;
    private @Nullable CompletableFuture<Void> switchingOver;
    private String cause = "";
    private boolean wanted;
    private boolean isSevered;
    private boolean hasLostBackup;
    private String lastReport = "";

    ActiveStory(
            ImageOwnership images, ActiveGuest guest, VmProtection protection, ActiveStatus status, VmArbiter arbiter) {
        this.images = images;
        this.guest = guest;
        this.protection = protection;
        this.status = status;
        this.arbiter = arbiter;
    }

    // ---- why things happen

    /** Why protection is lost. */
    void because(String why) {
        cause = why;
    }

    /** Why protection is ended from here. */
    void endedBecause(String why) {
        cause = why;
        wanted = true;
    }

    String cause() {
        return cause;
    }

    /** Protection is to end as asked; whoever waits for that already is told, too. */
    void unprotecting(CompletableFuture<Void> result, String why) {
        CompletableFuture<Void> earlier = unprotecting;
        if (earlier == null) {
            unprotecting = result;
        } else {
            var _ = earlier.whenComplete((done, failure) -> {
                if (failure == null) {
                    result.complete(null);
                } else {
                    result.completeExceptionally(failure);
                }
            });
        }
        endedBecause(why);
    }

    /** Whether somebody waits for the end of protection. */
    boolean isUnprotecting() {
        return unprotecting != null;
    }

    /** The VM is to be handed over to its backup as asked. */
    void switchingOver(CompletableFuture<Void> result, HostAddress backup) {
        switchingOver = result;
        status.because("switching over to " + backup);
        status.event(EventType.SWITCHING_OVER, "to " + backup + ": the guest's last checkpoint here");
    }

    boolean isSwitchingOver() {
        return switchingOver != null;
    }

    /** It is not handed over; whoever waits for that is told. */
    void failSwitchover(String why) {
        CompletableFuture<Void> waiting = switchingOver;
        if (waiting != null) {
            switchingOver = null;
            if (status.state() == VmState.PROTECTED) {
                status.become(VmState.PROTECTED, null);
            }
            status.event(EventType.FAILED, "not switched over: " + why);
            waiting.completeExceptionally(new OperationException(
                    Kind.FAILED,
                    "VM " + guest.name() + " is not switched over: " + why,
                    "see remus status " + guest.name()));
        }
    }

    /** The VM is to end as asked. */
    void ending(String why, CompletableFuture<Void> result) {
        CompletableFuture<Void> earlier = shuttingDown;
        if (earlier == null) {
            shuttingDown = result;
        } else {
            var _ = earlier.thenRun(() -> result.complete(null));
        }
        cause = why;
        status.because(why);
    }

    boolean isEnding() {
        return shuttingDown != null;
    }

    // ---- what happens

    /** A decision, in the words of whoever made it. */
    void report(String reason) {
        lastReport = reason;
        status.event(EventType.OWNERSHIP, reason);
    }

    /** Output is held, and who could end that does not answer. */
    void stuck(String reason) {
        status.become(VmState.DEGRADED, "output is held: " + reason);
        failUnprotecting(reason);
    }

    void severed(Role role, String reason) {
        if (isSevered || !(role instanceof Protected || role instanceof Woken || role instanceof Leaving)) {
            return;
        }
        isSevered = true;
        cause = reason;
        status.become(VmState.DEGRADED, "output is held: " + reason);
        status.event(EventType.BACKUP_LOST, "output is held: " + reason);
    }

    void reconnected(Role role, EpochId lastWhole) {
        if (isSevered && role instanceof Protected) {
            isSevered = false;
            status.become(VmState.PROTECTED, null);
            status.event(EventType.RECONNECTED, "the backup stands by at epoch " + lastWhole + ", nothing was lost");
        }
    }

    void changed(Role before, Role after) {
        if (before.getClass() == after.getClass()) {
            return;
        }
        switch (after) {
            case Alone _ -> alone(before);
            case Opening _ -> status.become(VmState.SYNCHRONIZING, "asking the arbiter for the record");
            case Joining _ -> status.become(VmState.SYNCHRONIZING, "the first full checkpoint is on its way");
            case Entering _ ->
                status.become(VmState.SYNCHRONIZING, "the arbiter is asked to name the backup; output is held");
            case Protected _ -> isProtected(before, after);
            case Woken _ -> severed(after, "this host was not running for longer than the detection time");
            case GoingAlone _ -> goingAlone();
            case Waiting _ -> fenced();
            case Gone _ -> {
                if (before instanceof Waiting && !isEnding()) {
                    switchedOver();
                }
                if (before instanceof GoingAlone && isEnding()) {
                    forgetCopies();
                }
            }
            case Claiming _, Synchronizing _, Leaving _, Bequeathing _ -> {}
        }
    }

    private void switchedOver() {
        CompletableFuture<Void> waiting = switchingOver;
        if (waiting != null) {
            switchingOver = null;
            waiting.complete(null);
        }
    }

    private void isProtected(Role before, Role after) {
        if (before instanceof Entering) {
            isSevered = false;
            hasLostBackup = false;
            status.become(VmState.PROTECTED, null);
            status.event(
                    EventType.PROTECTED,
                    "the backup has the first full checkpoint; output waits for commits from now on");
        } else if (before instanceof Leaving) {
            wanted = false;
            failUnprotecting(
                    "VM " + guest.name()
                            + " stays protected: the arbiter, which has to note the end, can't be asked now",
                    "try again when remus status shows that it can");
        } else {
            reconnected(after, protection.committed());
        }
    }

    private void goingAlone() {
        if (unprotecting == null && !wanted && !isEnding()) {
            if (!isSevered) {
                status.event(EventType.BACKUP_LOST, "output is held: " + cause);
            }
            status.become(VmState.DEGRADED, "output is held, asking to go on alone: " + cause);
        }
        isSevered = true;
    }

    private void alone(Role before) {
        forgetCopies();
        if (before instanceof Waiting) {
            failSwitchover("taken back: the other host did not make it run");
            degraded("taken back: the other host could not make it run");
        } else if (unprotecting != null || wanted) {
            giveUpWaiting(cause);
        } else if (before instanceof GoingAlone) {
            hasLostBackup = true;
            status.become(VmState.DEGRADED, cause);
            status.event(EventType.DEGRADED, "goes on alone: " + cause);
        } else {
            status.become(hasLostBackup ? VmState.DEGRADED : VmState.UNPROTECTED, cause);
            status.event(EventType.FAILED, "not protected: " + cause);
        }
        isSevered = false;
        wanted = false;
        CompletableFuture<Void> waiting = unprotecting;
        if (waiting != null) {
            unprotecting = null;
            waiting.complete(null);
        }
    }

    /** It is to have no backup, or for the moment can't have one for a reason of its own. */
    void giveUpWaiting(String why) {
        hasLostBackup = false;
        status.become(VmState.UNPROTECTED, why);
        status.event(EventType.UNPROTECTED, why);
    }

    /** No other host can have gone on with a copy of the disks: they are started here without a question. */
    private void forgetCopies() {
        if (arbiter.isAloneForCertain()) {
            images.forget(guest.definition());
        }
    }

    private void degraded(String why) {
        hasLostBackup = true;
        status.become(VmState.DEGRADED, why);
        status.event(EventType.DEGRADED, why);
    }

    /** Another host has the VM, or is taking it over. */
    void fenced() {
        status.become(VmState.FENCED, lastReport);
        status.event(
                EventType.FENCED, "%s; committed here up to epoch %s".formatted(lastReport, protection.committed()));
        failUnprotecting(lastReport);
        isSevered = false;
        wanted = false;
    }

    // ---- who waits

    void failUnprotecting(String why) {
        failUnprotecting(
                "VM " + guest.name() + " is not let go by its backup, so its output stays held: " + why,
                "if you know that the backup does not run it: remus unprotect " + guest.name() + " --force");
    }

    private void failUnprotecting(String message, String remedy) {
        CompletableFuture<Void> waiting = unprotecting;
        if (waiting != null) {
            unprotecting = null;
            waiting.completeExceptionally(new OperationException(Kind.FAILED, message, remedy));
        }
    }

    /** Nothing of the VM is left. */
    void ended() {
        failSwitchover("it has ended here");
        CompletableFuture<Void> waiting = shuttingDown;
        if (waiting != null) {
            waiting.complete(null);
        }
    }
}
