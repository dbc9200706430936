package remus.cli;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.api.Event;
import remus.api.HostStatus;

/**
 * What is known of a host at a moment: all that {@link TopView} draws.
 *
 * @param address where the host is asked
 * @param last the newest status; null before the first one
 * @param before the one that came before it, for rates
 * @param trouble why there is no newer status, in one line; null when the last question was answered
 * @param events the last ones, oldest first
 */
record TopState(
        String address,
        @Nullable Poll last,
        @Nullable Poll before,
        @Nullable String trouble,
        List<Event> events) {
    /** A status, and when it came by a clock that never jumps and by the wall's. */
    record Poll(HostStatus status, long nanos, Instant time) {
        Duration since(Poll earlier) {
            return Duration.ofNanos(nanos - earlier.nanos);
        }
    }

    TopState {
        events = List.copyOf(events);
    }

    static TopState unknown(String address) {
        return new TopState(address, null, null, null, List.of());
    }

    TopState answered(Poll next) {
        return new TopState(address, next, last, null, events);
    }

    /** What was known stays, for it may be all that can be known of a host that is gone. */
    TopState unanswered(String why) {
        return new TopState(address, last, before, why, events);
    }

    TopState with(List<Event> newest) {
        return new TopState(address, last, before, trouble, newest);
    }
}
