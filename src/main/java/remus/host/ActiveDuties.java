package remus.host;

import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.EventType;
import remus.api.VmState;
import remus.availability.HostId;
import remus.availability.OwnershipAction;
import remus.availability.PrimaryEvent.RetryDue;
import remus.availability.PrimaryEvent.StopRequested;
import remus.availability.PrimaryState;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Invariant;
import remus.base.Term;
import remus.disk.DiskException;
import remus.host.OperationException.Kind;

/**
 * Does what the ownership of a VM that runs here demands: to its output, its guest, its session. Whether it is right is
 * decided before. Confined to the VM's agent thread.
 *
 * <p>A session that ends while its backup may hold an image is signed off on the way out: whether it answers means nothing
 * to an arbiter, and without one it is what lets the VM go on. It is heard no more as soon as another session is wanted; one
 * whose VM was taken back still has its say to its backup, which has been ordered to take over, for as long as a sign-off may
 * take.
 */
final class ActiveDuties {
    private static final Logger LOG = LoggerFactory.getLogger(ActiveDuties.class);

    /** Of a VM that was never protected by this daemon. */
    private static final EpochId FIRST = new EpochId(1);

    private record Wanted(
            ProtectionSettings settings, ActiveVm.SessionFactory factory, CompletableFuture<Void> result) {}

    private final HostServices host;
    private final ActiveGuest guest;
    private final VmProtection protection;
    private final ActiveStatus status;
    private final VmArbiter arbiter;
    private final ActiveStory story;
    private final ProtectionWish wish;
    private final RunningNote note;
    private final ActiveOwnership ownership;
    private @Nullable Wanted wanted;
    private @Nullable ProtectionSession parting;
    private @Nullable ProtectionSession takingBack;
    private boolean isTakenBack;
    private EpochId firstEpoch = EpochId.NONE;
    private boolean bequeathed;
    private boolean handsOver;

    ActiveDuties(
            HostServices host, ActiveOwnership.Vm vm, VmArbiter arbiter, ActiveStory story, ActiveOwnership ownership) {
        this.host = host;
        guest = vm.guest();
        protection = vm.protection();
        status = vm.status();
        wish = vm.wish();
        note = vm.note();
        this.arbiter = arbiter;
        this.story = story;
        this.ownership = ownership;
    }

    /** What the next session is to be; {@code result} completes when it has begun, or can't. */
    void wanted(ProtectionSettings settings, ActiveVm.SessionFactory factory, CompletableFuture<Void> result) {
        if (isTakenBack) {
            signOffBeside();
        }
        parted();
        wanted = new Wanted(settings, factory, result);
    }

    /** Whether the next session is to be with that backup already; then {@code result} completes with it. */
    boolean joins(HostAddress backup, CompletableFuture<Void> result) {
        Wanted waiting = wanted;
        if (waiting == null || !waiting.factory().backup().equals(backup)) {
            return false;
        }
        ActiveStory.follow(waiting.result(), result);
        return true;
    }

    /** The epoch whose pause is going on, from which output is held. */
    void firstEpoch(EpochId epoch) {
        firstEpoch = epoch;
    }

    /** The session that ends next is not to be given up but to be carried on by its backup. */
    void handsOver() {
        handsOver = true;
    }

    /** The VM goes on here: a backup that was to take it over has no use for its copy any more. */
    void takenBack() {
        ProtectionSession former = parting;
        if (former != null) {
            isTakenBack = true;
            former.signOff("taken back by " + host.hostName());
        }
    }

    /** The next session begins while the one whose VM was taken back is being signed off; one of these at a time. */
    private void signOffBeside() {
        ProtectionSession former = parting;
        if (former != null) {
            endTakingBack();
            parting = null;
            isTakenBack = false;
            protection.mirrorNoMore();
            takingBack = former;
            former.heardBy(new TakingBack(former));
        }
    }

    private void endTakingBack() {
        ProtectionSession former = takingBack;
        if (former != null) {
            takingBack = null;
            former.end();
        }
    }

