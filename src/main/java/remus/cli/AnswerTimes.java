package remus.cli;

import java.util.Optional;

/**
 * When a client's requests were sent and answered, to find how long it had to wait around a failure. One thread adds,
 * others ask. Holds the last {@link #CAPACITY} answers.
 */
final class AnswerTimes {
    static final int CAPACITY = 1 << 18;

    /**
     * A time without answers.
     *
     * @param sinceNanos when it began: at the last answer, or at the failure when that came later
     * @param answerNanos the answer that ended it
     */
    record Stall(long sinceNanos, long answerNanos) {
        double millis() {
            return (answerNanos - sinceNanos) / 1e6;
        }
    }

    private final long[] sentNanos = new long[CAPACITY];
    private final long[] answeredNanos = new long[CAPACITY];
    private final long[] answeredWallMillis = new long[CAPACITY];
    private long count;

    synchronized void add(long sent, Moment answered) {
        int slot = slot(count);
        sentNanos[slot] = sent;
        answeredNanos[slot] = answered.nanos();
        answeredWallMillis[slot] = answered.wallMillis();
        count++;
    }

    private static int slot(long index) {
        return (int) (index % CAPACITY);
    }

    synchronized long count() {
        return count;
    }

    /** The last answer, if there was one. */
    synchronized Optional<Moment> last() {
        return count == 0
                ? Optional.empty()
                : Optional.of(new Moment(answeredNanos[slot(count - 1)], answeredWallMillis[slot(count - 1)]));
    }

    /** True when a request that was sent after {@code nanos} has been answered: whatever stalled is over. */
    synchronized boolean isAnsweredSince(long nanos) {
        return count > 0 && sentNanos[slot(count - 1)] - nanos > 0;
    }

    /**
     * The longest time without answers after {@code failureNanos}. An answer that was on its way when the failure
     * came does not end it: it is the longest gap that counts, not the first. Empty while no answer has come since.
     */
    synchronized Optional<Stall> longestStallAfter(long failureNanos) {
        Optional<Stall> longest = Optional.empty();
        // The oldest answer kept only tells where the gap before the next one began, unless it is the very first.
        long oldest = count <= CAPACITY ? 0 : count - CAPACITY + 1;
        for (long index = count - 1; index >= oldest; index--) {
            long answered = answeredNanos[slot(index)];
            if (answered - failureNanos <= 0) {
                break;
            }
            long before = index == 0 ? failureNanos : answeredNanos[slot(index - 1)];
            Stall stall = new Stall(before - failureNanos > 0 ? before : failureNanos, answered);
            if (longest.isEmpty() || stall.millis() >= longest.get().millis()) {
                longest = Optional.of(stall);
            }
        }
        return longest;
    }

    /** How long the last answers took, oldest first, in microseconds; at most {@code limit}. */
    synchronized long[] recentMicros(int limit) {
        int length = (int) Math.min(Math.min(limit, count), CAPACITY);
        long[] micros = new long[length];
        for (int index = 0; index < length; index++) {
            int slot = slot(count - length + index);
            micros[index] = (answeredNanos[slot] - sentNanos[slot]) / 1_000;
        }
        return micros;
    }
}
