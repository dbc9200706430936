package remus.disk;

/**
 * Keeps a flow of bytes to a rate: a token bucket, written as the time at which everything taken so far is paid for.
 * What was not used while idle is worth {@link #BURST_NANOS} at most. Pure: the clock is an argument. Not thread-safe.
 */
final class Throttle {
    /** No limit. */
    static final long NONE = 0;

    /** Time whose worth of bytes may pass at once after idling. */
    static final long BURST_NANOS = 100_000_000L;

    private static final double NANOS_PER_SECOND = 1e9;

    private final long bytesPerSecond;
    private long paidAtNanos;
    private boolean used;

    /** @param bytesPerSecond {@link #NONE} for no limit */
    Throttle(long bytesPerSecond) {
        if (bytesPerSecond < 0) {
            throw new IllegalArgumentException("bytesPerSecond=" + bytesPerSecond + " is negative");
        }
        this.bytesPerSecond = bytesPerSecond;
    }

    /** So many bytes pass now. */
    void take(long bytes, long nowNanos) {
        if (bytesPerSecond == NONE) {
            return;
        }
        long earliest = nowNanos - BURST_NANOS;
        if (!used || paidAtNanos - earliest < 0) {
            paidAtNanos = earliest;
            used = true;
        }
        paidAtNanos += (long) (bytes * NANOS_PER_SECOND / bytesPerSecond);
    }

    /** How long the next bytes have to wait; 0 or less: not at all. */
    long nanosToWait(long nowNanos) {
        return used ? paidAtNanos - nowNanos : 0;
    }
}
