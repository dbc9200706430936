package remus.replication;

/**
 * How fast the connection takes bytes while it is the bottleneck, measured from one moment at which it is full to the next.
 * Where it is never full nothing is known of it, but that it is fast enough. Pure: the clock is an argument. Confined to the
 * channel's thread.
 */
final class LinkSpeed {
    /** Measured are at least so many bytes at a time. */
    static final long SAMPLE_BYTES = 256 << 10;

    /** What the newest measurement counts for beside all before it. */
    private static final double NEWEST_SHARE = 0.25;

    private static final long NONE = Long.MIN_VALUE;

    private long fullAtNanos = NONE;
    private long bytesSinceFull;
    private long sampleBytes;
    private long sampleNanos;
    private double nanosPerByte;
    private long measuredAtNanos = NONE;

    /** The connection has taken so many bytes. */
    void wrote(long bytes) {
        bytesSinceFull += bytes;
    }

    /** The connection takes no more for now. */
    void full(long nowNanos) {
        if (fullAtNanos != NONE && bytesSinceFull > 0) {
            sampleBytes += bytesSinceFull;
            sampleNanos += nowNanos - fullAtNanos;
            if (sampleBytes >= SAMPLE_BYTES) {
                measured((double) Math.max(1, sampleNanos) / sampleBytes, nowNanos);
            }
        }
        fullAtNanos = nowNanos;
        bytesSinceFull = 0;
    }

    private void measured(double newest, long nowNanos) {
        nanosPerByte = measuredAtNanos == NONE ? newest : nanosPerByte + NEWEST_SHARE * (newest - nanosPerByte);
        measuredAtNanos = nowNanos;
        sampleBytes = 0;
        sampleNanos = 0;
    }

    /**
     * The connection may have emptied for want of bytes, which would be taken for its speed: it is measured again when it has
     * been full again.
     */
    void starved() {
        fullAtNanos = NONE;
        bytesSinceFull = 0;
    }

    /** What comes next is of another kind, and what the connection took before tells nothing of it. */
    void forget() {
        measuredAtNanos = NONE;
        nanosPerByte = 0;
        sampleBytes = 0;
        sampleNanos = 0;
        starved();
    }

    /** Whether it was measured within that time. */
    boolean isKnown(long nowNanos, long withinNanos) {
        return measuredAtNanos != NONE && nowNanos - measuredAtNanos <= withinNanos;
    }

    /** What a byte takes; where nothing is known, 0. */
    double nanosPerByte() {
        return nanosPerByte;
    }
}
