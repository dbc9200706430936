package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
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
import remus.bench.GuestLoad;
import remus.bench.MigrationCase;
import remus.bench.MigrationSettings;
import remus.bench.MigrationSystem;
import remus.qemu.Accelerator;

/** A short run of the real thing. What it measures is looked at for sense only: a busy machine makes it anything. */
@Tag("system")
@Timeout(300)
class MigrationBenchSystemTest {
    private static final GuestLoad LOAD = new GuestLoad(500);

    private static BenchReport<MigrationCase> run(List<String> progress) throws Exception {
        return MigrationBench.run(
                new MigrationSettings(
                        1,
                        ByteSize.ofMebibytes(256),
                        Accelerator.TCG,
                        List.of(MigrationSystem.QEMU, MigrationSystem.REMUS),
                        List.of(LOAD),
                        List.of(Duration.ofMillis(300)),
                        Duration.ofSeconds(60)),
                progress::add);
    }

    /** It may not end on a busy machine, and whether it loses pages is QEMU's affair: both are told. */
    private static void expectTold(MigrationCase qemu) {
        assertEquals("qemu", qemu.system());
        assertEquals(LOAD.toString(), qemu.workload());
        if (qemu.completed() == 1) {
            assertTrue(Objects.requireNonNull(qemu.totalMillis()) > 0, qemu.toString());
            assertNotNull(qemu.lostPages());
            assertNotNull(qemu.targetRan());
            assertEquals(1, qemu.compared());
        } else {
            assertEquals(1, qemu.problems().size(), qemu.toString());
        }
    }

    private static void expectNothingLost(MigrationCase ours) {
        assertEquals("remus", ours.system());
        assertEquals(1, ours.completed(), ours.toString());
        assertEquals(0L, ours.lostPages(), ours.toString());
        assertEquals(1, ours.compared());
        assertEquals(2, ours.targetsRan(), ours.toString());
        assertTrue(Objects.requireNonNull(ours.targetRan()), ours.toString());
        assertEquals(List.of(), ours.problems());
        assertTrue(Objects.requireNonNull(ours.totalMillis()) > 0, ours.toString());
        assertTrue(Objects.requireNonNull(ours.clientStallMillis()) > 0, ours.toString());
    }

    @Test
    void aShortRunMeasuresBothOursLosesNothingAndNothingIsLeft() throws Exception {
        List<String> before = BenchLeftovers.list("migration");
        List<String> progress = new ArrayList<>();

        BenchReport<MigrationCase> report = run(progress);

        assertEquals("migration", report.bench());
        assertEquals(2, report.runs().size());
        expectTold(report.runs().getFirst());
        expectNothingLost(report.runs().getLast());
        String table = BenchMigrationText.table(report);
        assertTrue(table.lines().skip(2).limit(20).allMatch(line -> line.length() <= 80), table);
        assertTrue(progress.contains("round 1 of 1, dirty-500, qemu, 300 ms"), progress.toString());
        assertEquals(before, BenchLeftovers.list("migration"));
    }
}
