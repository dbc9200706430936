package remus.bench;

import org.jspecify.annotations.Nullable;

/**
 * One mode of the latency bench. A figure without {@code Min} or {@code Max} at its end is the median of the rounds' figures.
 *
 * @param mode unprotected, fixed-25ms, fixed-100ms or output-triggered
 * @param maxPauseSharePercent the part of the time that pauses may take where epochs end early, 0 for fixed epochs; null where
 *     no checkpoints are taken
 * @param requestEveryMicros the client sent a request at most once in such a time
 * @param requests answered in all rounds
 * @param requestsPerSecond that the client came to
 * @param p50Micros from sending a request until its answer was read: the median of a round
 * @param p99Micros the same, its 99th percentile
 * @param workSeconds how long the guest's fixed work took beside that, by the host's clock
 * @param elapsedOverheadPercent how much longer than without protection, right after that, while the client asked as often
 * @param checkpointsPerSecond null, as what follows, where none are taken
 * @param commitMicros from the end of a pause to the backup's acknowledgement, median of a session
 * @param pauseMicros of the guest, the same
 */
public record LatencyCase(
        String mode,
        @Nullable Integer maxPauseSharePercent,
        long memoryBytes,
        int rounds,
        long requestEveryMicros,
        long requests,
        double requestsPerSecond,
        long p50Micros,
        long p50MicrosMin,
        long p50MicrosMax,
        long p99Micros,
        long p99MicrosMin,
        long p99MicrosMax,
        double workSeconds,
        @Nullable Double elapsedOverheadPercent,
        @Nullable Double elapsedOverheadPercentMin,
        @Nullable Double elapsedOverheadPercentMax,
        @Nullable Double checkpointsPerSecond,
        @Nullable Long commitMicros,
        @Nullable Long pauseMicros) {}
