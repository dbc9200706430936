package remus.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import remus.base.ByteSize;
import remus.bench.BenchReport;
import remus.bench.ThroughputCase;

/** The throughput bench as people read it, within 80 columns. */
final class ThroughputText {
    private static final String RATES = "%-17s %-11s | %7s %7s %7s %-6s | %4s %9s";
    private static final String COSTS = "%-17s %-11s | %5s %6s | %4s %6s | %5s %5s %5s";

    private ThroughputText() {}

    static String table(BenchReport<ThroughputCase> report) {
        ThroughputCase first = report.runs().getFirst();
        List<String> lines = new ArrayList<>();
        lines.add("What clients get out of a guest, unprotected and protected");
        lines.add(BenchHeading.of(report));
        lines.add("guest of %s; rounds: %d of %.0f s; part: of the unprotected rate"
                .formatted(new ByteSize(first.memoryBytes()), first.rounds(), first.secondsPerRound()));
        lines.add("");
        lines.add(RATES.formatted("workload", "case", "median", "min", "max", "", "part", "range"));
        for (ThroughputCase run : report.runs()) {
            boolean megabits = run.megabitsPerSecond() != null;
            lines.add(RATES.formatted(
                    run.workload(),
                    run.setting(),
                    decimal(megabits ? run.megabitsPerSecond() : run.requestsPerSecond(), 0),
                    decimal(megabits ? run.megabitsPerSecondMin() : run.requestsPerSecondMin(), 0),
                    decimal(megabits ? run.megabitsPerSecondMax() : run.requestsPerSecondMax(), 0),
                    megabits ? "Mbit/s" : "req/s",
                    decimal(run.ratioToUnprotected(), 2),
                    decimal(run.ratioToUnprotectedMin(), 2) + "-" + decimal(run.ratioToUnprotectedMax(), 2)));
        }
        lines.add("");
        lines.add("The daemons: % of one processor, MiB resident; bytes sent for each dirty page");
        lines.add(COSTS.formatted("workload", "case", "cpu", "backup", "MiB", "backup", "chk/s", "pages", "B/page"));
        for (ThroughputCase run : report.runs()) {
            lines.add(COSTS.formatted(
                    run.workload(),
                    run.setting(),
                    decimal(run.primaryCpuPercent(), 1),
                    decimal(run.backupCpuPercent(), 1),
                    run.primaryRssBytes() >> 20,
                    run.backupRssBytes() >> 20,
                    decimal(run.checkpointsPerSecond(), 1),
                    run.dirtyPages() == null ? "-" : run.dirtyPages(),
                    decimal(run.bytesPerDirtyPage(), 0)));
        }
        return String.join(System.lineSeparator(), lines);
    }

    private static String decimal(@Nullable Double value, int places) {
        return value == null ? "-" : String.format(Locale.ROOT, "%." + places + "f", value);
    }
}
