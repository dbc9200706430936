package remus.host;

import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import remus.api.EventType;
import remus.api.VmState;

/**
 * A VM's state on this host with its reason, and the events that tell how it came there. Invariants: the state changes only
 * together with one event; a decision about the VM's ownership is told once, by the event of what follows from it in the same
 * step or else by itself; after the end nothing changes any more. Confined to the VM's agent thread.
 */
final class StateStory {
    private final BiConsumer<EventType, String> events;
    private final List<String> decisions = new ArrayList<>();
    private VmState state;
    private @Nullable String reason;
    private boolean ended;

    /** @param events publishes an event with its reason */
    StateStory(VmState first, @Nullable String reason, BiConsumer<EventType, String> events) {
        state = first;
        this.reason = reason;
        this.events = events;
    }

    VmState state() {
        return state;
    }

    /** Why it is in this state, or how far it is with it; null when there is nothing to say. */
    @Nullable
    String reason() {
        return reason;
    }

    /**
     * The state changes.
     *
     * @param why the state's reason
     * @param event tells of it
     * @param told the event's reason
     */
    void become(VmState next, @Nullable String why, EventType event, String told) {
        if (ended) {
            return;
        }
        state = next;
        reason = why;
        tell(event, told);
    }

    /** The state stays; this is to be known of it. */
    void because(@Nullable String why) {
        if (!ended) {
            reason = why;
        }
    }

    /** Something that does not change the state. */
    void tell(EventType event, String why) {
        events.accept(event, why);
    }

    /** Whatever this state is, it is the last one. */
    void end() {
        ended = true;
    }

    // ---- decisions

    /** A decision, in the words of whoever made it: told at the end of the step, unless something else tells it. */
    void decided(String what) {
        decisions.add(what);
    }

    /** The last decision of this step, to be told by another event; empty where none waits. None does afterwards. */
    String decision() {
        String last = decisions.isEmpty() ? "" : decisions.getLast();
        decisions.clear();
        return last;
    }

    /** The step is over: what was decided in it and has not been told is told by itself. */
    void stepIsOver() {
        List<String> untold = List.copyOf(decisions);
        decisions.clear();
        untold.forEach(what -> tell(EventType.OWNERSHIP, what));
    }
}
