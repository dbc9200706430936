package remus.api;

/**
 * How a measured quantity is distributed over the session so far: median, 99th percentile and largest value, all 0
 * before the first measurement. The unit is that of the field that holds it.
 */
public record Percentiles(long p50, long p99, long max) {
    public static final Percentiles NONE = new Percentiles(0, 0, 0);
}
