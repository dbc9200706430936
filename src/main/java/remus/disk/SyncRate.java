package remus.disk;

/** A rate that follows what happened of late and forgets what was long ago. Pure: the clock is an argument. */
final class SyncRate {
    /** Share of the newest sample; with a sample every quarter of a second, a change shows within seconds. */
    private static final double NEWEST_SHARE = 0.2;

    private static final double NANOS_PER_SECOND = 1e9;

    private long lastBytes;
    private long lastNanos;
    private double bytesPerSecond;
    private boolean known;

    SyncRate(long nowNanos) {
        lastNanos = nowNanos;
    }

    /** {@code bytes} have been done in all. Samples at the same time as the one before are ignored. */
    void sample(long bytes, long nowNanos) {
        long elapsed = nowNanos - lastNanos;
        if (elapsed <= 0) {
            return;
        }
        double newest = (bytes - lastBytes) * NANOS_PER_SECOND / elapsed;
        bytesPerSecond = known ? bytesPerSecond + NEWEST_SHARE * (newest - bytesPerSecond) : newest;
        known = true;
        lastBytes = bytes;
        lastNanos = nowNanos;
    }

    long bytesPerSecond() {
        return (long) bytesPerSecond;
    }

    /** Seconds that {@code bytes} more take; 0 while that is not known. */
    long secondsFor(long bytes) {
        return bytesPerSecond < 1 ? 0 : (long) Math.ceil(bytes / bytesPerSecond);
    }
}
