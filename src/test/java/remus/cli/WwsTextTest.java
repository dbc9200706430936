package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import remus.bench.BenchMachine;
import remus.bench.BenchReport;
import remus.bench.WwsCase;

class WwsTextTest {
    private static WwsCase watched() {
        return new WwsCase(
                "dirty-500",
                256 << 20,
                50,
                1.0,
                480,
                529,
                600,
                620,
                10_580,
                700,
                List.of(
                        new WwsCase.Window(100, 100.0, 10, 500, 540, 640, 0.82),
                        new WwsCase.Window(5_000, 0, 0, 0, 0, 0, 0)),
                Collections.nCopies(20, 529L));
    }

    @Test
    void theTableFitsAndLeavesOutWindowsThatWereNotSeen() {
        BenchMachine machine = new BenchMachine(2, 25_232_932_864L, "6.18.44", "7.2.22", "25.0.3+9-LTS", "tcg");
        String table = WwsText.table(new BenchReport<>("wws", "2026-11-23", machine, List.of(watched())));
        // 540 pages in 0.1 s are 21.1 MiB/s.
        assertTrue(
                table.contains("dirty-500   |    0.1     10 |      540      500      640 |   0.82      21.1"), table);
        assertFalse(table.contains(" 5.0 "), table);
        assertTrue(table.contains("41.3"), table);
        assertTrue(table.lines().filter(line -> !line.contains("Linux")).allMatch(line -> line.length() <= 82), table);
    }

    @Test
    void theChartShowsTheLargestIntervalOfEachPart() {
        assertEquals(" ▄█", WwsText.chart(List.of(0L, 4L, 8L)));
        assertEquals("", WwsText.chart(List.of()));
        List<Long> pages = new ArrayList<>(Collections.nCopies(120, 0L));
        pages.set(119, 5L);
        String chart = WwsText.chart(pages);
        assertEquals(60, chart.length());
        assertTrue(chart.endsWith(" █"), chart);
    }
}
