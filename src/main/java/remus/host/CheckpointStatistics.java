package remus.host;

import org.HdrHistogram.Histogram;
import remus.api.CheckpointStatus;
import remus.api.Percentiles;

/**
 * Figures of one protection session. Confined to the VM's agent thread; recording allocates nothing once the histograms
 * have grown.
 */
final class CheckpointStatistics {
    private static final int SIGNIFICANT_DIGITS = 3;
    private static final long RATE_WINDOW_NANOS = 2_000_000_000L;

    private final Histogram pauseMicros = new Histogram(SIGNIFICANT_DIGITS);
    private final Histogram dirtyPages = new Histogram(SIGNIFICANT_DIGITS);
    private final Histogram commitMicros = new Histogram(SIGNIFICANT_DIGITS);
    private long windowStartNanos;
    private long windowStateBytes;
    private long rawBytesBefore;
    private long sentBytesBefore;
    private long bytesPerSecond;
    private long rawBytesPerSecond;

    /**
     * A checkpoint was taken.
     *
     * @param stateBytes its device state
     * @param rawPageBytes of all checkpoints that were sent, as {@link remus.checkpoint.BackupChannel#rawPageBytes}
     * @param sentPageBytes what these took
     */
    void taken(long pauseNanos, long pageCount, long stateBytes, long rawPageBytes, long sentPageBytes, long nowNanos) {
        pauseMicros.recordValue(pauseNanos / 1_000);
        dirtyPages.recordValue(pageCount);
        windowStateBytes += stateBytes;
        long elapsed = nowNanos - windowStartNanos;
        if (elapsed >= RATE_WINDOW_NANOS) {
            if (windowStartNanos != 0) {
                bytesPerSecond = rate(sentPageBytes - sentBytesBefore, elapsed);
                rawBytesPerSecond = rate(rawPageBytes - rawBytesBefore, elapsed);
            }
            windowStartNanos = nowNanos;
            windowStateBytes = 0;
            rawBytesBefore = rawPageBytes;
            sentBytesBefore = sentPageBytes;
        }
    }

    private long rate(long pageBytes, long nanos) {
        return (long) ((pageBytes + windowStateBytes) * 1e9 / nanos);
    }

    void committed(long commitNanos) {
        commitMicros.recordValue(commitNanos / 1_000);
    }

    CheckpointStatus status() {
        return new CheckpointStatus(
                commitMicros.getTotalCount(),
                percentiles(pauseMicros),
                percentiles(dirtyPages),
                percentiles(commitMicros),
                bytesPerSecond,
                rawBytesPerSecond);
    }

    private static Percentiles percentiles(Histogram histogram) {
        return histogram.getTotalCount() == 0
                ? Percentiles.NONE
                : new Percentiles(
                        histogram.getValueAtPercentile(50),
                        histogram.getValueAtPercentile(99),
                        histogram.getMaxValue());
    }
}
