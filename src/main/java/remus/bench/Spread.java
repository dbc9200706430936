package remus.bench;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * How one figure lies over the rounds of a bench; all null without any. Of two middle values the median is their mean.
 *
 * @param median rounded, as the others
 */
record Spread(
        @Nullable Double median,
        @Nullable Double min,
        @Nullable Double max) {
    private static final Spread NONE = new Spread(null, null, null);

    /** Of those that have the figure, to hundredths. */
    static <T> Spread of(List<T> all, Function<T, @Nullable Double> figure) {
        return of(all.stream()
                .map(figure)
                .filter(Objects::nonNull)
                .mapToDouble(Double::doubleValue)
                .toArray());
    }

    /** Of these values, to hundredths. */
    static Spread of(double... values) {
        if (values.length == 0) {
            return NONE;
        }
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int half = sorted.length / 2;
        double median = sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
        return new Spread(rounded(median, 100), rounded(sorted[0], 100), rounded(sorted[sorted.length - 1], 100));
    }

    private static double rounded(double value, int parts) {
        return Math.rint(value * parts) / parts;
    }

    /** The ratio of the medians, to thousandths; null where there is none. */
    @Nullable
    Double dividedBy(@Nullable Spread other) {
        Double mine = median;
        Double theirs = other == null ? null : other.median;
        return mine == null || theirs == null || theirs == 0 ? null : rounded(mine / theirs, 1_000);
    }

    /** The median in whole units. */
    @Nullable
    Long wholeMedian() {
        return whole(median);
    }

    @Nullable
    Long wholeMin() {
        return whole(min);
    }

    @Nullable
    Long wholeMax() {
        return whole(max);
    }

    private static @Nullable Long whole(@Nullable Double value) {
        return value == null ? null : Long.valueOf(Math.round(value));
    }
}
