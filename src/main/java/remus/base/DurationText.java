package remus.base;

import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Durations as people write them: a whole number and a unit, {@code 25ms}, {@code 3s}, {@code 500us}, {@code 2min}. */
public final class DurationText {
    private static final Pattern TEXT = Pattern.compile("(\\d{1,9})\\s*(us|ms|s|min)");

    private DurationText() {}

    /** @throws IllegalArgumentException naming the text and the units that are understood */
    public static Duration parse(String text) {
        Matcher matcher = TEXT.matcher(text.strip());
        if (!matcher.matches()) {
            throw new IllegalArgumentException("'" + text
                    + "' is not a duration: write a whole number with a unit, such as 25ms (us, ms, s, min)");
        }
        long number = Long.parseLong(matcher.group(1));
        return switch (matcher.group(2)) {
            case "us" -> Duration.ofNanos(number * 1_000);
            case "ms" -> Duration.ofMillis(number);
            case "s" -> Duration.ofSeconds(number);
            default -> Duration.ofMinutes(number);
        };
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
