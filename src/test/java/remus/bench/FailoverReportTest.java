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
import remus.api.Json;

class FailoverReportTest {
    private static final FailoverTally.Client CLIENT = new FailoverTally.Client(1_000, 0, 0);

    private static FailoverTally tally() {
        return new FailoverTally(new FailoverSettings(4, "mixed", Duration.ofMillis(100)));
    }

    private static FailoverCase summary() {
        FailoverTally tally = tally();
        tally.add(new FailoverTally.Kill("process", true, 60, 10, 40, 10));
        tally.add(new FailoverTally.Kill("power", true, 160, 105, 42, 13));
        tally.add(new FailoverTally.Kill("process", true, 80, 20, 45, 15));
        tally.add(new FailoverTally.Kill("power", false, 0, 0, 0, 0));
        return tally.summary(CLIENT);
    }

    @Test
    @SuppressWarnings("unchecked")
    void theReportHasTheKeysOfTheContract() {
        BenchMachine machine = new BenchMachine(2, 1L << 30, "6.18.44", "7.2.22", "25.0.3", "tcg");
        String json = Json.write(new BenchReport<>("failover", "2026-11-23", machine, List.of(summary())));
        Map<String, Object> report = Json.read(json, Map.class);
        List<Map<String, Object>> runs = (List<Map<String, Object>>) Objects.requireNonNull(report.get("runs"));
        assertTrue(
                runs.getFirst()
                        .keySet()
                        .containsAll(List.of(
                                "kills",
                                "lost",
                                "resets",
                                "stallMillisP50",
                                "stallMillisP99",
                                "stallMillisMax",
                                "detectionMillisP50",
                                "activationMillisP50",
                                "firstAnswerMillisP50")),
                json);
    }

    @Test
    void theTimesAreThoseOfTheKillsThatWereSurvived() {
        FailoverCase run = summary();
        assertEquals(4, run.kills());
        assertEquals(3, run.activations());
        assertEquals(80L, run.stallMillisP50());
        assertEquals(60L, run.stallMillisMin());
        assertEquals(160L, run.stallMillisMax());
        assertEquals(105L, run.detectionMillisMax());
        assertEquals(1_000, run.acknowledged());
    }

    @Test
    void waysToKillAreToldApart() {
        assertEquals(
                List.of("power 2 1", "process 2 2"),
                summary().byKill().stream()
                        .map(kill -> kill.kill() + " " + kill.kills() + " " + kill.activations())
                        .toList());
        FailoverTally one = tally();
        one.add(new FailoverTally.Kill("power", true, 160, 105, 42, 13));
        assertEquals(List.of(), one.summary(CLIENT).byKill());
    }

    @Test
    void withoutAnyActivationThereAreNoTimes() {
        FailoverTally tally = tally();
        tally.add(new FailoverTally.Kill("power", false, 0, 0, 0, 0));
        assertNull(tally.summary(CLIENT).stallMillisP50());
    }

    @Test
    void whatCantBeMeasuredIsRefused() {
        for (Runnable refused : List.<Runnable>of(
                () -> new FailoverSettings(0, "mixed", Duration.ofMillis(100)),
                () -> new FailoverSettings(1, "mixed", Duration.ofMillis(49)),
                () -> new FailoverSettings(1, "mixed", Duration.ofSeconds(11)))) {
            assertThrows(IllegalArgumentException.class, refused::run);
        }
    }
}
