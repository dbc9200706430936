package remus.cli;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import remus.bench.BenchReport;
import remus.bench.OverheadCase;
import remus.cli.Svg.Anchor;
import remus.cli.Svg.Font;
import remus.cli.Svg.Point;
import remus.cli.SvgAxis.Scale;

/**
 * Draws the overhead of each workload over the rate of checkpoints, with the spread of the rounds, beside what the authors of
 * Remus measured for the compilation of a Linux kernel (Cully et al., NSDI 2008, figure 5): other work on another machine, in
 * a paravirtualized guest on Xen, so the curves' shape compares, not the points.
 */
final class OverheadPlot {
    private static final int WIDTH = 960;
    private static final int HEIGHT = 560;
    private static final double LEFT = 80;
    private static final double RIGHT = 930;
    private static final double TOP = 130;
    private static final double BOTTOM = 490;
    private static final double CAP = 4;

    /** How much longer the authors' kernel took to compile, in percent, by checkpoints a second. */
    static final Map<Integer, Double> PAPER = paper();

    private static final String PAPER_COLOUR = "#8a8a8a";
    private static final List<String> COLOURS = List.of("#0072b2", "#e69f00", "#009e73", "#b83a00", "#8a4f9e");
    private static final String GRID = "#e2e2e2";
    private static final String INK = "#222222";
    private static final String FAINT = "#555555";
    private static final Font PLAIN = new Font(12, INK, false, Anchor.START);
    private static final Font SMALL = new Font(11, FAINT, false, Anchor.MIDDLE);

    /** One curve. */
    private record Curve(String name, String colour, List<Spot> spots) {}

    /** The overhead at a rate, in percent. */
    private record Spot(double rate, double percent, double min, double max) {}

    private final Svg svg;
    private final BenchReport<OverheadCase> report;
    private final List<Curve> curves = new ArrayList<>();
    private final SvgAxis rates;
    private final SvgAxis percents;

    private OverheadPlot(BenchReport<OverheadCase> report) {
        this.report = report;
        svg = new Svg(WIDTH, HEIGHT, "How much longer a guest's work takes under protection", BenchHeading.of(report));
        Map<String, List<Spot>> ours = new LinkedHashMap<>();
        for (OverheadCase run : report.runs()) {
            ours.computeIfAbsent(run.workload(), name -> new ArrayList<>())
                    .add(new Spot(
                            run.checkpointsPerSecond(),
                            run.elapsedOverheadPercent(),
                            run.elapsedOverheadPercentMin(),
                            run.elapsedOverheadPercentMax()));
        }
        ours.forEach((name, spots) -> curves.add(new Curve(name, COLOURS.get(curves.size() % COLOURS.size()), spots)));
        List<Spot> theirs = PAPER.entrySet().stream()
                .map(entry -> new Spot(entry.getKey(), entry.getValue(), entry.getValue(), entry.getValue()))
                .toList();
        curves.add(new Curve("kernel compilation, Cully et al. 2008, figure 5", PAPER_COLOUR, theirs));
        List<Spot> all =
                curves.stream().flatMap(curve -> curve.spots().stream()).toList();
        double most = all.stream().mapToDouble(Spot::max).max().orElse(1);
        double least = all.stream().mapToDouble(Spot::min).min().orElse(0);
        rates = SvgAxis.upTo(
                Scale.LINEAR, all.stream().mapToDouble(Spot::rate).max().orElse(1), LEFT, RIGHT);
        SvgAxis up = SvgAxis.upTo(Scale.LINEAR, most, BOTTOM, TOP);
        percents = new SvgAxis(Scale.LINEAR, Math.min(0, least), up.to(), BOTTOM, TOP);
    }

    /** The whole document. */
    static String of(BenchReport<OverheadCase> report) {
        OverheadPlot plot = new OverheadPlot(report);
        plot.heading();
        plot.axes();
        plot.curves.forEach(plot::curve);
        return plot.svg.document();
    }

    private static Map<Integer, Double> paper() {
        Map<Integer, Double> paper = new LinkedHashMap<>();
        paper.put(10, 31.0);
        paper.put(20, 52.0);
        paper.put(30, 80.0);
        paper.put(40, 103.0);
        return Collections.unmodifiableMap(paper);
    }

    private void heading() {
        svg.text(
                24,
                36,
                new Font(19, INK, true, Anchor.START),
                "How much longer a guest's work takes under protection, by the host's clock");
        svg.text(24, 60, PLAIN, BenchHeading.of(report));
        double x = 24;
        for (Curve curve : curves) {
            svg.line(List.of(new Point(x, 86), new Point(x + 22, 86)), 3, curve.colour());
            svg.text(x + 28, 90, PLAIN, curve.name());
            x += 52 + curve.name().length() * 7;
        }
        svg.text(24, 112, PLAIN.coloured(FAINT), "Ours: medians of the rounds, bars from the smallest to the largest");
    }

    private void axes() {
        for (double tick : percents.ticks()) {
            double y = percents.pixel(tick);
            svg.line(List.of(new Point(LEFT, y), new Point(RIGHT, y)), 1, GRID);
            svg.text(LEFT - 8, y + 4, SMALL.anchored(Anchor.END), percents.label(tick) + " %");
        }
        for (double tick : rates.ticks()) {
            double x = rates.pixel(tick);
            svg.line(List.of(new Point(x, BOTTOM), new Point(x, BOTTOM + 5)), 1, INK);
            svg.text(x, BOTTOM + 20, SMALL, rates.label(tick));
        }
        svg.line(List.of(new Point(LEFT, TOP), new Point(LEFT, BOTTOM), new Point(RIGHT, BOTTOM)), 1, INK);
        svg.text((LEFT + RIGHT) / 2, BOTTOM + 46, SMALL.coloured(INK), "checkpoints per second, as asked");
        svg.upwards(20, (TOP + BOTTOM) / 2, SMALL.coloured(INK), "longer than unprotected");
    }

    private void curve(Curve curve) {
        svg.line(
                curve.spots().stream()
                        .map(spot -> new Point(rates.pixel(spot.rate()), percents.pixel(spot.percent())))
                        .toList(),
                2,
                curve.colour());
        for (Spot spot : curve.spots()) {
            double x = rates.pixel(spot.rate());
            if (spot.min() < spot.max()) {
                bar(x, percents.pixel(spot.min()), percents.pixel(spot.max()), curve.colour());
            }
            svg.circle(
                    new Point(x, percents.pixel(spot.percent())),
                    4,
                    curve.colour(),
                    String.format(
                            Locale.ROOT,
                            "%s, %.0f a second: %+.1f %% (%+.1f to %+.1f)",
                            curve.name(),
                            spot.rate(),
                            spot.percent(),
                            spot.min(),
                            spot.max()));
        }
    }

    private void bar(double x, double from, double to, String colour) {
        svg.line(List.of(new Point(x, from), new Point(x, to)), 1, colour);
        for (double y : new double[] {from, to}) {
            svg.line(List.of(new Point(x - CAP, y), new Point(x + CAP, y)), 1, colour);
        }
    }
}