    void does(OwnershipAction action) {
        switch (action) {
            case OwnershipAction.Hold _ -> hold();
            case OwnershipAction.Release(EpochId upTo) -> release(upTo);
            case OwnershipAction.Flow _ -> flow();
            case OwnershipAction.Discard _ -> guest.discardOutput();
            case OwnershipAction.PauseGuest _ -> {
                guest.stayPaused();
                guest.pause();
            }
            case OwnershipAction.ResumeGuest _ -> guest.goOn();
            case OwnershipAction.KillGuest _ -> end();
            case OwnershipAction.StartSession(Term session, HostId backup) -> startSession(session, backup);
            case OwnershipAction.EndSession(Term _, String reason) -> endSession(reason);
            case OwnershipAction.SignOff _ -> signOff();
            case OwnershipAction.Reconnect _ -> reconnect();
            case OwnershipAction.ReportGuestDead _ -> reportGuestDead();
            case OwnershipAction.Report(String reason) -> story.report(reason);
            case OwnershipAction.BootGuest _,
                    OwnershipAction.RefuseSession _,
                    OwnershipAction.AcceptSession _,
                    OwnershipAction.Welcome _,
                    OwnershipAction.Acknowledge _,
                    OwnershipAction.AcknowledgeNoMore _,
                    OwnershipAction.TellPrimaryActivating _,
                    OwnershipAction.AnswerSignedOff _,
                    OwnershipAction.DropImage _,
                    OwnershipAction.LoadStandby _,
                    OwnershipAction.BecomePrimary _,
                    OwnershipAction.AskArbiter _,
                    OwnershipAction.AskAgainLater _,
                    OwnershipAction.AwaitActivation _ ->
                throw new IllegalArgumentException(action + " is nothing that a host that has the VM does");
        }
    }

    // ---- output

    private void hold() {
        if (guest.isHeld()) {
            return;
        }
        ProtectionSession running = protection.session();
        if (running == null || running.settings().outputCommit()) {
            EpochId open = firstEpoch.isAfter(EpochId.NONE) ? firstEpoch : protection.epoch();
            guest.holdFrom(open.isAfter(EpochId.NONE) ? open : FIRST);
        }
    }

    private void release(EpochId upTo) {
        ProtectionSession running = protection.session();
        if (running != null) {
            running.release(upTo);
        }
    }

    /** As soon as what the guest was told to be on its disk is there, for a session's last pause may still owe that. */
    private void flow() {
        guest.ownDisks();
        guest.flowOnceDurable(() ->
                ownership.role().output() == PrimaryState.Output.FLOWS && !guest.staysPaused() && !guest.isGone());
    }

    // ---- the guest

    /** In good order where the VM was asked to end, at once where it runs elsewhere. */
    private void end() {
        if (story.isEnding()) {
            quitGuest();
        } else {
            guest.kill();
        }
    }

    /** The VM was asked to end and nothing of it runs any more. */
    void quit() {
        quitGuest();
        finishStopped();
    }

    private void quitGuest() {
        if (!guest.isGone()) {
            guest.quit();
        }
    }

    private void finishStopped() {
        String why = status.reason();
        status.finish(VmState.STOPPED, why == null ? "QEMU has ended" : why, EventType.STOPPED);
    }

    /** The VM is not here any more: nothing is decided after that. */
    void gone(PrimaryState.Role before) {
        PrimaryState.Gone gone =
                ownership.role() instanceof PrimaryState.Gone last ? last : new PrimaryState.Gone("it has ended");
        if (bequeathed && protection.session() != null) {
            status.decision();
            if (before instanceof PrimaryState.Bequeathing) {
                status.because("the backup is to take over: " + gone.reason()); // that QEMU died has been told
            } else {
                story.guestDied(VmState.DEGRADED, gone.reason() + "; the backup is to take over");
            }
        } else if (story.isEnding()) {
            quit();
        } else if (before instanceof PrimaryState.Waiting) {
            killAndFinish();
        } else if (guest.staysPaused()) {
            story.fenced();
            killAndFinish();
        } else if (before instanceof PrimaryState.Bequeathing) {
            status.finish(VmState.STOPPED, gone.reason(), EventType.STOPPED);
        } else {
            story.guestDied(VmState.STOPPED, gone.reason());
            killAndFinish();
        }
    }

    private void killAndFinish() {
        if (!guest.isGone()) {
            guest.kill();
        }
        status.finish();
    }

    /** The backup has said what becomes of a VM whose QEMU died here. */
    void finishAfterDeath(VmState last, String why) {
        status.finish(last, why, last == VmState.FENCED ? EventType.FENCED : EventType.STOPPED);
        protection.end();
    }

    private void reportGuestDead() {
        ProtectionSession running = protection.session();
        if (running != null) {
            bequeathed = true;
            running.reportGuestDead("QEMU died");
        }
    }

