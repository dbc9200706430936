package remus.bench;

import java.util.Arrays;

/** Measured durations, all of them kept: their percentiles are exact. Confined to one thread. */
final class Samples {
    private long[] values = new long[1024];
    private int count;
    private boolean sorted = true;

    void add(long value) {
        if (count == values.length) {
            values = Arrays.copyOf(values, count * 2);
        }
        values[count++] = value;
        sorted = false;
    }

    int count() {
        return count;
    }

    /**
     * The smallest value that at least {@code percent} of all do not exceed; 0 without any.
     *
     * @param percent 0 to 100; 0 asks for the smallest value
     */
    long percentile(int percent) {
        if (count == 0) {
            return 0;
        }
        if (!sorted) {
            Arrays.sort(values, 0, count);
            sorted = true;
        }
        int rank = (int) Math.ceilDiv((long) percent * count, 100);
        return values[Math.max(0, rank - 1)];
    }

    /** A percentile of values in nanoseconds, in microseconds. */
    long micros(int percent) {
        return (percentile(percent) + 500) / 1_000;
    }
}
