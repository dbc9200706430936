package remus.base;

/**
 * Number of an epoch: the interval of guest execution that the checkpoint of the same number ends. The first epoch of
 * a protection session is 1; 0 ({@link #NONE}) means that no checkpoint exists yet.
 *
 * @param value at least 0
 */
public record EpochId(long value) implements Comparable<EpochId> {
    public static final EpochId NONE = new EpochId(0);

    public EpochId {
        if (value < 0) {
            throw new IllegalArgumentException("epoch=" + value + " is negative");
        }
    }

    public EpochId next() {
        return new EpochId(value + 1);
    }

    public boolean isAfter(EpochId other) {
        return value > other.value;
    }

    @Override
    public int compareTo(EpochId other) {
        return Long.compare(value, other.value);
    }

    @Override
    public String toString() {
        return Long.toString(value);
    }
}
