package remus.cli;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import remus.bench.BenchMachine;
import remus.bench.BenchReport;
import remus.bench.ThroughputCase;

class ThroughputTextTest {
    @Test
    void theTableFitsAndTellsRatesWithTheirUnits() {
        ThroughputCase without = new ThroughputCase(
                "iperf3-from-guest",
                "unprotected",
                256 << 20,
                null,
                null,
                5,
                10,
                1_234.5,
                1_100.0,
                1_300.0,
                null,
                null,
                null,
                1.0,
                1.0,
                1.0,
                0.4,
                0.3,
                200L << 20,
                150L << 20,
                null,
                null,
                null,
                null,
                null,
                null);
        ThroughputCase with = new ThroughputCase(
                "redis-50",
                "protected",
                256 << 20,
                25L,
                20,
                5,
                10,
                null,
                null,
                null,
                10_612.4,
                9_800.0,
                11_300.0,
                0.61,
                0.55,
                0.71,
                85.2,
                40.1,
                400L << 20,
                410L << 20,
                71.3,
                1_400L,
                2_100L,
                812L,
                91_000_000L,
                1_571.4);
        BenchMachine machine = new BenchMachine(2, 25_232_932_864L, "6.18.44", "7.2.22", "25.0.3+9-LTS", "tcg");
        String table =
                ThroughputText.table(new BenchReport<>("throughput", "2026-11-23", machine, List.of(without, with)));
        assertTrue(
                table.contains("iperf3-from-guest unprotected |    1235    1100    1300 Mbit/s | 1.00 1.00-1.00"),
                table);
        assertTrue(
                table.contains("redis-50          protected   |   10612    9800   11300 req/s  | 0.61 0.55-0.71"),
                table);
        assertTrue(table.contains("|  85.2   40.1 |  400    410 |  71.3   812  1571"), table);
        assertTrue(table.contains("|   0.4    0.3 |  200    150 |     -     -     -"), table);
        assertTrue(table.lines().filter(line -> !line.contains("Linux")).allMatch(line -> line.length() <= 80), table);
    }
}
