package remus.cli;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.bench.BenchReport;
import remus.bench.FailoverCase;

/** The failover bench as people read it, within 80 columns. */
final class FailoverText {
    private static final String PART = "%-13s | %7s %7s %7s %7s";
    private static final String KILL = "%-8s | %5s %6s | %6s %6s %6s | %9s %10s %6s";

    private FailoverText() {}

    static String table(BenchReport<FailoverCase> report) {
        FailoverCase run = report.runs().getFirst();
        List<String> lines = new ArrayList<>();
        lines.add("A client's stall when the host under its VM dies, in ms");
        lines.add(BenchHeading.of(report));
        lines.add("kills: %d (%s), survived: %d; detection time %d ms"
                .formatted(run.kills(), run.kill(), run.activations(), run.detectMillis()));
        lines.add("writes acknowledged: %d, lost: %d; connections broken: %d"
                .formatted(run.acknowledged(), run.lost(), run.resets()));
        lines.add("");
        lines.add(PART.formatted("", "p50", "p99", "min", "max"));
        lines.add(PART.formatted(
                "stall",
                told(run.stallMillisP50()),
                told(run.stallMillisP99()),
                told(run.stallMillisMin()),
                told(run.stallMillisMax())));
        lines.add(PART.formatted(
                "detection",
                told(run.detectionMillisP50()),
                told(run.detectionMillisP99()),
                told(run.detectionMillisMin()),
                told(run.detectionMillisMax())));
        lines.add(PART.formatted(
                "activation",
                told(run.activationMillisP50()),
                told(run.activationMillisP99()),
                told(run.activationMillisMin()),
                told(run.activationMillisMax())));
        lines.add(PART.formatted(
                "first answer",
                told(run.firstAnswerMillisP50()),
                told(run.firstAnswerMillisP99()),
                told(run.firstAnswerMillisMin()),
                told(run.firstAnswerMillisMax())));
        if (!run.byKill().isEmpty()) {
            lines.add("");
            lines.add(KILL.formatted(
                    "kill", "kills", "alive", "stall", "p99", "max", "detection", "activation", "answer"));
        }
        for (FailoverCase.ByKill kill : run.byKill()) {
            lines.add(KILL.formatted(
                    kill.kill(),
                    kill.kills(),
                    kill.activations(),
                    told(kill.stallMillisP50()),
                    told(kill.stallMillisP99()),
                    told(kill.stallMillisMax()),
                    told(kill.detectionMillisP50()),
                    told(kill.activationMillisP50()),
                    told(kill.firstAnswerMillisP50())));
        }
        return String.join(System.lineSeparator(), lines);
    }

    private static String told(@Nullable Long millis) {
        return millis == null ? "-" : millis.toString();
    }
}
