package remus.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import remus.api.CheckpointStatus;
import remus.api.Json;
import remus.api.Percentiles;
import remus.base.ByteSize;
import remus.qemu.Accelerator;

class OverheadReportTest {
    private static final OverheadWorkload SPIN = OverheadWorkload.spin(500);

    private static OverheadSettings settings(int rounds, List<OverheadWorkload> workloads, List<Integer> rates) {
        return new OverheadSettings(
                rounds, Duration.ofSeconds(1), workloads, rates, ByteSize.ofMebibytes(256), Accelerator.TCG);
    }

    private static SessionFigures session(double rate, long pauseMicros) {
        return new SessionFigures(
                rate,
                7.5,
                new CheckpointStatus(
                        100, new Percentiles(pauseMicros, 0, 0), new Percentiles(529, 0, 0), Percentiles.NONE, 0, 0));
    }

    /** Three rounds, of which the second ran on a machine with half the speed. */
    private static List<OverheadCase> cases() {
        OverheadTally tally = new OverheadTally(settings(3, List.of(SPIN), List.of(10, 40)));
        tally.begin(SPIN, 90);
        for (long slowness : new long[] {1, 2, 1}) {
            tally.addUnprotected(SPIN, slowness * 1_000_000_000L);
            tally.add(SPIN, 10, slowness * 1_050_000_000L, session(9.9, 2_000));
            tally.add(SPIN, 40, slowness * 1_100_000_000L + 100_000_000L, session(39, 1_800));
        }
        return tally.cases();
    }

    @Test
    @SuppressWarnings("unchecked")
    void theReportHasTheKeysOfTheContract() {
        BenchMachine machine = new BenchMachine(2, 1L << 30, "6.18.44", "7.2.22", "25.0.3", "tcg");
        String json = Json.write(new BenchReport<>("overhead", "2026-11-23", machine, cases()));
        Map<String, Object> report = Json.read(json, Map.class);
        List<Map<String, Object>> runs = (List<Map<String, Object>>) Objects.requireNonNull(report.get("runs"));
        assertEquals(
                List.of("spin-500 10", "spin-500 40"),
                runs.stream()
                        .map(run -> run.get("workload") + " " + run.get("checkpointsPerSecond"))
                        .toList());
        assertTrue(runs.stream().allMatch(run -> run.containsKey("elapsedOverheadPercent")), json);
    }

    @Test
    void theOverheadIsThatOfTheSameRoundAndTheMedianOfThese() {
        OverheadCase run = cases().getLast();
        assertEquals(20.0, run.elapsedOverheadPercent());
        assertEquals(15.0, run.elapsedOverheadPercentMin(), "of the round in which both were slow");
        assertEquals(20.0, run.elapsedOverheadPercentMax());
        assertEquals(1.0, run.unprotectedSeconds());
        assertEquals(1.2, run.protectedSeconds());
        assertEquals(90, run.unitsOfWork());
    }

    @Test
    void checkpointsAreThoseOfTheSessions() {
        OverheadCase run = cases().getLast();
        assertEquals(39.0, run.checkpointsPerSecondMeasured());
        assertEquals(1_800L, run.pauseMicrosP50());
        assertEquals(529L, run.dirtyPagesP50());
        assertEquals(7.5, run.guestClockLagPercent());
    }

    @Test
    void aTallyWithARoundMissingIsNoReport() {
        OverheadTally tally = new OverheadTally(settings(1, List.of(SPIN), List.of(10)));
        tally.addUnprotected(SPIN, 1);
        assertThrows(IllegalStateException.class, tally::cases);
    }

    @Test
    void whatCantBeMeasuredIsRefused() {
        for (Runnable refused : List.<Runnable>of(
                () -> settings(0, List.of(SPIN), List.of(10)),
                () -> settings(1, List.of(), List.of(10)),
                () -> settings(1, List.of(SPIN, SPIN), List.of(10)),
                () -> settings(1, List.of(SPIN), List.of()),
                () -> settings(1, List.of(SPIN), List.of(0)),
                () -> settings(1, List.of(SPIN), List.of(101)))) {
            assertThrows(IllegalArgumentException.class, refused::run);
        }
    }

    @Test
    void ratesAreEpochsOfWholeMilliseconds() {
        assertEquals(
                List.of(100L, 50L, 33L, 25L),
                List.of(10, 20, 30, 40).stream()
                        .map(rate -> OverheadSettings.epochs(rate).interval().toMillis())
                        .toList());
    }

    @ParameterizedTest
    @ValueSource(strings = {"idle", "build", "spin-1", "spin-500", "spin-10000"})
    void aNameIsReadAndWrittenAlike(String name) {
        assertEquals(name, OverheadWorkload.parse(name).toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "spin", "spin-", "spin-0", "spin-05", "spin-10001", "spin-999999", "dirty-500"})
    void whatIsNoWorkloadIsRefused(String name) {
        assertThrows(IllegalArgumentException.class, () -> OverheadWorkload.parse(name));
    }
}
