package remus.host;

import org.jspecify.annotations.Nullable;
import remus.api.CheckpointStatus;
import remus.api.EventType;
import remus.api.OutputStatus;
import remus.api.Percentiles;
import remus.api.StandbyMode;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.base.HostAddress;
import remus.base.Term;
import remus.wire.Hello;
import remus.wire.OwnerAnswer;
import remus.wire.OwnerState;

/**
 * What is told of a VM on its backup: its state with the reason, its status, its events, and the answer to hosts that ask
 * who owns it. Written on the agent thread; {@link #published} and {@link #ownerAnswer} may be asked on any.
 */
final class StandbyStatus {
    private final HostServices services;
    private final Hello hello;
    private final Term term;
    private final HostAddress primary;
    private final StandbyCopy copy;
    private final StateStory story;
    private Term owned;
    private long checkpointCount;
    private volatile VmStatus published;

    StandbyStatus(HostServices services, Hello hello, Term term, HostAddress primary, StandbyCopy copy) {
        this.services = services;
        this.hello = hello;
        this.term = term;
        this.primary = primary;
        this.copy = copy;
        owned = term;
        story = new StateStory(VmState.SYNCHRONIZING, "waiting for the primary's files", this::event);
        published = describe();
    }

    StandbyMode standby() {
        return copy.standby();
    }

    VmState state() {
        return story.state();
    }

    void become(VmState next, @Nullable String why, EventType event, String told) {
        story.become(next, why, event, told);
        published = describe();
    }

    /** The state stays; this is to be known of it. */
    void because(@Nullable String why) {
        story.because(why);
    }

    /** The term in which this host has begun to own the VM. */
    void granted(Term next) {
        owned = next;
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

    void checkpointIsWhole() {
        checkpointCount++;
    }

    void event(EventType type, String why) {
        services.events().publish(hello.vm(), type, why, owned, copy.lastWhole());
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
        OwnerState answer = published.state() == VmState.ACTIVATING ? OwnerState.ACTIVATING : OwnerState.STANDBY;
        return new OwnerAnswer(hello.vm(), services.hostName(), answer, term, "backup on " + services.hostName());
    }

    private VmStatus describe() {
        return new VmStatus(
                hello.vm(),
                VmRole.BACKUP,
                story.state(),
                story.reason(),
                owned.value(),
                copy.lastWhole().value(),
                copy.lastWhole().value(),
                primary.toString(),
                hello.interval().toMillis(),
                copy.qemuPid(),
                copy.tapName(),
                new CheckpointStatus(checkpointCount, Percentiles.NONE, Percentiles.NONE, Percentiles.NONE, 0, 0),
                OutputStatus.NONE,
                copy.diskStatus(),
                0,
                standby());
    }
}
