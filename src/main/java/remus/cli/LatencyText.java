package remus.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import remus.base.ByteSize;
import remus.bench.BenchReport;
import remus.bench.LatencyCase;

/** The latency bench as people read it, within 80 columns. */
final class LatencyText {
    private static final String WAITS = "%-16s | %7s %7s %7s | %7s %7s %7s | %7s";
    private static final String COSTS = "%-16s | %6s | %7s %7s %7s | %7s %7s %6s";

    private LatencyText() {}

    static String table(BenchReport<LatencyCase> report) {
        LatencyCase first = report.runs().getFirst();
        List<String> lines = new ArrayList<>();
        lines.add("How long one client of Redis waits for an answer, in ms");
        lines.add(BenchHeading.of(report));
        lines.add("guest of %s; rounds: %d; a request every %s ms at most"
                .formatted(new ByteSize(first.memoryBytes()), first.rounds(), millis(first.requestEveryMicros(), 0)));
        lines.add("");
        lines.add(WAITS.formatted("mode", "p50", "min", "max", "p99", "min", "max", "req/s"));
        for (LatencyCase run : report.runs()) {
            lines.add(WAITS.formatted(
                    run.mode(),
                    millis(run.p50Micros(), 2),
                    millis(run.p50MicrosMin(), 2),
                    millis(run.p50MicrosMax(), 2),
                    millis(run.p99Micros(), 2),
                    millis(run.p99MicrosMin(), 2),
                    millis(run.p99MicrosMax(), 2),
                    decimal(run.requestsPerSecond())));
        }
        lines.add("");
        lines.add("The guest's own work meanwhile: seconds, and how much longer in %");
        lines.add(COSTS.formatted("mode", "s", "longer", "min", "max", "chk/s", "commit", "pause"));
        for (LatencyCase run : report.runs()) {
            lines.add(COSTS.formatted(
                    run.mode(),
                    decimal(run.workSeconds()),
                    decimal(run.elapsedOverheadPercent()),
                    decimal(run.elapsedOverheadPercentMin()),
                    decimal(run.elapsedOverheadPercentMax()),
                    decimal(run.checkpointsPerSecond()),
                    run.commitMicros() == null ? "-" : millis(run.commitMicros(), 2),
                    run.pauseMicros() == null ? "-" : millis(run.pauseMicros(), 2)));
        }
        return String.join(System.lineSeparator(), lines);
    }

    private static String millis(long micros, int places) {
        return String.format(Locale.ROOT, "%." + places + "f", micros / 1e3);
    }

    private static String decimal(@Nullable Double value) {
        return value == null ? "-" : String.format(Locale.ROOT, "%.1f", value);
    }
}
