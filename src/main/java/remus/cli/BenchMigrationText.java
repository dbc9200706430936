package remus.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import remus.base.ByteSize;
import remus.bench.BenchReport;
import remus.bench.MigrationCase;

/** The migration bench as people read it, within 80 columns. */
final class BenchMigrationText {
    private static final String TIMES = "%-11s %5s %-6s | %6s %6s %6s | %6s %6s %6s | %5s";
    private static final String SEEN = "%-11s %5s %-6s | %7s %7s %7s | %7s %7s %7s";
    private static final String PROOF = "%-11s %5s %-6s | %7s %6s | %8s %6s %7s | %6s";

    private BenchMigrationText() {}

    static String table(BenchReport<MigrationCase> report) {
        List<MigrationCase> runs = report.runs();
        MigrationCase first = runs.getFirst();
        List<String> lines = new ArrayList<>();
        lines.add("A guest moves to another QEMU, in ms; limit: the downtime that was asked for");
        lines.add(BenchHeading.of(report));
        lines.add("guest of %s; rounds: %d".formatted(new ByteSize(first.memoryBytes()), first.rounds()));
        addTimes(lines, runs);
        addSeen(lines, runs);
        addProof(lines, runs);
        List<String> ratios = ratios(runs);
        if (!ratios.isEmpty()) {
            lines.add("");
            lines.add("remus by qemu, of the medians: total, downtime, standstill");
            lines.addAll(ratios);
        }
        for (MigrationCase run : runs) {
            for (String problem : run.problems()) {
                lines.add("");
                lines.add("%s, %d ms, %s: %s"
                        .formatted(run.workload(), run.downtimeLimitMillis(), run.system(), problem));
            }
        }
        return String.join(System.lineSeparator(), lines);
    }

    private static void addTimes(List<String> lines, List<MigrationCase> runs) {
        lines.add("");
        lines.add("Total time and downtime, as each system tells them itself");
        lines.add(TIMES.formatted("workload", "limit", "system", "total", "min", "max", "down", "min", "max", "ended"));
        for (MigrationCase run : runs) {
            lines.add(TIMES.formatted(
                    run.workload(),
                    run.downtimeLimitMillis(),
                    run.system(),
                    decimal(run.totalMillis(), 0),
                    decimal(run.totalMillisMin(), 0),
                    decimal(run.totalMillisMax(), 0),
                    decimal(run.downtimeMillis(), 1),
                    decimal(run.downtimeMillisMin(), 1),
                    decimal(run.downtimeMillisMax(), 1),
                    run.completed() + "/" + run.rounds()));
        }
    }

    private static void addSeen(List<String> lines, List<MigrationCase> runs) {
        lines.add("");
        lines.add("From the guest's stop until the destination has all; a client's longest wait");
        lines.add(SEEN.formatted("workload", "limit", "system", "stands", "min", "max", "client", "min", "max"));
        for (MigrationCase run : runs) {
            lines.add(SEEN.formatted(
                            run.workload(),
                            run.downtimeLimitMillis(),
                            run.system(),
                            decimal(run.standstillMillis(), 1),
                            decimal(run.standstillMillisMin(), 1),
                            decimal(run.standstillMillisMax(), 1),
                            decimal(run.clientStallMillis(), 1),
                            decimal(run.clientStallMillisMin(), 1),
                            decimal(run.clientStallMillisMax(), 1))
                    .stripTrailing());
        }
    }

    private static void addProof(List<String> lines, List<MigrationCase> runs) {
        lines.add("");
        lines.add("What was sent, and what of it was right: pages lost, guests that run on");
        lines.add(PROOF.formatted(
                "workload", "limit", "system", "MiB", "rounds", "compared", "lossy", "pages", "ran on"));
        for (MigrationCase run : runs) {
            Long lost = run.lostPages();
            lines.add(PROOF.formatted(
                    run.workload(),
                    run.downtimeLimitMillis(),
                    run.system(),
                    decimal(run.mebibytesSent(), 1),
                    decimal(run.preCopyRounds(), 0),
                    run.compared(),
                    run.lossyMigrations(),
                    lost == null ? "-" : lost.toString(),
                    run.targetsRan() + "/" + run.targets()));
        }
    }

    private static List<String> ratios(List<MigrationCase> runs) {
        return runs.stream()
                .filter(run -> run.totalRatioToQemu() != null)
                .map(run -> "%-11s %5s | %6s %6s %6s"
                        .formatted(
                                run.workload(),
                                run.downtimeLimitMillis(),
                                decimal(run.totalRatioToQemu(), 2),
                                decimal(run.downtimeRatioToQemu(), 2),
                                decimal(run.standstillRatioToQemu(), 2)))
                .toList();
    }

    private static String decimal(@Nullable Double value, int places) {
        return value == null ? "-" : String.format(Locale.ROOT, "%." + places + "f", value);
    }
}
