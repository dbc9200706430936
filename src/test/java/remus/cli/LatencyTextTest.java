package remus.cli;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import remus.bench.BenchMachine;
import remus.bench.BenchReport;
import remus.bench.LatencyCase;

class LatencyTextTest {
    @Test
    void theTableFitsAndSaysWhatWasNotMeasured() {
        LatencyCase without = new LatencyCase(
                "unprotected",
                null,
                256 << 20,
                5,
                10_000,
                500,
                99.2,
                612,
                600,
                650,
                1_204,
                1_100,
                1_300,
                10.1,
                0.0,
                0.0,
                0.0,
                null,
                null,
                null);
        LatencyCase with = new LatencyCase(
                "output-triggered",
                20,
                256 << 20,
                5,
                10_000,
                200,
                38.4,
                25_310,
                24_000,
                26_000,
                120_400,
                30_000,
                190_000,
                12.4,
                22.8,
                -5.1,
                130.4,
                38.2,
                950L,
                2_100L);
        BenchMachine machine = new BenchMachine(2, 25_232_932_864L, "6.18.44", "7.2.22", "25.0.3+9-LTS", "tcg");
        String table = LatencyText.table(new BenchReport<>("latency", "2026-11-23", machine, List.of(without, with)));
        assertTrue(table.contains("output-triggered |   25.31   24.00   26.00 |  120.40"), table);
        assertTrue(table.contains("|    22.8    -5.1   130.4 |"), table);
        assertTrue(
                table.contains("unprotected      |   10.1 |     0.0     0.0     0.0 |       -       -      -"), table);
        assertTrue(table.lines().filter(line -> !line.contains("Linux")).allMatch(line -> line.length() <= 80), table);
    }
}
