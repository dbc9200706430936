package remus.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import remus.base.ByteSize;
import remus.bench.BenchReport;
import remus.bench.PauseCase;

/** The pause bench as people read it, within 80 columns. */
final class PauseText {
    private static final String ROW = "%6s %6s | %6s %6s %6s | %6s %6s %6s | %5s";
    private static final String PART = "%6s %6s | %6s %6s %6s %6s %6s | %6s %6s %6s";

    private PauseText() {}

    static String table(BenchReport<PauseCase> report) {
        List<String> lines = new ArrayList<>();
        lines.add("Pause of a checkpoint every 25 ms, in ms; floor: bare stop, save and cont");
        lines.add(BenchHeading.of(report));
        report.runs().stream()
                .findFirst()
                .ifPresent(first -> lines.add("guest: %s, %s; device state %s"
                        .formatted(
                                first.machineType(),
                                new ByteSize(first.memoryBytes()),
                                new ByteSize(first.deviceStateBytes()))));
        lines.add("");
        lines.add(ROW.formatted("pages", "found", "pause", "p99", "max", "floor", "p99", "max", "ratio"));
        for (PauseCase run : report.runs()) {
            lines.add(ROW.formatted(
                    run.dirtyPages(),
                    run.dirtyPagesMeasured(),
                    millis(run.pauseMicrosP50()),
                    millis(run.pauseMicrosP99()),
                    millis(run.pauseMicrosMax()),
                    millis(run.floorMicrosP50()),
                    millis(run.floorMicrosP99()),
                    millis(run.floorMicrosMax()),
                    String.format(Locale.ROOT, "%.2f", run.ratio())));
        }
        lines.add("");
        lines.add("Medians of the parts; ahead: find and copy, of it before the pause");
        lines.add(PART.formatted("pages", "of", "stop", "save", "read", "late", "cont", "ahead", "find", "copy"));
        for (PauseCase run : report.runs()) {
            lines.add(PART.formatted(
                    run.dirtyPages(),
                    "pause",
                    millis(run.stopMicrosP50()),
                    millis(run.saveMicrosP50()),
                    millis(run.readMicrosP50()),
                    millis(run.lateMicrosP50()),
                    millis(run.contMicrosP50()),
                    millis(run.aheadMicrosP50()),
                    millis(run.findMicrosP50()),
                    millis(run.copyMicrosP50())));
            lines.add(PART.formatted(
                            "",
                            "floor",
                            millis(run.floorStopMicrosP50()),
                            millis(run.floorSaveMicrosP50()),
                            "",
                            "",
                            millis(run.floorContMicrosP50()),
                            "",
                            "",
                            "")
                    .stripTrailing());
        }
        return String.join(System.lineSeparator(), lines);
    }

    private static String millis(long micros) {
        return String.format(Locale.ROOT, "%.2f", micros / 1e3);
    }
}
