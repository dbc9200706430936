package remus.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import remus.api.CheckpointStatus;
import remus.api.Json;
import remus.api.Percentiles;
import remus.base.ByteSize;
import remus.qemu.Accelerator;

class ThroughputReportTest {
    private static final List<ThroughputWorkload> TWO =
            List.of(ThroughputWorkload.IPERF_TO_GUEST, ThroughputWorkload.REDIS);
    private static final ThroughputTally.Daemon DAEMON = new ThroughputTally.Daemon(40, 200 << 20);

    private static ThroughputSettings settings(int rounds, int seconds, List<ThroughputWorkload> workloads) {
        return settings(rounds, seconds, 25, workloads);
    }

    private static ThroughputSettings settings(
            int rounds, int seconds, int intervalMillis, List<ThroughputWorkload> workloads) {
        return new ThroughputSettings(
                rounds,
                Duration.ofSeconds(seconds),
                new Epochs(Duration.ofMillis(intervalMillis), 20),
                workloads,
                ByteSize.ofMebibytes(256),
                Accelerator.TCG);
    }

    /** 40 checkpoints a second of 100 pages each, for which 4 MB are sent. */
    private static SessionFigures session(long pages) {
        return new SessionFigures(
                40,
                5,
                new CheckpointStatus(
                        100,
                        new Percentiles(2_000, 0, 0),
                        new Percentiles(pages, 0, 0),
                        Percentiles.NONE,
                        4_000_000,
                        0));
    }

    /** Two rounds, of which the second ran on a machine with half the speed. */
    private static List<ThroughputCase> cases() {
        ThroughputTally tally = new ThroughputTally(settings(2, 5, TWO));
        for (double speed : new double[] {1, 0.5}) {
            for (ThroughputWorkload workload : TWO) {
                tally.add(workload, false, new ThroughputTally.Turn(1_000 * speed, DAEMON, DAEMON, null));
                tally.add(workload, true, new ThroughputTally.Turn(600 * speed - 50, DAEMON, DAEMON, session(100)));
            }
        }
        return tally.cases();
    }

    @Test
    @SuppressWarnings("unchecked")
    void theReportHasACaseForEachWorkloadWithAndWithoutProtection() {
        BenchMachine machine = new BenchMachine(2, 1L << 30, "6.18.44", "7.2.22", "25.0.3", "tcg");
        String json = Json.write(new BenchReport<>("throughput", "2026-11-23", machine, cases()));
        Map<String, Object> report = Json.read(json, Map.class);
        List<Map<String, Object>> runs = (List<Map<String, Object>>) Objects.requireNonNull(report.get("runs"));
        assertEquals(
                List.of(
                        "iperf3-to-guest unprotected",
                        "iperf3-to-guest protected",
                        "redis-50 unprotected",
                        "redis-50 protected"),
                runs.stream()
                        .map(run -> run.get("workload") + " " + run.get("case"))
                        .toList());
    }

    @Test
    void aRateHasItsUnitAndItsRatioIsThatOfTheSameRound() {
        ThroughputCase bits = cases().get(1);
        assertEquals(400.0, Objects.requireNonNull(bits.megabitsPerSecond()) + 0, 1e-9, "the mean of 550 and 250");
        assertNull(bits.requestsPerSecond());
        assertEquals(0.5, bits.ratioToUnprotectedMin());
        assertEquals(0.55, bits.ratioToUnprotectedMax());
        ThroughputCase requests = cases().get(3);
        assertEquals(550.0, requests.requestsPerSecondMax());
        assertNull(requests.megabitsPerSecond());
    }

    @Test
    void bytesForEachDirtyPageAreThoseOfTheProtectedCases() {
        assertEquals(1_000.0, cases().get(1).bytesPerDirtyPage(), "4 MB a second for 4,000 pages");
        assertEquals(20, cases().get(1).maxPauseSharePercent());
        assertNull(cases().getFirst().bytesPerDirtyPage());
        assertNull(cases().getFirst().maxPauseSharePercent());
        assertEquals(40.0, cases().getFirst().primaryCpuPercent());
        ThroughputTally tally = new ThroughputTally(settings(1, 1, List.of(ThroughputWorkload.REDIS)));
        tally.add(ThroughputWorkload.REDIS, false, new ThroughputTally.Turn(1, DAEMON, DAEMON, null));
        tally.add(ThroughputWorkload.REDIS, true, new ThroughputTally.Turn(1, DAEMON, DAEMON, session(0)));
        assertNull(tally.cases().getLast().bytesPerDirtyPage(), "no page, no figure");
    }

    @Test
    void whatCantBeMeasuredIsRefused() {
        ThroughputTally empty = new ThroughputTally(settings(1, 1, TWO));
        for (Runnable refused : List.<Runnable>of(
                () -> settings(0, 1, TWO),
                () -> settings(1, 0, TWO),
                () -> settings(1, 1, List.of()),
                () -> settings(1, 1, 4, TWO),
                () -> settings(1, 1, 1_001, TWO),
                () -> new ThroughputTally.Turn(0, DAEMON, DAEMON, null),
                () -> ThroughputWorkload.parse("iperf"))) {
            assertThrows(IllegalArgumentException.class, refused::run);
        }
        assertThrows(IllegalStateException.class, empty::cases);
        for (ThroughputWorkload workload : ThroughputWorkload.values()) {
            assertEquals(workload, ThroughputWorkload.parse(workload.key()));
        }
        assertTrue(ThroughputWorkload.REDIS.key().endsWith("-" + ThroughputWorkload.CLIENTS));
    }
}
