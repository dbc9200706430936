package remus.host;

import org.jspecify.annotations.Nullable;
import remus.api.EventType;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.base.Term;
import remus.wire.OwnerAnswer;
import remus.wire.OwnerState;

/**
 * What is told of a VM that runs here, or ran here last: its state with the reason, its status, its events, and the answer
 * to hosts that ask who owns it. Written on the agent thread; {@link #published}, {@link #ownerAnswer} and
 * {@link #hasEnded} may be asked on any.
 */
final class ActiveStatus {
    private static final String PAUSED = "paused by command";

    private final ActiveGuest guest;
    private final VmProtection protection;
    private final EventLog events;
    private final String hostName;
    private final StateStory story;
    private volatile @Nullable String switchover;
    private volatile boolean ended;
    private volatile boolean failed;
    private volatile boolean held;
    private volatile VmStatus published;

    ActiveStatus(ActiveGuest guest, VmProtection protection, EventLog events, String hostName) {
        this.guest = guest;
        this.protection = protection;
        this.events = events;
        this.hostName = hostName;
        story = new StateStory(VmState.UNPROTECTED, null, this::event);
        published = describe();
    }

    VmState state() {
        return story.state();
    }

    @Nullable
    String reason() {
        return story.reason();
    }

    /** Once the VM has ended here its last state stays, whatever is still decided about it. */
    void become(VmState next, @Nullable String why, EventType event, String told) {
        story.become(next, why, event, told);
        published = describe();
    }

    /** The state stays; this is how far it is with it, or why it is going to change. */
    void because(@Nullable String why) {
        story.because(why);
        published = describe();
    }

    /** The VM was handed over to this host: a former primary that asks is told how that went. */
    void switchedOver(String figures, EventType as) {
        switchover = figures;
        event(as, figures);
    }

    /** The last state: the agent ends. */
    void finish(VmState last, String why, EventType event) {
        become(last, why, event, why);
        finish();
    }

    /** The agent ends in whatever state this is. */
    void finish() {
        story.end();
        ended = true;
    }

    /** It can't go on here for a reason of this host's: whoever has a copy may take it over. */
    void fail(String why) {
        failed = true;
        finish(VmState.STOPPED, "its agent failed: " + why, EventType.FAILED);
    }

    boolean hasEnded() {
        return ended;
    }

    void event(EventType type, String why) {
        events.publish(guest.name(), type, why, protection.term(), protection.epoch());
    }

    /** As {@link StateStory#decided}. */
    void decided(String what) {
        story.decided(what);
    }

    /** As {@link StateStory#decision}. */
    String decision() {
        return story.decision();
    }

    /** As {@link StateStory#stepIsOver}. */
    void stepIsOver() {
        story.stepIsOver();
    }

    VmStatus published() {
        return published;
    }

    /** Brings what is published up to date. */
    VmStatus publish() {
        VmStatus now = describe();
        published = now;
        return now;
    }

    OwnerAnswer ownerAnswer() {
        VmStatus now = published;
        OwnerState answer = switch (now.state()) {
            case UNPROTECTED -> OwnerState.RUNNING_ALONE;
            case SYNCHRONIZING -> held ? OwnerState.RUNNING_UNCERTAIN : OwnerState.RUNNING_ALONE;
            case PROTECTED -> OwnerState.RUNNING_PROTECTED;
            case DEGRADED -> held || now.peer() != null ? OwnerState.RUNNING_UNCERTAIN : OwnerState.RUNNING_ALONE;
            case STANDBY, ACTIVATING -> OwnerState.ACTIVATING;
            case FENCED -> OwnerState.FENCED;
            case STOPPED -> failed ? OwnerState.UNKNOWN : OwnerState.STOPPED;
        };
        String figures = switchover;
        String why = figures == null ? now.reason() : Switchover.answer(figures, now.reason());
        return new OwnerAnswer(guest.name(), hostName, answer, new Term(now.term()), why == null ? "" : why);
    }

    /** That an operator has paused it comes first. */
    private @Nullable String shownReason() {
        String why = story.reason();
        if (ended || !guest.isKeptStill()) {
            return why;
        }
        return why == null ? PAUSED : PAUSED + "; " + why;
    }

    private VmStatus describe() {
        held = guest.isHeld();
        ProtectionSession running = protection.session();
        return new VmStatus(
                guest.name(),
                VmRole.PRIMARY,
                story.state(),
                shownReason(),
                protection.term().value(),
                protection.epoch().value(),
                protection.committed().value(),
                running == null ? null : running.backup().toString(),
                running == null ? 0 : running.settings().interval().toMillis(),
                guest.qemuPid(),
                guest.tapName(),
                protection.statistics(),
                guest.outputStatus(),
                guest.diskStatus(),
                guest.clockLagMillis(),
                running == null ? null : running.settings().standby());
    }
}
