package remus.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import remus.api.MigrationRound;
import remus.api.MigrationStatus;
import remus.base.ByteSize;
import remus.cli.Svg.Anchor;
import remus.cli.Svg.Font;
import remus.cli.Svg.Point;
import remus.cli.SvgAxis.Scale;

/**
 * Draws a migration: over the time since the destination was ready, each round's pages sent and pages written by the guest
 * meanwhile as bars, the stop-and-copy phase and the downtime, and below them the writable working set: pages that the guest
 * writes per second (Clark et al. 2005, §4). Where the end, for which all of it is done, takes but a small part of the time
 * it is drawn a second time, magnified.
 */
final class MigrationPlot {
    private static final int WIDTH = 960;
    private static final int HEIGHT = 664;
    private static final double LEFT = 92;
    private static final double RIGHT = 930;

    /** Where the whole ends and the magnified end begins, if there is one. */
    private static final double WHOLE_RIGHT = 520;

    private static final double DETAIL_LEFT = 560;

    private static final double BARS_TOP = 210;
    private static final double BARS_BOTTOM = 430;
    private static final double LINE_TOP = 470;
    private static final double LINE_BOTTOM = 600;

    /** Narrower, and a bar could not be seen. */
    private static final double LEAST_BAR = 1;

    /** So many times the downtime are the end. */
    private static final long END_DOWNTIMES = 25;

    /** An end that has this part of the time, or more, needs no magnifying. */
    private static final double LARGE_END = 1 / 3.0;

    private static final String SENT = "#0072b2";
    private static final String WRITTEN = "#e69f00";
    private static final String STOPPED = "#009e73";
    private static final String STILL = "#fbe0d3";
    private static final String DOWNTIME = "#b83a00";
    private static final String RATE = "#8a4f00";
    private static final String GRID = "#e2e2e2";
    private static final String ODD_ROUND = "#f5f7f9";
    private static final String GROUND = "#ffffff";
    private static final String INK = "#222222";
    private static final String FAINT = "#555555";

    private static final Font PLAIN = new Font(12, INK, false, Anchor.START);
    private static final Font SMALL = new Font(11, FAINT, false, Anchor.MIDDLE);

    private final MigrationStatus status;
    private final Svg svg;
    private final double microsPerUnit;
    private final String unit;
    private final long endMicros;
    private final long downtimeMicros;
    private final SvgAxis pages;
    private final SvgAxis pagesPerSecond;

    /**
     * A round and when it was.
     *
     * @param beginMicros since the destination was ready
     */
    private record Span(MigrationRound round, long beginMicros) {
        long endMicros() {
            return beginMicros + round.micros();
        }

        double writtenPerSecond() {
            return round.micros() == 0 ? 0 : round.dirtiedPages() / (round.micros() / 1e6);
        }
    }

    private final List<Span> spans = new ArrayList<>();

    private MigrationPlot(MigrationStatus status) {
        this.status = status;
        this.svg = new Svg(WIDTH, HEIGHT, MigrationText.title(status), outcome(status));
        long begin = 0;
        for (MigrationRound round : status.rounds()) {
            spans.add(new Span(round, begin));
            begin += round.micros();
        }
        Long downtime = status.downtimeMicros();
        this.downtimeMicros = downtime == null ? 0 : downtime;
        this.endMicros = Math.max(Math.max(begin, status.totalMicros()), 1);
        boolean seconds = endMicros >= 2_000_000;
        this.microsPerUnit = seconds ? 1e6 : 1e3;
        this.unit = seconds ? "s" : "ms";
        long mostPages = Math.max(
                status.stopAndCopyPages(),
                status.rounds().stream()
                        .mapToLong(round -> Math.max(round.pagesSent(), round.dirtiedPages()))
                        .max()
                        .orElse(0));
        this.pages = SvgAxis.upTo(Scale.LOGARITHMIC, (double) mostPages, BARS_BOTTOM, BARS_TOP);
        double mostPerSecond =
                spans.stream().mapToDouble(Span::writtenPerSecond).max().orElse(0);
        this.pagesPerSecond = SvgAxis.upTo(Scale.LINEAR, mostPerSecond, LINE_BOTTOM, LINE_TOP);
    }

    /** The whole document. */
    static String of(MigrationStatus status) {
        MigrationPlot plot = new MigrationPlot(status);
        plot.heading();
        plot.legend();
        plot.panels();
        return plot.svg.document();
    }

    private static String outcome(MigrationStatus status) {
        String total = MigrationText.time(status.totalMicros());
        String end = switch (status.stage()) {
            case DONE -> "done in " + total;
            case FAILED -> "failed after %s: %s".formatted(total, MigrationText.reason(status));
            case CONNECTING, COPYING_DISKS, PUSHING, SETTLING, STOP_AND_COPY, HANDING_OVER -> "under way for " + total;
        };
        int rounds = status.rounds().size();
        return "%s of memory, %s sent, %s; %s"
                .formatted(
                        new ByteSize(status.memoryBytes()),
                        new ByteSize(status.bytesSent()),
                        rounds == 0 ? "no round" : rounds == 1 ? "1 round" : rounds + " rounds",
                        end);
    }

