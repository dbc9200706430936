package remus.migration;

import java.util.Locale;
import remus.base.ByteSize;

/** Numbers as people read them. */
final class Words {
    private static final double NANOS_PER_MILLI = 1e6;

    private Words() {}

    /** {@code 52,000}. */
    static String number(long value) {
        return String.format(Locale.ROOT, "%,d", value);
    }

    /** {@code 1 page}, {@code 52,000 pages}. */
    static String pages(long count) {
        return number(count) + (count == 1 ? " page" : " pages");
    }

    /** {@code 2,000 pages (7.8 MiB)}. */
    static String pages(long count, long bytes) {
        return "%s (%s)".formatted(pages(count), new ByteSize(bytes));
    }

    /** {@code 8.2 ms}. */
    static String millis(double nanos) {
        return String.format(Locale.ROOT, "%.1f ms", nanos / NANOS_PER_MILLI);
    }
}
