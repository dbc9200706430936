package remus.base;

/** The clocks that the project reads; tests and simulation supply their own. */
public interface Time {
    /** Monotonic time in nanoseconds that also advances while the machine sleeps (CLOCK_BOOTTIME); origin arbitrary. */
    long nanos();

    /** Wall-clock time in milliseconds since 1970, for people and logs only: it can jump. */
    long wallMillis();
}