    private void heading() {
        svg.text(24, 36, new Font(19, INK, true, Anchor.START), shortened(MigrationText.title(status), 80));
        svg.text(24, 60, PLAIN, shortened(outcome(status), 130));
        String ended = status.stopCondition();
        if (ended != null) {
            svg.text(24, 80, PLAIN, shortened("What ended the rounds: " + ended, 130));
        }
    }

    private static String shortened(String text, int characters) {
        return text.length() <= characters ? text : text.substring(0, characters - 1) + "…";
    }

    private void legend() {
        double x = entry(24, 106, SENT, "pages sent in the round");
        x = entry(x, 106, WRITTEN, "pages the guest wrote meanwhile");
        entry(x, 106, STOPPED, "pages sent in stop-and-copy");
        x = entry(24, 128, STILL, "the guest stands still (downtime)");
        svg.line(List.of(new Point(x, 124), new Point(x + 22, 124)), 2, RATE);
        svg.circle(new Point(x + 11, 124), 3, RATE, "");
        svg.text(x + 28, 128, PLAIN, "writable working set: pages the guest writes per second, in each round");
    }

    private double entry(double x, double y, String colour, String text) {
        svg.rectangle(x, y - 10, 14, 12, colour, "");
        svg.text(x + 20, y, PLAIN, text);
        return x + 34 + text.length() * 7;
    }

    private void panels() {
        long first = Math.min(0, endMicros - downtimeMicros);
        long detail = beginOfEnd();
        boolean magnified = downtimeMicros > 0 && endMicros - detail < LARGE_END * (endMicros - first);
        Panel whole = new Panel(time(first, LEFT, magnified ? WHOLE_RIGHT : RIGHT));
        whole.draw(magnified ? "the whole migration" : "", !magnified);
        whole.axisLabels();
        if (magnified) {
            Panel end = new Panel(time(detail, DETAIL_LEFT, RIGHT));
            end.draw("its end, magnified", true);
        }
        svg.text(
                (LEFT + RIGHT) / 2,
                LINE_BOTTOM + 46,
                SMALL.coloured(INK),
                "time since the destination was ready, in " + unit);
    }

    /** From then to a little after the end, so that the end can be seen. */
    private SvgAxis time(long fromMicros, double left, double right) {
        double toMicros = endMicros + (endMicros - fromMicros) * 0.02;
        return new SvgAxis(Scale.LINEAR, fromMicros / microsPerUnit, toMicros / microsPerUnit, left, right);
    }

    /** The last rounds and what followed them. */
    private long beginOfEnd() {
        return spans.stream()
                .skip(1)
                .mapToLong(Span::beginMicros)
                .filter(begin -> begin >= endMicros - END_DOWNTIMES * downtimeMicros)
                .findFirst()
                .orElse(endMicros - 3 * downtimeMicros);
    }

    private static String tooltip(MigrationRound round) {
        return "round %d: %d pages to copy, %d sent, %d zero, %d skipped, %d written meanwhile, %s%s"
                .formatted(
                        round.round(),
                        round.pages(),
                        round.pagesSent(),
                        round.zeroPages(),
                        round.skippedPages(),
                        round.dirtiedPages(),
                        MigrationText.time(round.micros()),
                        round.heldPercent() == 0 ? "" : ", guest held %d %%".formatted(round.heldPercent()));
    }

    /** A stretch of the time, with the bars above and the working set below. */
    private final class Panel {
        private final SvgAxis time;
        private final double left;
        private final double right;
        private final List<Span> within;

        Panel(SvgAxis time) {
            this.time = time;
            this.left = time.fromPixel();
            this.right = time.toPixel();
            this.within = spans.stream()
                    .filter(span -> span.beginMicros() >= Math.floor(time.from() * microsPerUnit))
                    .toList();
        }

        private double x(long micros) {
            return time.pixel(micros / microsPerUnit);
        }

        void draw(String title, boolean withDowntimeText) {
            svg.text(left, BARS_TOP - 52, PLAIN, title);
            within.forEach(this::roundGround);
            if (downtimeMicros > 0) {
                downtime(withDowntimeText);
            }
            grid(pages);
            grid(pagesPerSecond);
            within.forEach(this::roundBars);
            if (downtimeMicros > 0) {
                stopAndCopyBar();
            }
            workingSet();
            frame();
        }

        private void roundGround(Span span) {
            double from = x(span.beginMicros());
            double to = x(span.endMicros());
            if (span.round().round() % 2 == 1) {
                svg.rectangle(from, BARS_TOP, to - from, LINE_BOTTOM - BARS_TOP, ODD_ROUND, "");
            }
            String name = (span.equals(within.getFirst()) ? "round " : "")
                    + span.round().round();
            String number = Integer.toString(span.round().round());
            if (to - from > 7 * name.length()) {
                svg.text((from + to) / 2, BARS_TOP - 6, SMALL, name);
            } else if (to - from > 7 * number.length() + 2) {
                svg.text((from + to) / 2, BARS_TOP - 6, SMALL, number);
            }
        }

