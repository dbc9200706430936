package remus.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import remus.api.MigrationRound;
import remus.api.MigrationStage;
import remus.api.MigrationStatus;

class MigrationPlotTest {
    private static final String SENT = "#0072b2";
    private static final String WRITTEN = "#e69f00";
    private static final String STOPPED = "#009e73";

    private static Document parsed(String svg) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        return factory.newDocumentBuilder().parse(new ByteArrayInputStream(svg.getBytes(UTF_8)));
    }

    private static Stream<Element> elements(Document document, String name) {
        NodeList nodes = document.getElementsByTagName(name);
        return IntStream.range(0, nodes.getLength()).mapToObj(index -> (Element) nodes.item(index));
    }

    /** Bars of that colour; the legend's box, which is above the plot, is none. */
    private static List<Element> bars(Document document, String colour) {
        return elements(document, "rect")
                .filter(rectangle -> rectangle.getAttribute("fill").equals(colour))
                .filter(rectangle -> number(rectangle, "y") > 130)
                .toList();
    }

    private static double number(Element element, String attribute) {
        return Double.parseDouble(element.getAttribute(attribute));
    }

    private static List<String> texts(Document document) {
        return elements(document, "text").map(Element::getTextContent).toList();
    }

    @Test
    void aRoundIsAsWideAsItIsLongAndItsBarsAsHighAsItsPages() throws Exception {
        Document document = parsed(MigrationPlot.of(FakeMigrations.done()));
        List<Element> sent = bars(document, SENT);
        List<Element> written = bars(document, WRITTEN);
        // All three, then the last two of them once more, magnified.
        assertEquals(5, sent.size());
        assertEquals(5, written.size());
        // Log scale: a decade is as high everywhere.
        double decade = (number(sent.get(0), "height") - number(sent.get(1), "height")) / Math.log10(40_321 / 2_804.0);
        assertEquals(number(written.get(0), "height"), decade * Math.log10(3_210), 0.1);
        assertEquals(number(written.get(2), "height"), decade * Math.log10(312), 0.1);
        assertEquals(423.0 / 31, (number(sent.get(0), "width") + 1) / (number(sent.get(1), "width") + 1), 0.05);
        assertEquals(31 / 9.7, (number(sent.get(3), "width") + 1) / (number(sent.get(4), "width") + 1), 0.05);
        assertEquals(number(sent.get(3), "height"), number(sent.get(1), "height"));
        assertTrue(
                sent.get(1).getTextContent().startsWith("round 2: 3210 pages to copy, 2804 sent, 0 zero, 406 skipped"));
        assertEquals(number(bars(document, STOPPED).getFirst(), "height"), decade * Math.log10(312), 0.1);
    }

    @Test
    void stopTheWorldIsOneRoundWithinItsDowntimeAndStopAndCopyAfterThat() throws Exception {
        Document document = parsed(MigrationPlot.of(FakeMigrations.stopTheWorld()));
        Element round = bars(document, SENT).getFirst();
        Element stop = bars(document, STOPPED).getFirst();
        assertTrue(number(round, "x") + number(round, "width") < number(stop, "x"));
        assertTrue(texts(document).contains("stop-and-copy, downtime 442 ms"));
    }

    @Test
    void theWorkingSetIsWhatWasWrittenPerSecond() throws Exception {
        List<String> rates = elements(parsed(MigrationPlot.of(FakeMigrations.done())), "circle")
                .map(Element::getTextContent)
                .filter(text -> !text.isEmpty())
                .distinct()
                .toList();
        assertEquals(List.of("round 1: 7,589 pages/s", "round 2: 29,387 pages/s", "round 3: 32,165 pages/s"), rates);
    }

    @Test
    void axesAndTheDowntimeSayWhatTheyAre() throws Exception {
        List<String> texts = texts(parsed(MigrationPlot.of(FakeMigrations.done())));
        Stream.of(
                        "Migration of VM shop from alpha to 192.0.2.7:7420, pre-copy",
                        "time since the destination was ready, in ms",
                        "pages of 4 KiB (log scale)",
                        "pages written per s",
                        "stop-and-copy, downtime 12 ms",
                        "What ended the rounds: what was left could be expected to arrive within 30ms")
                .forEach(text -> assertTrue(texts.contains(text), text + " is not in " + texts));
    }

    @Test
    void everythingLiesWithinTheDrawing() throws Exception {
        MigrationRound small = new MigrationRound(1, 1, 1, 0, 0, 4_096, 0, 0, 0, 0);
        for (MigrationStatus status : List.of(
                FakeMigrations.done(),
                FakeMigrations.failed(),
                FakeMigrations.stopTheWorld(),
                FakeMigrations.status(MigrationStage.DONE, List.of()),
                FakeMigrations.status(MigrationStage.PUSHING, List.of(small)),
                FakeMigrations.status(MigrationStage.CONNECTING, List.of()))) {
            Document document = parsed(MigrationPlot.of(status));
            elements(document, "rect").forEach(rectangle -> {
                double x = number(rectangle, "x");
                double y = number(rectangle, "y");
                assertTrue(x >= 0 && x + number(rectangle, "width") <= 960, rectangle.getAttribute("x"));
                assertTrue(y >= 0 && y + number(rectangle, "height") <= 664, rectangle.getAttribute("y"));
            });
        }
    }

    @Test
    void whatOthersSaidIsTextAndNothingElse() throws Exception {
        MigrationStatus status = FakeMigrations.failed();
        String hostile = "<script>alert(\"1\" & 2)</script>\u0000\u0007\uffff";
        Document document = parsed(MigrationPlot.of(new MigrationStatus(
                hostile,
                status.from(),
                status.to(),
                status.mode(),
                status.stage(),
                status.plan(),
                status.rounds(),
                hostile,
                hostile,
                status.memoryBytes(),
                0,
                null,
                0,
                status.bytesSent(),
                0,
                status.totalMicros(),
                5_000_000L,
                null,
                null)));
        assertEquals(0, document.getElementsByTagName("script").getLength());
        assertTrue(texts(document).contains("What ended the rounds: <script>alert(\"1\" & 2)</script>???"));
    }
}
