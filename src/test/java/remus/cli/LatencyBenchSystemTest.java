package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remus.base.ByteSize;
import remus.bench.BenchReport;
import remus.bench.LatencyCase;
import remus.bench.LatencyMode;
import remus.bench.LatencySettings;
import remus.qemu.Accelerator;

/** A short run of the real thing. What it measures is looked at for sense only: a busy machine makes it anything. */
@Tag("system")
@Timeout(300)
class LatencyBenchSystemTest {
    @Test
    void aShortRunMeasuresAllModesAndNothingIsLeft() throws Exception {
        List<String> before = BenchLeftovers.list("latency");
        List<String> progress = new ArrayList<>();

        BenchReport<LatencyCase> report = LatencyBench.run(
                new LatencySettings(
                        1,
                        Duration.ofSeconds(1),
                        Duration.ofMillis(10),
                        List.of(LatencyMode.values()),
                        20,
                        ByteSize.ofMebibytes(256),
                        Accelerator.TCG),
                progress::add);

        assertEquals("latency", report.bench());
        assertEquals(
                Stream.of(LatencyMode.values()).map(LatencyMode::key).toList(),
                report.runs().stream().map(LatencyCase::mode).toList());
        for (LatencyCase run : report.runs()) {
            assertTrue(run.requests() > 0 && run.p50Micros() > 0 && run.p99Micros() >= run.p50Micros(), run.toString());
            assertNotNull(run.elapsedOverheadPercent());
            if (!run.mode().equals("unprotected")) {
                assertTrue(Objects.requireNonNull(run.checkpointsPerSecond()) > 0, run.toString());
                assertTrue(Objects.requireNonNull(run.commitMicros()) > 0, run.toString());
            }
        }
        String table = LatencyText.table(report);
        assertTrue(table.lines().skip(2).allMatch(line -> line.length() <= 90), table);
        assertTrue(progress.stream().anyMatch(line -> line.startsWith("round 1 of 1, fixed-25ms: ")), "" + progress);
        assertEquals(before, BenchLeftovers.list("latency"));
    }
}
