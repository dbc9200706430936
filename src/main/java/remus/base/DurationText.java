package remus.base;

import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Durations as people write them: a whole number and a unit, {@code 25ms}, {@code 3s}, {@code 500us}, {@code 2min}. */
public final class DurationText {
    /** Longest duration that is read: a hundred years, which a count of nanoseconds still holds. */
    public static final Duration LONGEST = Duration.ofDays(36_500);

    private static final Pattern TEXT = Pattern.compile("(\\d{1,15})\\s*(us|ms|s|min)");

    private DurationText() {}

    /** @throws IllegalArgumentException naming the text and the units that are understood */
    public static Duration parse(String text) {
        Matcher matcher = TEXT.matcher(text.strip());
        if (!matcher.matches()) {
            throw new IllegalArgumentException("'" + text
                    + "' is not a duration: write a whole number with a unit, such as 25ms (us, ms, s, min)");
        }
        long number = Long.parseLong(matcher.group(1));
        Duration duration = switch (matcher.group(2)) {
            case "us" -> Duration.ofNanos(number * 1_000);
            case "ms" -> Duration.ofMillis(number);
            case "s" -> Duration.ofSeconds(number);
            default -> Duration.ofMinutes(number);
        };
        if (duration.compareTo(LONGEST) > 0) {
            throw new IllegalArgumentException("'" + text + "' is too long a duration: at most " + format(LONGEST));
        }
        return duration;
    }

    /** The shortest text that {@link #parse} reads back as the same duration. */
    public static String format(Duration duration) {
        long micros = duration.toNanos() / 1_000;
        if (micros % 1_000 != 0) {
            return micros + "us";
        }
        return micros % 1_000_000 == 0 && micros > 0 ? micros / 1_000_000 + "s" : micros / 1_000 + "ms";
    }
}
