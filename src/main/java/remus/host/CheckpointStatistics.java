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
    private long windowBytes;
    private long bytesPerSecond;

    void taken(long pauseNanos, long pageCount, long bytes, long nowNanos) {
        pauseMicros.recordValue(pauseNanos / 1_000);
        dirtyPages.recordValue(pageCount);
        windowBytes += bytes;
        long elapsed = nowNanos - windowStartNanos;
        if (elapsed >= RATE_WINDOW_NANOS) {
            bytesPerSecond = windowStartNanos == 0 ? 0 : (long) (windowBytes * 1e9 / elapsed);
            windowStartNanos = nowNanos;
            windowBytes = 0;
        }
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
                bytesPerSecond);
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
