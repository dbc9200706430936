package remus.cli;

/**
 * One instant on two clocks: the monotonic one to measure with, and the wall clock to compare with events of other
 * processes.
 *
 * @param nanos of {@link System#nanoTime}
 * @param wallMillis since 1970
 */
record Moment(long nanos, long wallMillis) {
    static Moment now() {
        return new Moment(System.nanoTime(), System.currentTimeMillis());
    }

    /** The same instant's wall time as told by this one: both clocks ran alike in between. */
    long wallMillisAt(long otherNanos) {
        return wallMillis + Math.floorDiv(otherNanos - nanos, 1_000_000L);
    }
}
