package remus.replication;

import org.slf4j.Logger;
import remus.base.Time;

/**
 * Keeps whoever can make us log from filling the disk: of the warnings in one period only the first few are written,
 * and the number of the others with the first of a later period. May be used by any thread.
 */
final class RateLimitedLog {
    static final int MAX_PER_PERIOD = 10;
    static final long PERIOD_NANOS = 10_000_000_000L;

    private final Logger log;
    private final Time time;
    private long periodBeganNanos;
    private int written = MAX_PER_PERIOD;
    private long suppressed;

    RateLimitedLog(Logger log, Time time) {
        this.log = log;
        this.time = time;
        periodBeganNanos = time.nanos() - PERIOD_NANOS;
    }

    synchronized void warn(String message) {
        long now = time.nanos();
        if (now - periodBeganNanos >= PERIOD_NANOS) {
            if (suppressed > 0) {
                log.warn("{} more warnings like these were left out", suppressed);
            }
            periodBeganNanos = now;
            written = 0;
            suppressed = 0;
        }
        if (written < MAX_PER_PERIOD) {
            written++;
            log.warn("{}", message);
        } else {
            suppressed++;
        }
    }

    void debug(String message) {
        log.debug("{}", message);
    }
}
