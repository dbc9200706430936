package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import remus.bench.BenchMachine;
import remus.bench.BenchReport;
import remus.bench.OverheadCase;

class OverheadTextTest {
    private static OverheadCase at(int rate, double percent, double min) {
        return new OverheadCase(
                "spin-2000",
                rate,
                256 << 20,
                5,
                90,
                10.0,
                11.5,
                percent,
                min,
                percent + 3,
                rate - 0.7,
                2_110L,
                2_030L,
                1_900L,
                8.4);
    }

    private static BenchReport<OverheadCase> report() {
        BenchMachine machine = new BenchMachine(2, 25_232_932_864L, "6.18.44", "7.2.22", "25.0.3+9-LTS", "tcg");
        return new BenchReport<>("overhead", "2026-11-23", machine, List.of(at(10, 4.5, -3), at(40, 21.25, 18)));
    }

    @Test
    void theTableFits() {
        String table = OverheadText.table(report());
        assertTrue(
                table.contains("spin-2000    40 |  10.00  11.50 |   21.3   18.0   24.3 |  39.3  2.11  2030  8.4"),
                table);
        assertTrue(table.lines().filter(line -> !line.contains("Linux")).allMatch(line -> line.length() <= 80), table);
    }

    @Test
    void thePlotIsADocumentWithOursBesideThePapers() throws Exception {
        String svg = OverheadPlot.of(report());
        Document document = DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new ByteArrayInputStream(svg.getBytes(StandardCharsets.UTF_8)));
        assertEquals(
                2 + OverheadPlot.PAPER.size(),
                document.getElementsByTagName("circle").getLength());
        assertTrue(svg.contains("spin-2000, 40 a second: +21.3 % (+18.0 to +24.3)"), svg);
        assertTrue(svg.contains("40 a second: +103.0 %"), svg);
        assertTrue(svg.contains("Cully et al. 2008"), svg);
        // All of it lies within the picture, also what is below zero.
        for (int index = 0; index < document.getElementsByTagName("circle").getLength(); index++) {
            String y = document.getElementsByTagName("circle")
                    .item(index)
                    .getAttributes()
                    .getNamedItem("cy")
                    .getNodeValue();
            assertTrue(Double.parseDouble(y) >= 130 && Double.parseDouble(y) <= 490, y);
        }
    }
}
