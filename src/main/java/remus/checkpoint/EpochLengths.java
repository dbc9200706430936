package remus.checkpoint;

import remus.base.Invariant;

/**
 * How long epochs are.
 *
 * @param usualNanos from the beginning of one pause to that of the next; the guest runs for at least half of it in between
 * @param longestNanos the same of a quiet guest; at least {@code usualNanos}
 * @param maxPauseSharePercent the part of the time that pauses may take where epochs end early for output that waits, 1 to
 *     {@link #MAX_PAUSE_SHARE_PERCENT}; 0: epochs have their usual length, whatever the guest sends
 */
public record EpochLengths(long usualNanos, long longestNanos, int maxPauseSharePercent) {
    /** Half of each usual epoch is the guest's own in any case. */
    public static final int MAX_PAUSE_SHARE_PERCENT = 50;

    public EpochLengths {
        Invariant.check(
                usualNanos > 0 && longestNanos >= usualNanos, "an epoch of %d to %d ns", usualNanos, longestNanos);
        Invariant.check(
                maxPauseSharePercent >= 0 && maxPauseSharePercent <= MAX_PAUSE_SHARE_PERCENT,
                "pauses of %d percent",
                maxPauseSharePercent);
    }

    /** All epochs are as long. */
    public static EpochLengths fixed(long nanos) {
        return new EpochLengths(nanos, nanos, 0);
    }
}
