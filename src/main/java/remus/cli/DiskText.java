package remus.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import remus.base.ByteSize;
import remus.bench.BenchReport;
import remus.bench.DiskCase;

/** The disk bench as people read it, within 80 columns. */
final class DiskText {
    private static final String ROW = "%-12s %-11s | %7s %7s %7s | %6s | %5s %10s";
    private static final String CHECKPOINTS = "%-12s %6s %6s | %7s %7s %7s | %7s %7s %7s";

    private DiskText() {}

    static String table(BenchReport<DiskCase> report) {
        DiskCase first = report.runs().getFirst();
        List<String> lines = new ArrayList<>();
        lines.add("A guest's writes to its disk, in MiB/s of the host's clock");
        lines.add(BenchHeading.of(report));
        lines.add("guest of %s, writes all over a disk of %s; rounds: %d of %.0f s"
                .formatted(
                        new ByteSize(first.memoryBytes()),
                        new ByteSize(first.diskBytes()),
                        first.rounds(),
                        first.secondsPerRound()));
        lines.add("");
        lines.add(ROW.formatted("writes", "case", "median", "min", "max", "IOPS", "ratio", "range"));
        for (DiskCase run : report.runs()) {
            lines.add(ROW.formatted(
                    run.workload(),
                    run.setting(),
                    decimal(run.mebibytesPerSecondP50(), 2),
                    decimal(run.mebibytesPerSecondMin(), 2),
                    decimal(run.mebibytesPerSecondMax(), 2),
                    run.iopsP50(),
                    decimal(run.ratioToPlain(), 2),
                    decimal(run.ratioToPlainMin(), 2) + "-" + decimal(run.ratioToPlainMax(), 2)));
        }
        lines.add("");
        lines.add("Checkpoints of the protected cases: pause and commit, in ms");
        lines.add(CHECKPOINTS.formatted("writes", "count", "pages", "pause", "p99", "max", "commit", "p99", "max"));
        for (DiskCase run : report.runs()) {
            if (run.checkpoints() != null) {
                lines.add(CHECKPOINTS.formatted(
                        run.workload(),
                        run.checkpoints(),
                        run.dirtyPagesP50(),
                        millis(run.pauseMicrosP50()),
                        millis(run.pauseMicrosP99()),
                        millis(run.pauseMicrosMax()),
                        millis(run.commitMicrosP50()),
                        millis(run.commitMicrosP99()),
                        millis(run.commitMicrosMax())));
            }
        }
        return String.join(System.lineSeparator(), lines);
    }

    private static String millis(@Nullable Long micros) {
        return micros == null ? "" : decimal(micros / 1e3, 2);
    }

    private static String decimal(double value, int places) {
        return String.format(Locale.ROOT, "%." + places + "f", value);
    }
}
