package remus.cli;

import java.time.Duration;
import remus.base.RemusException;

/**
 * How much of a guest's work takes so long, so that it can be the same amount each time.
 *
 * @param unitNanos how long one unit takes without protection
 */
record WorkSize(long unitNanos) {
    /** Units are timed until some have passed, and so long. */
    private static final int LEAST_UNITS = 2;

    private static final Duration LEAST_TIME = Duration.ofSeconds(1);

    /** Times some units of a guest that nobody protects. */
    static WorkSize measure(WorkClock clock) throws RemusException, InterruptedException {
        long begin = clock.awaitNext();
        int units = 0;
        long end = begin;
        while (units < LEAST_UNITS || end - begin < LEAST_TIME.toNanos()) {
            end = clock.await(1);
            units++;
        }
        return new WorkSize(Math.max(1, (end - begin) / units));
    }

    /** As many units as take that time, at least one. */
    int units(Duration time) {
        return Math.clamp(Math.round((double) time.toNanos() / unitNanos), 1, Integer.MAX_VALUE);
    }
}
