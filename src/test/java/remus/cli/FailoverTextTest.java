package remus.cli;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import remus.bench.BenchMachine;
import remus.bench.BenchReport;
import remus.bench.FailoverCase;

class FailoverTextTest {
    private static String table(FailoverCase run) {
        BenchMachine machine = new BenchMachine(2, 25_232_932_864L, "6.18.44", "7.2.22", "25.0.3+9-LTS", "tcg");
        return FailoverText.table(new BenchReport<>("failover", "2026-11-23", machine, List.of(run)));
    }

    private static FailoverCase.ByKill byKill(String kill) {
        return new FailoverCase.ByKill(kill, 25, 25, 12_345L, 20_000L, 20_001L, 10_105L, 10_042L, 10_013L);
    }

    @Test
    void theTableFitsAndTellsEachWayToKill() {
        String table = table(new FailoverCase(
                "mixed",
                100,
                50,
                50,
                123_456,
                0,
                0,
                160L,
                20_000L,
                60L,
                20_001L,
                105L,
                120L,
                10L,
                130L,
                42L,
                90L,
                38L,
                95L,
                13L,
                25L,
                9L,
                30L,
                List.of(byKill("power"), byKill("process"))));
        assertTrue(table.contains("kills: 50 (mixed), survived: 50; detection time 100 ms"), table);
        assertTrue(table.contains("writes acknowledged: 123456, lost: 0; connections broken: 0"), table);
        assertTrue(table.contains("detection     |     105     120      10     130"), table);
        assertTrue(table.contains("process  |    25     25 |  12345"), table);
        assertTrue(table.lines().filter(line -> !line.contains("Linux")).allMatch(line -> line.length() <= 80), table);
    }

    @Test
    void whereNobodyTookOverThereAreNoTimes() {
        String table = table(new FailoverCase(
                "power", 100, 1, 0, 10, 0, 1, null, null, null, null, null, null, null, null, null, null, null, null,
                null, null, null, null, List.of()));
        assertTrue(table.contains("stall         |       -       -       -       -"), table);
        assertFalse(table.contains("alive"), table);
    }
}
