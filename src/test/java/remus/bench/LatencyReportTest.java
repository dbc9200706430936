package remus.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import remus.api.CheckpointStatus;
import remus.api.Json;
import remus.api.Percentiles;
import remus.base.ByteSize;
import remus.qemu.Accelerator;

class LatencyReportTest {
    private static final List<LatencyMode> BOTH = List.of(LatencyMode.UNPROTECTED, LatencyMode.FIXED_25MS);

    private static LatencySettings settings(int rounds, int seconds, Duration every, List<LatencyMode> modes) {
        return new LatencySettings(
                rounds, Duration.ofSeconds(seconds), every, modes, 20, ByteSize.ofMebibytes(256), Accelerator.TCG);
    }

    private static LatencyTally.Turn turn(
            double seconds, double alikeSeconds, @Nullable SessionFigures session, long... millis) {
        return new LatencyTally.Turn(
                Math.round(seconds * 1e9),
                Math.round(alikeSeconds * 1e9),
                Arrays.stream(millis).mapToObj(each -> each * 1_000_000).toList(),
                session);
    }

    private static SessionFigures session(double rate) {
        return new SessionFigures(
                rate,
                5,
                new CheckpointStatus(
                        100, new Percentiles(2_000, 3_000, 4_000), Percentiles.NONE, new Percentiles(900, 0, 0), 0, 0));
    }

    /** Two rounds, of which the second ran on a machine with half the speed. */
    private static List<LatencyCase> cases() {
        LatencyTally tally = new LatencyTally(settings(2, 2, Duration.ofMillis(10), BOTH));
        for (double slowness : new double[] {1, 2}) {
            tally.add(
                    LatencyMode.UNPROTECTED,
                    new LatencyTally.Turn(
                            Math.round(slowness * 2e9),
                            Math.round(slowness * 2e9),
                            List.of(1_000_000L, 2_000_000L, 3_000_000L, 9_000_000L),
                            null));
        }
        tally.add(LatencyMode.FIXED_25MS, turn(2.4, 2, session(38), 25, 26, 27));
        tally.add(LatencyMode.FIXED_25MS, turn(4.4, 4, session(36), 28, 30, 90));
        return tally.cases();
    }

    @Test
    @SuppressWarnings("unchecked")
    void theReportHasTheKeysOfTheContract() {
        BenchMachine machine = new BenchMachine(2, 1L << 30, "6.18.44", "7.2.22", "25.0.3", "tcg");
        String json = Json.write(new BenchReport<>("latency", "2026-11-23", machine, cases()));
        Map<String, Object> report = Json.read(json, Map.class);
        List<Map<String, Object>> runs = (List<Map<String, Object>>) Objects.requireNonNull(report.get("runs"));
        assertEquals(
                List.of("unprotected", "fixed-25ms"),
                runs.stream().map(run -> run.get("mode")).toList());
        for (Map<String, Object> run : runs) {
            assertTrue(
                    run.keySet()
                            .containsAll(List.of("p50Micros", "p99Micros", "elapsedOverheadPercent", "commitMicros")),
                    json);
        }
    }

    @Test
    void theOverheadIsThatOfTheSameRoundAndTheMedianOfThese() {
        LatencyCase run = cases().getLast();
        assertEquals(15.0, run.elapsedOverheadPercent());
        assertEquals(10.0, run.elapsedOverheadPercentMin(), "of the round in which both were slow");
        assertEquals(20.0, run.elapsedOverheadPercentMax());
        assertEquals(0.0, cases().getFirst().elapsedOverheadPercent());
    }

    @Test
    void waitsAreThoseOfARoundAndTheirMedianOverTheRounds() {
        LatencyCase run = cases().getLast();
        assertEquals(28_000, run.p50Micros(), "of 26 and 30 ms");
        assertEquals(26_000, run.p50MicrosMin());
        assertEquals(30_000, run.p50MicrosMax());
        assertEquals(90_000, run.p99MicrosMax());
        assertEquals(6, run.requests());
        assertEquals(37.0, run.checkpointsPerSecond());
        assertEquals(900L, run.commitMicros());
        assertNull(cases().getFirst().checkpointsPerSecond());
        assertEquals(2_000, cases().getFirst().p50Micros(), "the smallest that half of them do not exceed");
    }

    @Test
    void theOverheadNeedsNoUnprotectedModeToCompareWith() {
        LatencyTally tally = new LatencyTally(settings(1, 1, Duration.ZERO, List.of(LatencyMode.FIXED_25MS)));
        tally.add(LatencyMode.FIXED_25MS, turn(1.5, 1, session(38), 25));
        assertEquals(50.0, tally.cases().getFirst().elapsedOverheadPercent());
    }

    @Test
    void aTallyWithARoundMissingIsNoReport() {
        LatencyTally tally = new LatencyTally(settings(1, 1, Duration.ZERO, BOTH));
        tally.add(LatencyMode.UNPROTECTED, turn(1, 1, null, 1));
        assertThrows(IllegalStateException.class, tally::cases);
    }

    @Test
    void whatCantBeMeasuredIsRefused() {
        Duration every = Duration.ofMillis(10);
        for (Runnable refused : List.<Runnable>of(
                () -> settings(0, 1, every, BOTH),
                () -> settings(1_001, 1, every, BOTH),
                () -> settings(1, 0, every, BOTH),
                () -> settings(1, 1, Duration.ofSeconds(2), BOTH),
                () -> settings(1, 1, every, List.of()),
                () -> settings(1, 1, every, List.of(LatencyMode.FIXED_25MS, LatencyMode.FIXED_25MS)),
                () -> new LatencySettings(
                        1, Duration.ofSeconds(1), every, BOTH, 20, ByteSize.ofMebibytes(64), Accelerator.TCG),
                () -> new LatencySettings(
                        1, Duration.ofSeconds(1), every, BOTH, 0, ByteSize.ofMebibytes(256), Accelerator.TCG),
                () -> new LatencySettings(
                        1, Duration.ofSeconds(1), every, BOTH, 51, ByteSize.ofMebibytes(256), Accelerator.TCG))) {
            assertThrows(IllegalArgumentException.class, refused::run);
        }
    }

    @Test
    void onlyTheModeThatOutputTriggersMayEndEpochsEarly() {
        assertEquals(
                List.of(0, 0, 33),
                Stream.of(LatencyMode.values())
                        .flatMap(mode -> mode.epochs(33).stream())
                        .map(Epochs::maxPauseSharePercent)
                        .toList());
        assertNull(cases().getFirst().maxPauseSharePercent(), "no checkpoints, no pauses");
        assertEquals(0, cases().getLast().maxPauseSharePercent());
    }

    @Test
    void modesAreNamedAsInTheContract() {
        for (LatencyMode mode : LatencyMode.values()) {
            assertEquals(mode, LatencyMode.parse(mode.key()));
        }
        assertEquals("output-triggered", LatencyMode.OUTPUT_TRIGGERED.key());
        String message = String.valueOf(assertThrows(IllegalArgumentException.class, () -> LatencyMode.parse("fixed"))
                .getMessage());
        assertTrue(message.contains("'fixed'") && message.contains("fixed-25ms"), message);
    }
}
