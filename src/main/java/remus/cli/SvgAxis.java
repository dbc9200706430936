package remus.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * One axis of a plot: which pixel a value lies at, and the round values that are written beside it. A logarithmic one
 * begins at 1, where it draws what is smaller, too.
 *
 * @param from value at {@code fromPixel}
 * @param to value at {@code toPixel}; more than {@code from}
 */
record SvgAxis(Scale scale, double from, double to, double fromPixel, double toPixel) {
    private static final int TICKS = 5;

    enum Scale {
        LINEAR,
        LOGARITHMIC
    }

    SvgAxis {
        if (!(from < to) || (scale == Scale.LOGARITHMIC && from < 1)) {
            throw new IllegalArgumentException("from=%s to=%s is no range of a %s axis".formatted(from, to, scale));
        }
    }

    /** From 0, or 1, to a round value that is at least {@code most}. */
    static SvgAxis upTo(Scale scale, double most, double fromPixel, double toPixel) {
        return switch (scale) {
            case LINEAR -> {
                double step = step(Math.max(most, 1));
                yield new SvgAxis(scale, 0, Math.ceil(Math.max(most, 1) / step) * step, fromPixel, toPixel);
            }
            case LOGARITHMIC ->
                new SvgAxis(scale, 1, Math.pow(10, Math.ceil(Math.log10(Math.max(most, 10)))), fromPixel, toPixel);
        };
    }

    double pixel(double value) {
        double share = switch (scale) {
            case LINEAR -> (value - from) / (to - from);
            case LOGARITHMIC -> Math.log(Math.max(value, from) / from) / Math.log(to / from);
        };
        return fromPixel + share * (toPixel - fromPixel);
    }

    List<Double> ticks() {
        List<Double> ticks = new ArrayList<>();
        switch (scale) {
            case LINEAR -> {
                double step = step(to - from);
                for (double tick = Math.ceil(from / step) * step; tick <= to + step * 1e-6; tick += step) {
                    ticks.add(Math.abs(tick) < step * 1e-6 ? 0.0 : tick);
                }
            }
            case LOGARITHMIC -> {
                for (double tick = from; tick <= to * 1.000_001; tick *= 10) {
                    ticks.add(tick);
                }
            }
        }
        return ticks;
    }

    /** A value as it is written beside the axis: as many places as tell it from the next one, thousands apart. */
    String label(double tick) {
        double step = scale == Scale.LINEAR ? step(to - from) : 1;
        int places = Math.max(0, (int) Math.ceil(-Math.log10(step) - 1e-9));
        return String.format(Locale.ROOT, "%,." + places + "f", tick);
    }

    /** 1, 2 or 5 times a power of ten, such that some {@value #TICKS} of them make up the range. */
    private static double step(double range) {
        double rough = range / TICKS;
        double power = Math.pow(10, Math.floor(Math.log10(rough)));
        double factor = rough / power;
        return power * (factor <= 1 ? 1 : factor <= 2 ? 2 : factor <= 5 ? 5 : 10);
    }
}
