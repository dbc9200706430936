package remus.host;

import org.jspecify.annotations.Nullable;

/**
 * A planned change of roles, as the host sees it that takes the VM over. Its clock and the other host's are never compared:
 * the former primary says for how long the guest has stood still, and the rest is measured here.
 *
 * @param pausedNanos for how long it had stood still there when the order was sent
 * @param orderedNanos when the order came, by this host's clock
 */
record Switchover(long pausedNanos, long orderedNanos) {
    /** Between the figures and what else is said of the VM. */
    private static final String AND = "; ";

    /** What a new owner answers who asks about the VM: how it came here, and why it is in its state. */
    static String answer(String figures, @Nullable String reason) {
        return reason == null ? figures : figures + AND + reason;
    }

    /** Whether an answer says how the VM came from that host. */
    static boolean isFigures(String answer, String from) {
        return answer.startsWith(beginning(from));
    }

    /** The figures of such an answer. */
    static String figuresIn(String answer) {
        int end = answer.indexOf(AND);
        return end < 0 ? answer : answer.substring(0, end);
    }

    private static String beginning(String from) {
        return "switched over from " + from + ": ";
    }

    /**
     * In words, for events and for the former primary.
     *
     * @param releasedNanos when output began to leave here
     */
    String figures(String from, long releasedNanos) {
        long micros = (pausedNanos + releasedNanos - orderedNanos) / 1_000;
        return beginning(from)
                + "%d.%03d ms from the pause there to output here".formatted(micros / 1_000, micros % 1_000);
    }
}