        private void downtime(boolean withText) {
            double from = x(endMicros - downtimeMicros);
            double to = Math.max(x(endMicros), from + LEAST_BAR);
            String text = "downtime " + MigrationText.time(downtimeMicros);
            svg.rectangle(from, BARS_TOP, to - from, LINE_BOTTOM - BARS_TOP, STILL, text);
            if (withText) {
                double y = BARS_TOP - 26;
                svg.line(List.of(new Point(from, y), new Point(to, y)), 2, DOWNTIME);
                svg.line(List.of(new Point(from, y - 5), new Point(from, y + 5)), 2, DOWNTIME);
                svg.line(List.of(new Point(to, y - 5), new Point(to, y + 5)), 2, DOWNTIME);
                svg.text(to, y - 10, new Font(12, DOWNTIME, true, Anchor.END), "stop-and-copy, " + text);
            }
        }

        private void grid(SvgAxis axis) {
            for (double tick : axis.ticks()) {
                double y = axis.pixel(tick);
                svg.line(List.of(new Point(left, y), new Point(right, y)), 1, GRID);
            }
        }

        /** Sent over all of the round's time, and written in front of its right half. */
        private void roundBars(Span span) {
            MigrationRound round = span.round();
            double from = x(span.beginMicros());
            double width = Math.max(x(span.endMicros()) - from - 1, LEAST_BAR);
            bar(from, width, round.pagesSent(), SENT, tooltip(round));
            bar(from + width * 0.55, width * 0.45, round.dirtiedPages(), WRITTEN, tooltip(round));
            String onBar = round.dirtiedPages() < round.pagesSent() ? GROUND : INK;
            count(from + width * 0.275, width * 0.55, round.pagesSent(), INK);
            count(from + width * 0.775, width * 0.45, round.dirtiedPages(), onBar);
        }

        private void stopAndCopyBar() {
            double from = x(endMicros - MigrationText.stopAndCopyMicros(status));
            double width = Math.max((x(endMicros) - from) / 2, LEAST_BAR);
            long sent = status.stopAndCopyPages();
            bar(from + width / 2, width, sent, STOPPED, "stop-and-copy: %d pages".formatted(sent));
            count(from + width, width * 2, sent, INK);
        }

        private void bar(double x, double width, long count, String colour, String tooltip) {
            if (count > 0) {
                double top = top(count);
                svg.rectangle(x, top, width, BARS_BOTTOM - top, colour, tooltip);
            }
        }

        /** A single page, the bottom of the scale, is to be seen as well. */
        private double top(long count) {
            return Math.min(pages.pixel((double) count), BARS_BOTTOM - 2);
        }

        private void count(double middle, double room, long count, String colour) {
            String text = String.format(Locale.ROOT, "%,d", count);
            if (count > 0 && room > 7 * text.length()) {
                svg.text(middle, top(count) - 4, SMALL.coloured(colour), text);
            }
        }

        private void workingSet() {
            List<Point> steps = new ArrayList<>();
            for (Span span : within) {
                double y = pagesPerSecond.pixel(span.writtenPerSecond());
                steps.add(new Point(x(span.beginMicros()), y));
                steps.add(new Point(x(span.endMicros()), y));
            }
            if (steps.isEmpty()) {
                String text = "no round: what the guest writes was not measured";
                svg.text((left + right) / 2, LINE_TOP + 20, SMALL, text);
                return;
            }
            svg.line(steps, 2, RATE);
            for (Span span : within) {
                svg.circle(
                        new Point(
                                (x(span.beginMicros()) + x(span.endMicros())) / 2,
                                pagesPerSecond.pixel(span.writtenPerSecond())),
                        3,
                        RATE,
                        String.format(
                                Locale.ROOT,
                                "round %d: %,.0f pages/s",
                                span.round().round(),
                                span.writtenPerSecond()));
            }
        }

        private void frame() {
            for (SvgAxis axis : List.of(pages, pagesPerSecond)) {
                double bottom = axis.fromPixel();
                svg.line(
                        List.of(new Point(left, axis.toPixel()), new Point(left, bottom), new Point(right, bottom)),
                        1,
                        INK);
                for (double tick : time.ticks()) {
                    svg.line(
                            List.of(new Point(time.pixel(tick), bottom), new Point(time.pixel(tick), bottom + 5)),
                            1,
                            INK);
                }
            }
            for (double tick : time.ticks()) {
                svg.text(time.pixel(tick), LINE_BOTTOM + 20, SMALL, time.label(tick));
            }
        }

        /** What the heights mean, once for all panels. */
        void axisLabels() {
            label(pages, "pages of 4 KiB (log scale)");
            label(pagesPerSecond, "pages written per s");
        }

        private void label(SvgAxis axis, String text) {
            for (double tick : axis.ticks()) {
                svg.text(left - 8, axis.pixel(tick) + 4, SMALL.anchored(Anchor.END), axis.label(tick));
            }
            svg.upwards(20, (axis.fromPixel() + axis.toPixel()) / 2, SMALL.coloured(INK), text);
        }
    }
}
