package remus.base;

import com.google.errorprone.annotations.FormatMethod;
import org.jspecify.annotations.Nullable;

/**
 * Checks that are always on. Whoever drives an agent catches {@link InvariantViolation} first of all to stop the
 * release of output, then ends the process: a state that can't be is not a state to go on from.
 */
public final class Invariant {
    private Invariant() {}

    /** Thrown when the program's own state contradicts itself; never caused by input, a peer or the system. */
    public static final class InvariantViolation extends Error {
        private static final long serialVersionUID = 1L;

        InvariantViolation(String message) {
            super(message);
        }
    }

    /** @throws InvariantViolation with the formatted message when {@code holds} is false */
    @FormatMethod
    public static void check(boolean holds, String format, @Nullable Object... values) {
        if (!holds) {
            throw new InvariantViolation(format.formatted(values));
        }
    }

    /** Returns {@code value}, which can't be null: {@code what} says why it is there. */
    public static <T> T present(@Nullable T value, String what) {
        if (value == null) {
            throw new InvariantViolation(what + " is missing");
        }
        return value;
    }
}
