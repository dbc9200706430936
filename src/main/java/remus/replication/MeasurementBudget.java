package remus.replication;

import remus.base.Time;

/**
 * How many bytes others may still send for measuring within the present minute. A measurement takes from it at its beginning
 * what it may use at most, and gives back at its end what it did not use, so that none is cut off half-way. Thread-safe.
 */
final class MeasurementBudget {
    private final Time time;
    private long periodBeganNanos;
    private long bytes = MeasurementLimits.BUDGET_BYTES;

    MeasurementBudget(Time time) {
        this.time = time;
        periodBeganNanos = time.nanos();
    }

    /** Takes what one measurement may use, unless less is left. */
    synchronized boolean reserve() {
        long now = time.nanos();
        if (now - periodBeganNanos >= MeasurementLimits.BUDGET_NANOS) {
            periodBeganNanos = now;
            bytes = MeasurementLimits.BUDGET_BYTES;
        }
        if (bytes < MeasurementLimits.MAX_DISCARDED_BYTES) {
            return false;
        }
        bytes -= MeasurementLimits.MAX_DISCARDED_BYTES;
        return true;
    }

    synchronized void giveBack(long unusedBytes) {
        bytes = Math.min(MeasurementLimits.BUDGET_BYTES, bytes + unusedBytes);
    }
}
