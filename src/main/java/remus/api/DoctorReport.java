package remus.api;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The document of {@code doctor}.
 *
 * @param verdict the worst of the checks': {@code ok}, {@code warning} or {@code failure}
 * @param checks in the order in which they were made
 * @param link what was measured between this host and its peer, or null
 */
public record DoctorReport(
        String verdict, List<Check> checks, @Nullable LinkEstimate link) {
    public DoctorReport {
        checks = List.copyOf(checks);
    }

    /**
     * One thing that was looked at.
     *
     * @param check its name, such as {@code kvm}
     * @param verdict {@code ok}, {@code warning} or {@code failure}
     * @param found what is so
     * @param remedy what to do about it; null where all is well
     */
    public record Check(
            String check,
            String verdict,
            String found,
            @Nullable String remedy) {}

    /**
     * A link, and what it allows.
     *
     * @param roundTripMicros of small frames
     * @param bytesPerSecond of bulk
     * @param clockAheadMillis how far the peer's clock is ahead of this host's
     * @param intervals what fits into some intervals
     * @param recommendedIntervalMillis null: the link is too slow for any
     * @param recommendedDetectMillis null with that
     * @param shortestDetectMillis below it delays of the link alone may be taken for a failure; null with that
     */
    public record LinkEstimate(
            Percentiles roundTripMicros,
            long bytesPerSecond,
            long clockAheadMillis,
            List<IntervalEstimate> intervals,
            @Nullable Long recommendedIntervalMillis,
            @Nullable Long recommendedDetectMillis,
            @Nullable Long shortestDetectMillis) {
        public LinkEstimate {
            intervals = List.copyOf(intervals);
        }
    }

    /**
     * @param pages how many changed pages of 4 KiB the link carries in an interval
     * @param commitMicros how long a checkpoint of so many pages takes until it is acknowledged
     */
    public record IntervalEstimate(long intervalMillis, long pages, long commitMicros) {}
}
