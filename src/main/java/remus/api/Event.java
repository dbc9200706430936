package remus.api;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * Something that happened to a VM on the reporting host.
 *
 * @param time wall clock, to the millisecond, in UTC
 * @param reason one line for people; null when the event says it all
 * @param term generation of ownership at that moment
 * @param epoch the running epoch at that moment; 0 when unprotected
 */
public record Event(
        Instant time, String vm, EventType event, @Nullable String reason, long term, long epoch) {}
