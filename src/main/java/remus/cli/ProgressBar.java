package remus.cli;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Draws how far something is, for a terminal's one line. */
final class ProgressBar {
    private static final int CELLS = 20;
    private static final Pattern PERCENTAGE = Pattern.compile("\\b(\\d{1,3}) ?%");

    private ProgressBar() {}

    /** {@code [#####---------------] text} where {@code text} says a percentage, of which the first counts; else {@code text}. */
    static String beside(String text) {
        Matcher said = PERCENTAGE.matcher(text);
        if (!said.find()) {
            return text;
        }
        int full = Math.min(100, Integer.parseInt(said.group(1))) * CELLS / 100;
        return "[%s%s] %s".formatted("#".repeat(full), "-".repeat(CELLS - full), text);
    }
}
