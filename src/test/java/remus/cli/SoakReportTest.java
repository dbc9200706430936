package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;

class SoakReportTest {
    private static final SoakReport.FalseTakeOver FALSE_ALARM =
            new SoakReport.FalseTakeOver(Instant.EPOCH, "vm1", "beta", "3: paused: vm2");

    private static SoakReport report(long lost, long resets, List<String> leaks, List<String> problems) {
        List<SoakReport.Happened> happened = List.of(
                new SoakReport.Happened(SoakEvent.PAUSED, 30, 300),
                new SoakReport.Happened(SoakEvent.HOST_LOST, 2_000, 7_000),
                new SoakReport.Happened(SoakEvent.PAUSED, 10, 100),
                new SoakReport.Happened(SoakEvent.PAUSED, 20, 200));
        return new SoakReport(
                2,
                42,
                3,
                SoakReport.kinds(happened),
                2,
                List.of(FALSE_ALARM),
                1,
                4,
                1_000,
                lost,
                resets,
                leaks,
                List.of(),
                problems);
    }

    @Test
    void aFalseTakeOverIsToldAndFailsNothing() {
        SoakReport report = report(0, 0, List.of(), List.of());
        assertNull(report.verdict());
        assertTrue(report.text().contains("1 take-overs that nothing called for"), report.text());
        assertTrue(report.text().contains("vm1 by beta, after: 3: paused: vm2"), report.text());
    }

    @Test
    void aLostWriteAResetALeakOrAProblemFailsTheSoakWhichTellsItsSeed() {
        assertEquals(
                "seed 42: 1 writes lost, 0 connections reset",
                report(1, 0, List.of(), List.of()).verdict());
        assertEquals(
                "seed 42: 0 writes lost, 1 connections reset",
                report(0, 1, List.of(), List.of()).verdict());
        assertEquals(
                "seed 42: a QEMU; a disk",
                report(0, 0, List.of("a QEMU"), List.of("a disk")).verdict());
    }

    @Test
    void eachKindOfEventHasItsNumberAndItsTimes() {
        assertEquals(
                List.of(
                        new SoakReport.Kind(
                                "host lost",
                                1,
                                new SoakReport.Times(2_000, 2_000, 2_000),
                                new SoakReport.Times(7_000, 7_000, 7_000)),
                        new SoakReport.Kind(
                                "paused", 3, new SoakReport.Times(20, 30, 30), new SoakReport.Times(200, 300, 300))),
                report(0, 0, List.of(), List.of()).events());
    }
}
