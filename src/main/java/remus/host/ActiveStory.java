package remus.host;

import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import remus.api.EventType;
import remus.api.VmState;
import remus.availability.Inquiry;
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
import remus.availability.PrimaryState.Session;
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
    private @Nullable Migration migration;
    private String cause = "";
    private @Nullable String endingCause;
    private boolean endsByCommand;
    private boolean isRelieving;
    private boolean isSevered;
    private boolean isLeaving;
    private boolean hasLostBackup;
    private boolean isEntered;
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

    /** Why protection is ended from here: whatever is lost meanwhile is no other reason. */
    void endedBecause(String why) {
        endingCause = why;
        isRelieving = false;
    }

    /** As {@link #endedBecause}, for the backup wants to be let go: the VM is to have another one. */
    void relieving(String why) {
        endingCause = why;
        isRelieving = true;
    }

    /** Whether protection ends for this host's part, and not because its backup is lost or wants to be let go. */
    private boolean endsFromHere() {
        return endingCause != null && (!isRelieving || endsByCommand || isEnding());
    }

    String cause() {
        String why = endingCause;
        return why == null ? cause : why;
    }

    /** Protection is to end as asked; whoever waits for that already is told, too. It is to end even if the wait fails. */
    void unprotecting(CompletableFuture<Void> result, String why) {
        CompletableFuture<Void> earlier = unprotecting;
        if (earlier == null) {
            unprotecting = result;
        } else {
            follow(earlier, result);
        }
        endsByCommand = true;
        endedBecause(why);
    }

    /** {@code result} ends as {@code earlier} does: two have asked for the same. */
    static void follow(CompletableFuture<Void> earlier, CompletableFuture<Void> result) {
        var _ = earlier.whenComplete((done, failure) -> {
            if (failure == null) {
                result.complete(null);
            } else {
                result.completeExceptionally(failure);
            }
        });
    }

    /** Whether protection is to end because somebody has asked for that, whether or not that one still waits. */
    boolean endsByCommand() {
        return endsByCommand;
    }

    /** Whether somebody waits for the end of protection. */
    boolean isUnprotecting() {
        return unprotecting != null;
    }

    /** The daemon ends and lets the VM run on: what it is to have it is to have from the next one. */
    void leaving() {
        isLeaving = true;
    }

    boolean isLeaving() {
        return isLeaving;
    }

    /** The VM is to be handed over to its backup as asked. */
    void switchingOver(CompletableFuture<Void> result, HostAddress backup) {
        switchingOver = result;
        status.because("switching over to " + backup);
        status.event(EventType.SWITCHING_OVER, "to " + backup + ": the guest's last checkpoint here");
    }

    /** The VM is to move to another host as asked. */
    void migrating(Migration begun) {
        migration = begun;
        switchingOver = begun.handedOver();
    }

    /** The move under way, with which the VM is handed over. */
    @Nullable
    Migration migration() {
        return migration;
    }

    boolean isSwitchingOver() {
        return switchingOver != null;
    }

    /** It is not handed over; whoever waits for that is told. */
    void failSwitchover(String why) {
        CompletableFuture<Void> waiting = switchingOver;
        if (waiting != null) {
            Migration moved = migration;
            String what = moved == null ? "not switched over" : "not migrated";
            switchingOver = null;
            migration = null;
            if (moved != null) {
                moved.failed(why);
            }
            if (status.state() == VmState.PROTECTED) {
                status.because(null);
            }
            status.event(EventType.FAILED, what + ": " + why);
            waiting.completeExceptionally(new OperationException(
                    Kind.FAILED,
                    "VM %s is %s: %s".formatted(guest.name(), what, why),
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
        endingCause = why;
        status.because(why);
    }

    boolean isEnding() {
        return shuttingDown != null;
    }

    // ---- what happens

    /** A decision, in the words of whoever made it. */
    void report(String reason) {
        lastReport = reason;
        status.decided(reason);
    }

    /** Output is held, and who could end that does not answer. */
    void stuck(String reason) {
        if (status.state() == VmState.DEGRADED) {
            status.because("output is held: " + reason);
            status.event(EventType.FAILED, "output stays held: " + reason);
        } else {
            holds("output is held: " + reason);
        }
        failUnprotecting(reason);
    }

    private void holds(String why) {
        status.become(VmState.DEGRADED, why, EventType.BACKUP_LOST, why);
    }

    void severed(Role role, String reason) {
        if (isSevered || !(role instanceof Protected || role instanceof Woken || role instanceof Leaving)) {
            return;
        }
        isSevered = true;
        cause = reason;
        status.decision();
        holds("output is held: " + reason);
    }

    /** The backup is given up; of one whose loss has been told that stays the reason. */
    void givenUp(String reason) {
        if (!isSevered) {
            cause = reason;
        }
    }

    void reconnected(Role role, EpochId lastWhole) {
        if (isSevered && role instanceof Protected) {
            isSevered = false;
            status.become(
                    VmState.PROTECTED,
                    null,
                    EventType.RECONNECTED,
                    "the backup stands by at epoch " + lastWhole + ", nothing was lost");
        }
    }

    /** A session begins, which does not protect the VM yet. */
    void sessionBegins() {
        isEntered = false;
    }

    /** Whether the session of now has protected the VM, be it for a moment. */
    boolean isEntered() {
        return isEntered;
    }

    void changed(Role before, Role after) {
        if (before.getClass() == after.getClass()) {
            if (after instanceof GoingAlone going && going.inquiry().step() instanceof Inquiry.Step.Resting) {
                notAtOnce();
            }
            return;
        }
        switch (after) {
            case Alone _ -> alone(before);
            case Opening _ -> status.because("asking the arbiter for the record");
            case Joining _ -> status.because("the first full checkpoint is on its way");
            case Entering _ -> status.because("the arbiter is asked to name the backup; output is held");
            case Protected(var _, Session session) -> isProtected(before, after, session);
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
            case Bequeathing _ -> guestDied(VmState.DEGRADED, status.decision());
            case Claiming _, Synchronizing _, Leaving _ -> {}
        }
    }

    private void switchedOver() {
        CompletableFuture<Void> waiting = switchingOver;
        if (waiting != null) {
            switchingOver = null;
            migration = null;
            waiting.complete(null);
        }
    }

    /** QEMU is dead, or hangs. */
    void guestDied(VmState next, String why) {
        status.become(next, why, EventType.GUEST_DEAD, why);
    }

    private void isProtected(Role before, Role after, Session session) {
        if (!isEntered) { // whatever came between: this host may have slept meanwhile
            isEntered = true;
            isSevered = false;
            hasLostBackup = false;
            status.decision();
            if (migration != null) {
                status.because("all of it is at " + session.backup() + ", which is about to get it");
                return;
            }
            status.become(
                    VmState.PROTECTED,
                    null,
                    EventType.PROTECTED,
                    "by %s, which has the first full checkpoint; output waits for commits from now on"
                            .formatted(session.backup()));
        } else if (before instanceof Leaving) {
            protectionHasEnded();
            failUnprotecting(
                    "VM " + guest.name()
                            + " stays protected: the arbiter, which has to note the end, can't be asked now",
                    "try again when remus status shows that it can");
        } else {
            if (isRelieving && !endsByCommand && !isEnding()) {
                protectionHasEnded(); // the backup stays after all: what comes has causes of its own
            }
            reconnected(after, protection.committed());
        }
    }

    private void goingAlone() {
        String asking = "output is held, asking to go on alone: " + cause();
        if (endingCause != null) {
            status.because(asking);
        } else if (isSevered) {
            status.because(asking); // the decision to ask is news, the loss is not
        } else {
            status.decision();
            holds(asking);
        }
        isSevered = true;
    }

    /** An end that was asked for takes longer than a question to the arbiter: nobody is protected meanwhile. */
    private void notAtOnce() {
        if (status.state() == VmState.PROTECTED) {
            status.decision();
            holds("output is held, asking to go on alone: " + cause());
        }
    }

    private void alone(Role before) {
        forgetCopies();
        String decision = status.decision();
        String why = cause();
        boolean wantsNoBackup = migration != null && !migration.order().isProtected();
        if (wantsNoBackup) {
            failSwitchover(why);
            giveUpWaiting(why);
        } else if (before instanceof Waiting) {
            failSwitchover("taken back: the other host did not make it run");
            if (!endsFromHere()) {
                degraded(decision, decision + ": the other host could not make it run");
            } else {
                giveUpWaiting(why);
            }
        } else if (endsFromHere()) {
            giveUpWaiting(why);
        } else if (before instanceof GoingAlone) {
            degraded(why, "goes on alone: " + why);
        } else {
            status.become(
                    hasLostBackup ? VmState.DEGRADED : VmState.UNPROTECTED,
                    why,
                    EventType.FAILED,
                    "not protected: " + why);
        }
        isSevered = false;
        protectionHasEnded();
        CompletableFuture<Void> waiting = unprotecting;
        if (waiting != null) {
            unprotecting = null;
            waiting.complete(null);
        }
    }

    /** It is to have no backup, or for the moment can't have one for a reason of its own. */
    void giveUpWaiting(String why) {
        hasLostBackup = false;
        status.become(VmState.UNPROTECTED, why, EventType.UNPROTECTED, why);
    }

    /** No other host can have gone on with a copy of the disks: they are started here without a question. */
    private void forgetCopies() {
        if (arbiter.isAloneForCertain()) {
            images.forget(guest.definition());
        }
    }

    private void degraded(String why, String told) {
        hasLostBackup = true;
        status.become(VmState.DEGRADED, why, EventType.DEGRADED, told);
    }

    /** Another host has the VM, or is taking it over. */
    void fenced() {
        status.decision();
        status.become(
                VmState.FENCED,
                lastReport,
                EventType.FENCED,
                "%s; committed here up to epoch %s".formatted(lastReport, protection.committed()));
        failUnprotecting(lastReport);
        isSevered = false;
        protectionHasEnded();
    }

    /** Why it was to end concerns nothing that comes. */
    private void protectionHasEnded() {
        endingCause = null;
        endsByCommand = false;
        isRelieving = false;
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
