package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remus.base.ByteSize;
import remus.bench.BenchReport;
import remus.bench.Epochs;
import remus.bench.ThroughputCase;
import remus.bench.ThroughputSettings;
import remus.bench.ThroughputWorkload;
import remus.qemu.Accelerator;

/** A short run of the real thing. What it measures is looked at for sense only: a busy machine makes it anything. */
@Tag("system")
@Tag("long")
@Timeout(600)
class ThroughputBenchSystemTest {
    /** Twice the time over which a host counts what it sends. */
    private static final int SECONDS = 4;

    @Test
    void aShortRunMeasuresAllWorkloadsWithAndWithoutProtectionAndNothingIsLeft() throws Exception {
        List<String> before = BenchLeftovers.list("throughput");
        List<String> progress = new ArrayList<>();

        BenchReport<ThroughputCase> report = ThroughputBench.run(
                new ThroughputSettings(
                        1,
                        Duration.ofSeconds(SECONDS),
                        new Epochs(Duration.ofMillis(25), 20),
                        List.of(ThroughputWorkload.values()),
                        ByteSize.ofMebibytes(256),
                        Accelerator.TCG),
                progress::add);

        assertEquals("throughput", report.bench());
        assertEquals(6, report.runs().size());
        for (ThroughputCase run : report.runs()) {
            Double rate = run.workload().startsWith("iperf3") ? run.megabitsPerSecond() : run.requestsPerSecond();
            assertTrue(Objects.requireNonNull(rate) > 0, run.toString());
            assertTrue(run.primaryRssBytes() > 0 && run.primaryCpuPercent() > 0, run.toString());
            if (run.setting().equals("protected")) {
                assertTrue(Objects.requireNonNull(run.checkpointsPerSecond()) > 0, run.toString());
                assertTrue(Objects.requireNonNull(run.sentBytesPerSecond()) > 0, run.toString());
            }
        }
        String table = ThroughputText.table(report);
        assertTrue(table.lines().filter(line -> !line.contains("Linux")).allMatch(line -> line.length() <= 80), table);
        assertTrue(progress.contains("round 1 of 1, protected, redis-50"), progress.toString());
        assertEquals(before, BenchLeftovers.list("throughput"));
    }
}
