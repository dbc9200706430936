package remus.base;

/**
 * Generation of a VM's ownership: the fencing token. Each change of who may run the VM or back it up gets the next
 * term, and no term is ever used twice for the same VM.
 *
 * @param value at least 0; 0 means that nobody has owned the VM yet
 */
public record Term(long value) implements Comparable<Term> {
    public static final Term NONE = new Term(0);

    public Term {
        if (value < 0) {
            throw new IllegalArgumentException("term=" + value + " is negative");
        }
    }

    public Term next() {
        return new Term(value + 1);
    }

    public boolean isAfter(Term other) {
        return value > other.value;
    }

    @Override
    public int compareTo(Term other) {
        return Long.compare(value, other.value);
    }

    @Override
    public String toString() {
        return Long.toString(value);
    }
}
