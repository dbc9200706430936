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
import remus.bench.OverheadCase;
import remus.bench.OverheadSettings;
import remus.bench.OverheadWorkload;
import remus.qemu.Accelerator;

/** A short run of the real thing. What it measures is looked at for sense only: a busy machine makes it anything. */
@Tag("system")
@Tag("long")
@Timeout(600)
class OverheadBenchSystemTest {
    @Test
    void aShortRunMeasuresAllWorkloadsAndNothingIsLeft() throws Exception {
        List<String> before = BenchLeftovers.list("overhead");
        List<String> progress = new ArrayList<>();

        BenchReport<OverheadCase> report = OverheadBench.run(
                new OverheadSettings(
                        1,
                        Duration.ofSeconds(1),
                        List.of(OverheadWorkload.IDLE, OverheadWorkload.spin(500), OverheadWorkload.BUILD),
                        List.of(40),
                        ByteSize.ofMebibytes(256),
                        Accelerator.TCG),
                progress::add);

        assertEquals("overhead", report.bench());
        assertEquals(
                List.of("idle", "spin-500", "build"),
                report.runs().stream().map(OverheadCase::workload).toList());
        for (OverheadCase run : report.runs()) {
            assertEquals(40, run.checkpointsPerSecond());
            assertTrue(run.unprotectedSeconds() > 0 && run.protectedSeconds() > 0, run.toString());
            assertTrue(Objects.requireNonNull(run.checkpointsPerSecondMeasured()) > 0, run.toString());
            assertTrue(Objects.requireNonNull(run.pauseMicrosP50()) > 0, run.toString());
        }
        assertTrue(
                Objects.requireNonNull(report.runs().get(1).dirtyPagesP50()) >= 400,
                "the guest writes while it computes: " + report.runs().get(1));
        assertTrue(progress.contains("build, round 1 of 1, unprotected: 1 units of work"), progress.toString());
        assertEquals(before, BenchLeftovers.list("overhead"));
    }
}
