package remus.host;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A planned change of roles, as the host sees it that takes the VM over. Its clock and the other host's are never compared:
 * the former primary says for how long the guest has stood still, and the rest is measured here.
 *
 * @param pausedNanos for how long it had stood still there when the order was sent
 * @param orderedNanos when the order came, by this host's clock
 * @param runsNanos when it ran here, by the same; {@link #NOT_YET} until then
 */
record Switchover(long pausedNanos, long orderedNanos, long runsNanos) {
    private static final long NOT_YET = Long.MIN_VALUE;

    /** Between the figures and what else is said of the VM. */
    private static final String AND = "; ";

    private static final String MILLIS = "(\\d{1,15})\\.(\\d{3}) ms";
    private static final Pattern STILL = Pattern.compile("stood still for " + MILLIS);
    private static final Pattern OUTPUT = Pattern.compile(MILLIS + " from the pause there");

    /** One that was ordered just now. */
    static Switchover ordered(long pausedNanos, long nowNanos) {
        return new Switchover(pausedNanos, nowNanos, NOT_YET);
    }

    /** It runs here; at a further attempt, now. */
    Switchover runs(long nowNanos) {
        return new Switchover(pausedNanos, orderedNanos, nowNanos);
    }

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

    /** For how long the guest stood still, by the figures; null: they do not say. */
    static @Nullable Long stillMicrosIn(String figures) {
        return microsIn(STILL.matcher(figures));
    }

    /** How long it took from the pause until output left, by the figures; null: they do not say. */
    static @Nullable Long outputMicrosIn(String figures) {
        return microsIn(OUTPUT.matcher(figures));
    }

    private static @Nullable Long microsIn(Matcher time) {
        return time.find() ? Long.parseLong(time.group(1)) * 1_000 + Long.parseLong(time.group(2)) : null;
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
        return beginning(from)
                + "stood still for %s, %s from the pause there to output here"
                        .formatted(sincePause(runsNanos), sincePause(releasedNanos));
    }

    private String sincePause(long untilNanos) {
        long micros = (pausedNanos + untilNanos - orderedNanos) / 1_000;
        return "%d.%03d ms".formatted(micros / 1_000, micros % 1_000);
    }
}
