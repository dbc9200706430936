package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remus.bench.BenchReport;
import remus.bench.FailoverCase;
import remus.bench.FailoverSettings;

/** A short run of the real thing. Its times are looked at for sense only: a busy machine makes them anything. */
@Tag("system")
@Timeout(300)
class FailoverBenchSystemTest {
    @Test
    void aShortRunSurvivesBothKillsLosesNothingAndNothingIsLeft() throws Exception {
        List<String> before = BenchLeftovers.list("failover");
        List<String> progress = new ArrayList<>();
        StringWriter err = new StringWriter();
        PrintWriter said = new PrintWriter(err, true);

        BenchReport<FailoverCase> report = FailoverBench.run(
                new FailoverSettings(2, "mixed", Duration.ofMillis(300)),
                new Terminal(said, said, false, false),
                progress::add);

        assertEquals("failover", report.bench());
        FailoverCase run = report.runs().getFirst();
        assertEquals(2, run.kills());
        assertEquals(2, run.activations(), progress.toString());
        assertEquals(0, run.lost(), progress.toString());
        assertEquals(0, run.resets(), progress.toString());
        assertTrue(run.acknowledged() > 0);
        assertTrue(Objects.requireNonNull(run.stallMillisP50()) > 0, run.toString());
        assertEquals(
                List.of("power", "process"),
                run.byKill().stream().map(FailoverCase.ByKill::kill).toList());
        String table = FailoverText.table(report);
        assertTrue(table.lines().skip(2).allMatch(line -> line.length() <= 80), table);
        assertEquals("", err.toString());
        assertEquals(before, BenchLeftovers.list("failover"));
    }
}
