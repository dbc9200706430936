package remus.migration;

import java.time.Duration;
import remus.base.ByteSize;
import remus.base.DurationText;

/**
 * Which conditions end the rounds of a migration, checked; what each means is said by its {@link StopCondition}. The limit
 * of rounds is always on, so that every migration ends.
 *
 * @param maxDowntime what is left is to be sent within this: {@link #MIN_DOWNTIME} to {@link #MAX_DOWNTIME}; zero: off
 * @param maxRounds 1 to {@link #MAX_ROUNDS}
 * @param settledRounds {@link #MIN_SETTLED_ROUNDS} to {@link #MAX_ROUNDS}; 0: off
 * @param settledTolerancePercent 0 to {@link #MAX_TOLERANCE_PERCENT}
 * @param untilClean whether a round that leaves no page ends them
 * @param maxData page data of all rounds, at least {@link #MIN_DATA}; 0 B: off
 */
public record StopSettings(
        Duration maxDowntime,
        int maxRounds,
        int settledRounds,
        int settledTolerancePercent,
        boolean untilClean,
        ByteSize maxData) {
    public static final Duration MIN_DOWNTIME = Duration.ofMillis(1);
    public static final Duration MAX_DOWNTIME = Duration.ofMinutes(1);
    public static final int MAX_ROUNDS = 1_000;

    /** One number by itself is always the same. */
    public static final int MIN_SETTLED_ROUNDS = 2;

    /** Beyond, a guest whose rounds still get shorter by half would be called settled. */
    public static final int MAX_TOLERANCE_PERCENT = 50;

    public static final ByteSize MIN_DATA = ByteSize.ofMebibytes(1);

    private static final int DEFAULT_SETTLED_ROUNDS = 5;

    public static final StopSettings DEFAULTS =
            new StopSettings(Duration.ofMillis(30), 30, DEFAULT_SETTLED_ROUNDS, 5, true, new ByteSize(0));

    public StopSettings {
        checkMaxDowntime(maxDowntime);
        checkMaxRounds(maxRounds);
        checkSettledRounds(settledRounds);
        checkSettledTolerancePercent(settledTolerancePercent);
        checkMaxData(maxData);
    }

    /**
     * Rounds for which the number of pages left has to stay the same where nobody said how many. Off where a guest that does
     * not converge is to be slowed down or left alone: such a guest settles long before the limit of rounds, and would be
     * suspended although that is what its owner did not want.
     */
    public static int defaultSettledRounds(MigrationPlan.Unconverged unconverged) {
        return switch (unconverged) {
            case STOP -> DEFAULT_SETTLED_ROUNDS;
            case AUTO_CONVERGE, ABORT -> 0;
        };
    }

    /** @throws IllegalArgumentException naming the value and its range, as all of these */
    public static Duration checkMaxDowntime(Duration value) {
        boolean inside = value.compareTo(MIN_DOWNTIME) >= 0 && value.compareTo(MAX_DOWNTIME) <= 0;
        if (!inside && !value.isZero()) {
            throw new IllegalArgumentException("%s is not from %s to %s (0ms: any)"
                    .formatted(
                            DurationText.format(value),
                            DurationText.format(MIN_DOWNTIME),
                            DurationText.format(MAX_DOWNTIME)));
        }
        return value;
    }

    public static int checkMaxRounds(int value) {
        return checkRange(value, 1, MAX_ROUNDS, "");
    }

    public static int checkSettledRounds(int value) {
        return value == 0 ? 0 : checkRange(value, MIN_SETTLED_ROUNDS, MAX_ROUNDS, " (0: off)");
    }

    public static int checkSettledTolerancePercent(int value) {
        return checkRange(value, 0, MAX_TOLERANCE_PERCENT, "");
    }

    public static ByteSize checkMaxData(ByteSize value) {
        if (value.bytes() != 0 && value.bytes() < MIN_DATA.bytes()) {
            throw new IllegalArgumentException("%s is less than %s (0B: no limit)".formatted(value, MIN_DATA));
        }
        return value;
    }

    private static int checkRange(int value, int min, int max, String otherwise) {
        if (value < min || value > max) {
            throw new IllegalArgumentException("%d is not from %d to %d%s".formatted(value, min, max, otherwise));
        }
        return value;
    }
}
