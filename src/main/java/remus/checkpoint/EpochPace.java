package remus.checkpoint;

/**
 * Says when the open epoch is over, if nothing else ends it.
 *
 * <ul>
 *   <li>Usually an interval after the beginning of the last pause, and when the guest has run for half of an interval.
 *   <li>Output waits in it: as soon as the guest has run for so much longer than the last pause was that pauses take no
 *       more than their share of the time, and for {@link #SHORTEST_RUN_NANOS}; no later than usual. Somebody waits for
 *       that output (Cully et al. 2008, §4.5, name its delay as the cost that clients notice most).
 *   <li>The guest is quiet, that is, it has written fewer than {@link #QUIET_PAGES} pages in the last epoch and sent nothing in
 *       the open one: after the longest interval. A failover loses more of what such a guest did by itself, but nothing that
 *       anybody could know of.
 * </ul>
 *
 * <p>With fixed epochs ({@link EpochLengths#maxPauseSharePercent} of 0) the first rule is the only one. Confined to the VM's
 * agent thread.
 */
final class EpochPace {
    /** What the guest runs at least, so that an answer of several frames has a chance to leave with one checkpoint. */
    static final long SHORTEST_RUN_NANOS = 500_000;

    /** What a guest with nothing to do writes in an interval, its kernel's timers above all, and some more. */
    static final int QUIET_PAGES = 128;

    private final EpochLengths lengths;
    private long suspendedAtNanos;
    private long resumedAtNanos;
    private boolean isQuiet;

    EpochPace(EpochLengths lengths) {
        this.lengths = lengths;
    }

    /** A pause has begun. */
    void suspended(long nowNanos) {
        suspendedAtNanos = nowNanos;
    }

    void resumed(long nowNanos) {
        resumedAtNanos = nowNanos;
    }

    /** The epoch before the open one had so many pages. */
    void taken(long pageCount) {
        isQuiet = pageCount < QUIET_PAGES;
    }

    /** When the last pause began. */
    long suspendedAtNanos() {
        return suspendedAtNanos;
    }

    /**
     * When the open epoch is over.
     *
     * @param outputWaits whether the guest has sent something in it
     */
    long dueNanos(boolean outputWaits) {
        long halfRunNanos = resumedAtNanos + lengths.usualNanos() / 2;
        long usualNanos = Math.max(suspendedAtNanos + lengths.usualNanos(), halfRunNanos);
        int share = lengths.maxPauseSharePercent();
        if (share == 0) {
            return usualNanos;
        }
        if (outputWaits) {
            long pauseNanos = resumedAtNanos - suspendedAtNanos;
            long runNanos = Math.max(pauseNanos * (100 - share) / share, SHORTEST_RUN_NANOS);
            return Math.min(usualNanos, resumedAtNanos + runNanos);
        }
        return isQuiet ? Math.max(suspendedAtNanos + lengths.longestNanos(), halfRunNanos) : usualNanos;
    }
}
