package remus.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import remus.base.ByteSize;
import remus.bench.BenchReport;
import remus.bench.OverheadCase;

/** The overhead bench as people read it, within 80 columns. */
final class OverheadText {
    private static final String ROW = "%-10s %4s | %6s %6s | %6s %6s %6s | %5s %5s %5s %4s";

    private OverheadText() {}

    static String table(BenchReport<OverheadCase> report) {
        OverheadCase first = report.runs().getFirst();
        List<String> lines = new ArrayList<>();
        lines.add("How much longer a guest's work takes under protection, by the host's clock");
        lines.add(BenchHeading.of(report));
        lines.add("guest of %s; rounds: %d".formatted(new ByteSize(first.memoryBytes()), first.rounds()));
        lines.add("");
        lines.add("s: the work unprotected and protected; longer, in %; pause in ms");
        lines.add(
                ROW.formatted("workload", "rate", "s", "s", "longer", "min", "max", "chk/s", "pause", "pages", "lag%"));
        for (OverheadCase run : report.runs()) {
            lines.add(ROW.formatted(
                    run.workload(),
                    run.checkpointsPerSecond(),
                    decimal(run.unprotectedSeconds(), 2),
                    decimal(run.protectedSeconds(), 2),
                    decimal(run.elapsedOverheadPercent(), 1),
                    decimal(run.elapsedOverheadPercentMin(), 1),
                    decimal(run.elapsedOverheadPercentMax(), 1),
                    decimal(run.checkpointsPerSecondMeasured(), 1),
                    run.pauseMicrosP50() == null ? "-" : decimal(run.pauseMicrosP50() / 1e3, 2),
                    run.dirtyPagesP50() == null ? "-" : run.dirtyPagesP50(),
                    decimal(run.guestClockLagPercent(), 1)));
        }
        return String.join(System.lineSeparator(), lines);
    }

    private static String decimal(@Nullable Double value, int places) {
        return value == null ? "-" : String.format(Locale.ROOT, "%." + places + "f", value);
    }
}
