package remus.cli;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import remus.base.ByteSize;
import remus.bench.BenchMachine;
import remus.bench.BenchReport;
import remus.bench.GuestLoad;
import remus.bench.MigrationSettings;
import remus.bench.MigrationSystem;
import remus.bench.MigrationTally;
import remus.bench.MigrationTrial;
import remus.qemu.Accelerator;

class BenchMigrationTextTest {
    private static final GuestLoad LOAD = new GuestLoad(2_000);
    private static final Duration SHORT = Duration.ofMillis(30);
    private static final Duration LONG = Duration.ofMillis(300);

    private static String table(List<MigrationSystem> systems) {
        MigrationTally tally = new MigrationTally(new MigrationSettings(
                1,
                ByteSize.ofMebibytes(256),
                Accelerator.TCG,
                systems,
                List.of(LOAD),
                List.of(SHORT, LONG),
                Duration.ofSeconds(60)));
        for (MigrationSystem system : systems) {
            boolean ours = system == MigrationSystem.REMUS;
            MigrationTrial.Figures figures = new MigrationTrial.Figures(
                    ours ? 800 : 1_600, ours ? 5 : 20, 21.5, ours ? 77.0 : null, 1L << 27, 5);
            tally.addMeasured(
                    new MigrationTally.Key(system, LOAD, SHORT),
                    ours
                            ? new MigrationTrial(figures, null, null, true)
                            : MigrationTrial.unfinished("not complete within 60 s"));
            tally.addMeasured(
                    new MigrationTally.Key(system, LOAD, LONG),
                    new MigrationTrial(figures, null, ours ? null : 12L, ours));
        }
        BenchMachine machine = new BenchMachine(2, 25_232_932_864L, "6.18.44", "7.2.22", "25.0.3+9-LTS", "tcg");
        return BenchMigrationText.table(new BenchReport<>("migration", "2026-11-23", machine, tally.cases()));
    }

    @Test
    void theTableSaysWhatEndedWhatWasLostAndByHowMuchOneIsFaster() {
        String table = table(List.of(MigrationSystem.values()));
        assertTrue(table.contains("dirty-2000     30 qemu   |      -      -      - |"), table);
        assertTrue(table.contains("|   0/1"), table);
        assertTrue(table.contains("dirty-2000    300 |   0.50   0.25   1.00"), table);
        assertTrue(table.contains("dirty-2000, 30 ms, qemu: not complete within 60 s"), table);
        assertTrue(table.lines().anyMatch(line -> line.contains("qemu") && line.contains("12 |    0/1")), table);
        assertTrue(table.lines().skip(2).allMatch(line -> line.length() <= 80), table);
    }

    @Test
    void oneSystemAloneHasNoRatios() {
        assertFalse(table(List.of(MigrationSystem.REMUS)).contains("remus by qemu"));
    }
}
