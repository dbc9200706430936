package remus.availability;

/**
 * Tells the backup when its primary has been silent for the detection time. Any byte received counts as life, so bulk
 * data raises no alarm; that a living daemon with a dead or hanging QEMU falls silent too is the primary's part: it
 * sends nothing but as its checkpoints make progress.
 *
 * <p>A process that was itself not running (stopped, or its machine asleep) can't tell how long the other was silent,
 * so {@link #expired} must be called at least each {@code detectNanos / 2}: after a longer gap the time starts anew.
 * {@link #nanosUntilNextCheck} asks for twice that often, so that a late thread is not taken for a stopped process.
 * Confined to the backup's agent thread.
 */
public final class FailureDetector {
    private final long detectNanos;
    private long lastHeardNanos;
    private long lastCheckedNanos;

    /** @param detectNanos silence that means failure, more than 0 */
    public FailureDetector(long detectNanos, long nowNanos) {
        this.detectNanos = detectNanos;
        this.lastHeardNanos = nowNanos;
        this.lastCheckedNanos = nowNanos;
    }

    /** Something came from the primary. */
    public void heard(long nowNanos) {
        lastHeardNanos = nowNanos;
    }

    /** Whether the primary counts as failed at {@code nowNanos}; ask only after all that has arrived was read. */
    public boolean expired(long nowNanos) {
        if (nowNanos - lastCheckedNanos > detectNanos / 2) {
            lastHeardNanos = nowNanos;
        }
        lastCheckedNanos = nowNanos;
        return nowNanos - lastHeardNanos >= detectNanos;
    }

    /** How long to wait before asking again. */
    public long nanosUntilNextCheck(long nowNanos) {
        return Math.max(0, Math.min(lastHeardNanos + detectNanos - nowNanos, detectNanos / 4));
    }

    public long silentNanos(long nowNanos) {
        return nowNanos - lastHeardNanos;
    }
}
