package remus.bench;

import java.time.Duration;
import java.util.List;
import remus.base.ByteSize;

/** What the settings of several benches refuse alike, with an {@link IllegalArgumentException} that names the value. */
final class Settings {
    /** A median of more says no more. */
    static final int MAX_ROUNDS = 1_000;

    static final Duration MAX_PER_TURN = Duration.ofHours(1);

    /** What a small guest with Redis, a compiler or iperf3 needs. */
    private static final ByteSize LEAST_MEMORY = ByteSize.ofMebibytes(192);

    private Settings() {}

    static void requireRounds(int rounds) {
        if (rounds < 1 || rounds > MAX_ROUNDS) {
            throw new IllegalArgumentException("rounds=" + rounds + " is not a number from 1 to " + MAX_ROUNDS);
        }
    }

    static void requireSeconds(Duration perTurn) {
        if (perTurn.toSeconds() < 1 || perTurn.compareTo(MAX_PER_TURN) > 0) {
            throw new IllegalArgumentException(
                    "seconds=" + perTurn.toSeconds() + " is not a number from 1 to " + MAX_PER_TURN.toSeconds());
        }
    }

    /** @param what one of the values is called */
    static void requireSome(List<?> values, String what) {
        if (values.isEmpty()) {
            throw new IllegalArgumentException("no " + what + " is given: name at least one");
        }
        if (values.stream().distinct().count() != values.size()) {
            throw new IllegalArgumentException("a " + what + " is given twice: " + values);
        }
    }

    static void requireRoom(ByteSize memory) {
        if (memory.bytes() < LEAST_MEMORY.bytes()) {
            throw new IllegalArgumentException(
                    "a guest of %s is too small for its work: give it at least %s".formatted(memory, LEAST_MEMORY));
        }
    }
}
