package remus.cli;

import java.util.Locale;

/** Figures in few columns: rounded, with a unit behind them, and never wider than each method says. */
final class TopNumbers {
    private static final String DECIMAL_UNITS = "kMGTPE";
    private static final String BINARY_UNITS = "KMGTPE";

    private TopNumbers() {}

    /** At most {@code columns}, which are at least 4: {@code 4711}, {@code 47k}, {@code 9E}. */
    static String count(long value, int columns) {
        String digits = Long.toString(value);
        long scaled = value;
        for (int unit = 0; digits.length() > columns && unit < DECIMAL_UNITS.length(); unit++) {
            scaled /= 1_000;
            digits = Long.toString(scaled) + DECIMAL_UNITS.charAt(unit);
        }
        return digits;
    }

    /** At most 5 columns: {@code 512B}, {@code 4.0K}, {@code 768M}. */
    static String bytes(long bytes) {
        if (bytes < 1_024) {
            return bytes + "B";
        }
        double value = bytes;
        int unit = -1;
        do {
            value /= 1_024;
            unit++;
        } while (value >= 1_023.5 && unit < BINARY_UNITS.length() - 1);
        return String.format(Locale.ROOT, value < 9.95 ? "%.1f%c" : "%.0f%c", value, BINARY_UNITS.charAt(unit));
    }

    /** Milliseconds without a unit, or from 10 s on a longer one with it; at most 4 columns. */
    static String millis(long micros) {
        return micros < 9_999_500 ? StatusText.millis(micros) : seconds(micros / 1_000_000);
    }

    /** At most 4 columns: {@code 1.2s}, {@code 42s}, {@code 17m}, {@code 12h}, {@code 42d}. */
    static String time(long millis) {
        return millis < 9_950 ? String.format(Locale.ROOT, "%.1fs", millis / 1e3) : seconds(millis / 1_000);
    }

    private static String seconds(long seconds) {
        if (seconds < 1_000) {
            return seconds + "s";
        }
        if (seconds < 60_000) {
            return seconds / 60 + "m";
        }
        return seconds < 3_600_000 ? seconds / 3_600 + "h" : Math.min(seconds / 86_400, 999) + "d";
    }

    /** At most 5 columns. */
    static String perSecond(double rate) {
        return rate < 99.95 ? String.format(Locale.ROOT, "%.1f", rate) : count(Math.round(rate), 5);
    }
}