    // ---- the session

    private void startSession(Term session, HostId backup) {
        Wanted next = Invariant.present(wanted, "what the session is to be");
        wanted = null;
        ownership.sessionBegins(session);
        try {
            host.state().note(guest.name(), session, false);
            note.session(RunningVm.Session.of(session, backup, next.factory().backup(), next.settings()));
            host.images()
                    .notePeer(
                            guest.definition(),
                            session,
                            next.factory().backup(),
                            next.factory().sharesDisks());
            ProtectionSession begun = next.factory().create(session, ownership);
            firstEpoch = EpochId.NONE;
            protection.begin(begun);
            status.because("connecting to " + begun.backup());
            wish.begun(begun.backup());
            begun.begin();
            next.result().complete(null);
        } catch (OperationException | IOException | DiskException | RuntimeException e) {
            LOG.warn("VM {}: no session with {}", guest.name(), backup, e);
            story.because(String.valueOf(e.getMessage()));
            next.result().completeExceptionally(e);
            ownership.sessionFailed(session, String.valueOf(e.getMessage()));
        }
    }

    private void endSession(String reason) {
        ProtectionSession running = protection.session();
        if (running != null && handsOver) {
            handsOver = false;
            isTakenBack = false;
            parting = running;
            arbiter.fenced(); // it takes over from now on, whether it is heard again or not
            running.handOver(new Parting(), reason);
            protection.partMirroring();
        } else if (running != null && arbiter.mayBackupHaveImage() && !guest.isGone() && !guest.staysPaused()) {
            parting = running;
            protection.part();
            running.part(new Parting(), reason);
        } else {
            protection.end();
        }
    }

    /** What the backup of a session that has ended here says of that. */
    private final class Parting implements SessionEnd {
        @Override
        public void backupGone(String reason) {
            arbiter.backupGone();
            parted();
            ownership.nobodyTakesOver();
        }

        @Override
        public void signOffUnanswered(String reason) {
            parted();
            if (arbiter.isShared() || ownership.role().output() != PrimaryState.Output.HELD) {
                return; // the record decides, or has decided, whatever the backup does
            }
            if (story.isEnding()) {
                status.event(EventType.BACKUP_LOST, reason + "; the VM ends here all the same");
                ownership.on(new StopRequested(reason));
            } else {
                story.stuck(reason);
            }
        }

        @Override
        public void backupActivated(String reason) {
            arbiter.fenced();
            parted();
            ownership.on(new RetryDue()); // what the record says of it is looked at now
        }
    }

    /** What the backup of a session says that was handed over and taken back: its end, whatever it is. */
    private final class TakingBack implements SessionEnd {
        private final ProtectionSession former;

        TakingBack(ProtectionSession former) {
            this.former = former;
        }

        @Override
        public void backupGone(String reason) {
            end();
        }

        @Override
        public void signOffUnanswered(String reason) {
            LOG.warn("VM {}: its former backup may not know that it was taken back: {}", guest.name(), reason);
            end();
        }

        @Override
        public void backupActivated(String reason) {
            LOG.warn("VM {}: it was taken back, and its former backup still takes over: {}", guest.name(), reason);
            end();
        }

        private void end() {
            if (takingBack == former) {
                endTakingBack();
            }
        }
    }

    /** The session that was parting is over. */
    private void parted() {
        ProtectionSession former = parting;
        if (former != null) {
            parting = null;
            isTakenBack = false;
            protection.mirrorNoMore();
            former.end();
        }
    }

    private void signOff() {
        ProtectionSession running = protection.session();
        if (running != null) {
            if (story.isEnding()) {
                running.engine().end();
            }
            running.signOff(story.cause());
        }
    }

    private void reconnect() {
        ProtectionSession running = protection.session();
        if (running != null) {
            running.reconnect("this host was not running for longer than the detection time");
        }
    }

    /** No session follows from what was wanted. */
    void failWanted(String why) {
        Wanted waiting = wanted;
        if (waiting != null) {
            wanted = null;
            waiting.result()
                    .completeExceptionally(new OperationException(
                            Kind.CONFLICT,
                            "VM " + guest.name() + " is not protected: " + why,
                            "see remus status " + guest.name()));
        }
    }

    /** The agent ends. */
    void close() {
        parted();
        endTakingBack();
        failWanted("it has ended");
    }
}
