package remus.migration;

import remus.base.ByteSize;

/**
 * How fast the rounds are sent, in page data per second (Clark et al. 2005, §5.3): the first one at the minimum, each
 * further one at the rate at which the guest wrote in the one before plus a constant step, never below the minimum nor
 * above the maximum. Without a minimum, or with one that is the maximum, all of them at the maximum. What is left when the
 * guest is suspended is never limited.
 *
 * @param min {@link #LEAST} to {@link #MOST}; 0 B: none
 * @param max {@link #LEAST} to {@link #MOST} and at least {@code min}; 0 B: no limit
 * @param step {@link #LEAST} to {@link #MOST}
 */
public record RateLimit(ByteSize min, ByteSize max, ByteSize step) {
    /** Slower than this, a guest of an ordinary size would take days. */
    public static final ByteSize LEAST = ByteSize.ofMebibytes(1);

    /** Faster than any link; sums of rates stay within a long. */
    public static final ByteSize MOST = ByteSize.ofMebibytes(1 << 20);

    /** About the 50 Mbit/s that Clark et al. add. */
    public static final ByteSize DEFAULT_STEP = ByteSize.ofMebibytes(6);

    /** As fast as the link takes it. */
    public static final RateLimit NONE = new RateLimit(new ByteSize(0), new ByteSize(0), DEFAULT_STEP);

    public RateLimit {
        checkRate(min);
        checkRate(max);
        checkStep(step);
        if (isLess(max, min)) {
            throw new IllegalArgumentException(aboveMax(min, max));
        }
    }

    /** @throws IllegalArgumentException naming the value and its range */
    public static ByteSize checkRate(ByteSize value) {
        return value.bytes() == 0 ? value : checkRange(value, " (0B: no limit)");
    }

    /** @throws IllegalArgumentException naming the value and its range */
    public static ByteSize checkStep(ByteSize value) {
        return checkRange(value, "");
    }

    /** Whether {@code max} is a limit, and below {@code min}. */
    public static boolean isLess(ByteSize max, ByteSize min) {
        return max.bytes() != 0 && max.bytes() < min.bytes();
    }

    /** What is wrong with such a pair. */
    public static String aboveMax(ByteSize min, ByteSize max) {
        return "%s is more than the maximum of %s".formatted(min, max);
    }

    /** Whether the rate is that at which the guest writes, and a step more. */
    boolean followsGuest() {
        return min.bytes() != 0 && !min.equals(max);
    }

    /** Bytes per second of the first round; 0: no limit. */
    long first() {
        return min.bytes() != 0 ? min.bytes() : max.bytes();
    }

    /** Bytes per second of the round that follows one in which the guest wrote at {@code dirtiedBytesPerSecond}. */
    long next(long dirtiedBytesPerSecond) {
        if (!followsGuest()) {
            return first();
        }
        long wanted = Math.max(min.bytes(), wanted(dirtiedBytesPerSecond));
        return max.bytes() == 0 ? wanted : Math.min(wanted, max.bytes());
    }

    /** Whether the next round would have to be faster than the maximum. */
    boolean isPassedBy(long dirtiedBytesPerSecond) {
        return followsGuest() && max.bytes() != 0 && wanted(dirtiedBytesPerSecond) > max.bytes();
    }

    private long wanted(long dirtiedBytesPerSecond) {
        return Math.min(dirtiedBytesPerSecond, MOST.bytes()) + step.bytes();
    }

    private static ByteSize checkRange(ByteSize value, String otherwise) {
        if (value.bytes() < LEAST.bytes() || value.bytes() > MOST.bytes()) {
            throw new IllegalArgumentException("%s is not from %s to %s%s".formatted(value, LEAST, MOST, otherwise));
        }
        return value;
    }
}
