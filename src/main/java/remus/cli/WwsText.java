package remus.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import remus.base.ByteSize;
import remus.bench.BenchReport;
import remus.bench.WwsCase;

/** The bench of writable working sets as people read it, within 80 columns. */
final class WwsText {
    private static final String RATES = "%-11s | %6s %6s %6s %6s | %9s %8s | %8s";
    private static final String WINDOWS = "%-11s | %6s %6s | %8s %8s %8s | %6s %9s";
    private static final int CHART_COLUMNS = 60;
    private static final String BARS = " ▁▂▃▄▅▆▇█";
    private static final int PAGE_BYTES = 4096;

    private WwsText() {}

    static String table(BenchReport<WwsCase> report) {
        WwsCase first = report.runs().getFirst();
        List<String> lines = new ArrayList<>();
        lines.add("Pages of 4 KiB that a guest writes, each counted once in its interval or window");
        lines.add(BenchHeading.of(report));
        lines.add("guest of %s, watched for %.0f s".formatted(new ByteSize(first.memoryBytes()), first.seconds()));
        lines.add("");
        lines.add("Intervals of %d ms".formatted(first.intervalMillis()));
        lines.add(RATES.formatted("workload", "min", "median", "p99", "max", "pages/s", "MiB/s", "in all"));
        for (WwsCase run : report.runs()) {
            lines.add(RATES.formatted(
                    run.workload(),
                    run.pagesPerIntervalMin(),
                    run.pagesPerIntervalP50(),
                    run.pagesPerIntervalP99(),
                    run.pagesPerIntervalMax(),
                    run.pagesPerSecondP50(),
                    decimal(mebibytes(run.pagesPerSecondP50()), 1),
                    run.distinctPages()));
        }
        lines.add("");
        lines.add("Windows: distinct pages, their part of the guest's memory, and what sending");
        lines.add("them in the same time takes");
        lines.add(WINDOWS.formatted("workload", "s", "count", "median", "min", "max", "%", "MiB/s"));
        for (WwsCase run : report.runs()) {
            for (WwsCase.Window window : run.windows()) {
                if (window.count() > 0) {
                    lines.add(WINDOWS.formatted(
                            run.workload(),
                            decimal(window.windowMillis() / 1e3, 1),
                            window.count(),
                            window.pagesP50(),
                            window.pagesMin(),
                            window.pagesMax(),
                            decimal(window.percentOfMemory(), 2),
                            decimal(mebibytes(window.pagesP50()) * 1e3 / window.windowMillisMeasured(), 1)));
                }
            }
        }
        for (WwsCase run : report.runs()) {
            lines.add("");
            lines.add("%s over time, up to %d pages an interval".formatted(run.workload(), run.pagesPerIntervalMax()));
            lines.add("|" + chart(run.pagesOverTime()) + "|");
        }
        return String.join(System.lineSeparator(), lines);
    }

    /** The largest interval of each of so many parts of the time, against the largest of all. */
    static String chart(List<Long> pages) {
        long max = Math.max(1, pages.stream().mapToLong(Long::longValue).max().orElse(0));
        int columns = Math.min(CHART_COLUMNS, pages.size());
        StringBuilder bars = new StringBuilder();
        for (int column = 0; column < columns; column++) {
            int from = column * pages.size() / columns;
            int to = (column + 1) * pages.size() / columns;
            long most = pages.subList(from, to).stream()
                    .mapToLong(Long::longValue)
                    .max()
                    .orElse(0);
            bars.append(BARS.charAt((int) Math.ceilDiv(most * (BARS.length() - 1), max)));
        }
        return bars.toString();
    }

    private static double mebibytes(long pages) {
        return pages * (double) PAGE_BYTES / (1 << 20);
    }

    private static String decimal(double value, int places) {
        return String.format(Locale.ROOT, "%." + places + "f", value);
    }
}
