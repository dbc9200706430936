package remus.replication;

import java.util.concurrent.TimeUnit;
import remus.wire.WireLimits;

/**
 * How much a host lets others measure. Whoever reaches the replication port can ask for it, so that every one of these is
 * checked: together they bound what a hostile host can make this one do.
 */
public final class MeasurementLimits {
    /** Most measurements at a time. */
    public static final int MAX_MEASUREMENTS = 2;

    /** Longest measurement, in nanoseconds: its connection is closed then. */
    public static final long MAX_NANOS = TimeUnit.SECONDS.toNanos(10);

    /** Most echoes of one measurement. */
    public static final int MAX_ECHOES = 2_000;

    /** Most bytes that are thrown away in one measurement. */
    public static final long MAX_DISCARDED_BYTES = 256L << 20;

    /** Most bytes of all measurements that begin within {@link #BUDGET_NANOS}; more are refused. */
    public static final long BUDGET_BYTES = 4 * MAX_DISCARDED_BYTES;

    /** The time that {@link #BUDGET_BYTES} is for, in nanoseconds. */
    public static final long BUDGET_NANOS = TimeUnit.MINUTES.toNanos(1);

    static {
        if (MAX_DISCARDED_BYTES % WireLimits.MAX_DISCARD_BYTES != 0 || BUDGET_BYTES < MAX_DISCARDED_BYTES) {
            throw new ExceptionInInitializerError("no measurement of the longest kind is possible");
        }
    }

    private MeasurementLimits() {}
}
