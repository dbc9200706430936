package remus.replication;

/**
 * What was measured between this host and another one. Round trips are those of small frames, one at a time.
 *
 * @param roundTripMicrosP50 median, in microseconds
 * @param roundTripMicrosP99 99th percentile, in microseconds
 * @param roundTripMicrosMax longest, in microseconds
 * @param roundTrips how many there were
 * @param bytesPerSecond payload that arrived, checksums included in the work
 * @param sentBytes of that measurement
 */
public record LinkFigures(
        long roundTripMicrosP50,
        long roundTripMicrosP99,
        long roundTripMicrosMax,
        int roundTrips,
        long bytesPerSecond,
        long sentBytes) {}
