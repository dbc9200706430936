package remus.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import remus.api.Json;
import remus.base.ByteSize;
import remus.qemu.Accelerator;

class MigrationReportTest {
    private static final GuestLoad LOAD = new GuestLoad(500);
    private static final Duration LIMIT = Duration.ofMillis(30);
    private static final MigrationTally.Key QEMU = new MigrationTally.Key(MigrationSystem.QEMU, LOAD, LIMIT);
    private static final MigrationTally.Key REMUS = new MigrationTally.Key(MigrationSystem.REMUS, LOAD, LIMIT);

    private final MigrationTally tally = new MigrationTally(settings(List.of(LOAD), List.of(LIMIT)));

    private static MigrationSettings settings(List<GuestLoad> workloads, List<Duration> limits) {
        return new MigrationSettings(
                3,
                ByteSize.ofMebibytes(256),
                Accelerator.TCG,
                List.of(MigrationSystem.QEMU, MigrationSystem.REMUS),
                workloads,
                limits,
                Duration.ofSeconds(60));
    }

    private static MigrationTrial trial(double totalMillis, double downtimeMillis, @Nullable Long lost, boolean ran) {
        return new MigrationTrial(
                new MigrationTrial.Figures(
                        totalMillis, downtimeMillis, downtimeMillis + 1, lost == null ? 50.0 : null, 3 << 20, 4),
                ran ? null : "the guest does not answer",
                lost,
                ran);
    }

    private MigrationCase summary(MigrationSystem system) {
        return tally.cases().stream()
                .filter(run -> run.system().equals(system.key()))
                .findFirst()
                .orElseThrow();
    }

    @Test
    @SuppressWarnings("unchecked")
    void theReportHasTheKeysOfTheContract() {
        tally.addMeasured(QEMU, trial(1_000, 20, 0L, true));
        tally.addVerified(REMUS, trial(990, 90, 0L, true));
        tally.addMeasured(REMUS, trial(500, 10, null, true));
        BenchMachine machine = new BenchMachine(2, 1L << 30, "6.18.44", "7.2.22", "25.0.3", "tcg");
        String json = Json.write(new BenchReport<>("migration", "2026-11-23", machine, tally.cases()));

        Map<String, Object> report = Json.read(json, Map.class);
        List<Map<String, Object>> runs = (List<Map<String, Object>>) Objects.requireNonNull(report.get("runs"));
        assertEquals(2, runs.size());
        Map<String, Object> run = runs.getLast();
        assertEquals("remus", run.get("system"));
        assertEquals("dirty-500", run.get("workload"));
        assertEquals(30, run.get("downtimeLimitMillis"));
        assertEquals(500.0, run.get("totalMillis"));
        assertEquals(10.0, run.get("downtimeMillis"));
        assertEquals(0, run.get("lostPages"));
        assertEquals(true, run.get("targetRan"));
        assertEquals(0.5, run.get("totalRatioToQemu"));
        assertEquals("qemu", runs.getFirst().get("system"));
        assertTrue(runs.getFirst().containsKey("clientStallMillis"), "what is not measured is there, and null");
    }

    @Test
    void onlyMeasuredMigrationsGiveTimesAndAllOfThemGiveProof() {
        tally.addVerified(REMUS, trial(9_000, 900, 0L, true));
        tally.addMeasured(REMUS, trial(500, 10, null, true));
        tally.addMeasured(REMUS, trial(700, 30, null, true));
        tally.addVerified(REMUS, trial(9_000, 900, 0L, false));

        MigrationCase run = summary(MigrationSystem.REMUS);

        assertEquals(2, run.rounds());
        assertEquals(600, run.totalMillis());
        assertEquals(500, run.totalMillisMin());
        assertEquals(700, run.totalMillisMax());
        assertEquals(20, run.downtimeMillis());
        assertEquals(21, run.standstillMillis());
        assertEquals(50, run.clientStallMillis());
        assertEquals(3, run.mebibytesSent());
        assertEquals(4, run.preCopyRounds());
        assertEquals(2, run.compared());
        assertEquals(0L, run.lostPages());
        assertEquals(4, run.targets());
        assertEquals(3, run.targetsRan());
        assertFalse(Objects.requireNonNull(run.targetRan()));
        assertEquals(List.of("the guest does not answer"), run.problems());
        assertNull(run.totalRatioToQemu(), "QEMU has measured nothing");
    }

    @Test
    void lostPagesAreAddedUpAndGuestsThatDieAreCounted() {
        tally.addMeasured(QEMU, trial(1_000, 20, 0L, true));
        tally.addMeasured(QEMU, trial(1_100, 30, 17L, false));
        tally.addMeasured(QEMU, trial(1_200, 40, 3L, true));

        MigrationCase run = summary(MigrationSystem.QEMU);

        assertEquals(20, run.lostPages());
        assertEquals(2, run.lossyMigrations());
        assertEquals(2, run.targetsRan());
        assertFalse(Objects.requireNonNull(run.targetRan()));
        assertNull(run.clientStallMillis());
        assertNull(run.totalRatioToQemu());
    }

    @Test
    void aMigrationThatNeverEndsIsToldAndHasNoTimes() {
        tally.addMeasured(QEMU, MigrationTrial.unfinished("not complete within 60 s"));
        tally.addMeasured(QEMU, MigrationTrial.unfinished("not complete within 60 s"));
        tally.addMeasured(REMUS, trial(500, 10, null, true));

        MigrationCase run = summary(MigrationSystem.QEMU);

        assertEquals(2, run.rounds());
        assertEquals(0, run.completed());
        assertNull(run.totalMillis());
        assertNull(run.downtimeMillisMax());
        assertNull(run.lostPages());
        assertNull(run.targetRan());
        assertEquals(List.of("not complete within 60 s"), run.problems());
        assertNull(summary(MigrationSystem.REMUS).totalRatioToQemu());
        assertNull(summary(MigrationSystem.REMUS).lostPages(), "nothing was compared");
    }

    @Test
    void whatCannotBeMeasuredIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> settings(List.of(), List.of(LIMIT)));
        assertThrows(IllegalArgumentException.class, () -> settings(List.of(LOAD, LOAD), List.of(LIMIT)));
        assertThrows(IllegalArgumentException.class, () -> settings(List.of(LOAD), List.of(Duration.ZERO)));
        assertThrows(IllegalArgumentException.class, () -> settings(List.of(LOAD), List.of(Duration.ofHours(1))));
        assertThrows(IllegalArgumentException.class, () -> settings(List.of(new GuestLoad(50_000)), List.of(LIMIT)));
        assertThrows(IllegalArgumentException.class, () -> MigrationSystem.parse("xen"));
        MigrationTally.Key other = new MigrationTally.Key(MigrationSystem.QEMU, LOAD, Duration.ofSeconds(1));
        assertThrows(
                IllegalArgumentException.class, () -> tally.addMeasured(other, MigrationTrial.unfinished("never")));
    }
}
