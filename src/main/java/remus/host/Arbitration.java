package remus.host;

import java.time.Duration;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import remus.availability.Arbiter;
import remus.availability.OwnershipAgent;

/**
 * How this daemon finds out which host owns a VM.
 *
 * @param arbiter the one that all hosts share; null: there is none, each host decides by what it knows of the other
 * @param incarnation differs each time the daemon starts; part of every request to the arbiter
 */
record Arbitration(@Nullable Arbiter arbiter, String incarnation) implements AutoCloseable {
    /** Between two questions to servers about what is not decided yet; also how often a paused loser asks for the record. */
    private static final Duration RETRY_PAUSE = Duration.ofMillis(200);

    /** Where no arbiter is asked; a small part of any detection time. */
    private static final Duration LOCAL_RETRY_PAUSE = Duration.ofMillis(20);

    /** Longer than a take-over takes, a loading that is tried again included. */
    private static final Duration ACTIVATION_DEADLINE = Duration.ofSeconds(20);

    static Arbitration by(@Nullable Arbiter arbiter) {
        return new Arbitration(arbiter, UUID.randomUUID().toString().substring(0, 8));
    }

    OwnershipAgent.Pauses pauses() {
        Duration retry = arbiter == null ? LOCAL_RETRY_PAUSE : RETRY_PAUSE;
        return new OwnershipAgent.Pauses(retry.toNanos(), ACTIVATION_DEADLINE.toNanos());
    }

    @Override
    public void close() {
        Arbiter shared = arbiter;
        if (shared != null) {
            shared.close();
        }
    }
}
