package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What a migration campaign tells, and that its seed decides what it tries. */
class MigrationCampaignReportTest {
    private static MigrationCampaignReport.Hop hop(String workload, @Nullable Double downtimeMillis, double stall) {
        return new MigrationCampaignReport.Hop(
                workload,
                workload + " --verify",
                workload.equals("idle"),
                "alpha",
                "beta",
                downtimeMillis != null,
                "rounds-used-up",
                "1 round was done, and 1 page (4 KiB) left",
                List.of(),
                10 * stall,
                downtimeMillis,
                stall,
                downtimeMillis != null,
                100,
                0,
                0);
    }

    @Test
    void eachWorkloadHasTheFiguresOfThoseThatMoved() {
        MigrationCampaignReport report = MigrationCampaignReport.of(
                6,
                42,
                List.of(
                        hop("idle", 1.0, 10),
                        hop("faster-than-link", null, 900),
                        hop("idle", 3.0, 30),
                        hop("idle", 2.0, 20),
                        hop("faster-than-link", 5.0, 50)),
                null);
        assertEquals(4, report.migrations());
        assertEquals(1, report.aborted());
        assertEquals(3, report.whileProtected());
        assertEquals(4, report.memoriesEqual());
        assertEquals(500, report.acknowledged());
        MigrationCampaignReport.Workload fast = report.workloads().getFirst();
        assertEquals("faster-than-link", fast.workload());
        assertEquals(Map.of("rounds-used-up", 2), fast.endings());
        assertEquals(new MigrationCampaignReport.Spread(50, 50), fast.stallMillis());
        MigrationCampaignReport.Workload idle = report.workloads().get(1);
        assertEquals(new MigrationCampaignReport.Spread(200, 300), idle.totalMillis());
        assertEquals(new MigrationCampaignReport.Spread(2, 3), idle.downtimeMillis());
        assertTrue(
                report.text().startsWith("5 of 6 rounds, seed 42: 4 migrations, 1 aborted as ordered"), report.text());
    }

    @Test
    void aWorkloadThatNeverMovedHasNoFiguresAndAProblemIsTold() {
        MigrationCampaignReport report =
                MigrationCampaignReport.of(2, 1, List.of(hop("faster-than-link", null, 900)), "round 2: no answer");
        assertNull(report.workloads().getFirst().downtimeMillis());
        assertTrue(report.text().endsWith("PROBLEM: round 2: no answer"), report.text());
    }

    private static List<String> drawn(int rounds, long seed) {
        return DrawnMigration.draw(rounds, new Random(seed)).stream()
                .map(DrawnMigration::toString)
                .toList();
    }

    @Test
    void theSeedDecidesEachMigrationAndGivesEachGuestItsShare() {
        assertEquals(drawn(100, 7), drawn(100, 7));
        assertNotEquals(drawn(100, 7), drawn(100, 8));
        for (int rounds : new int[] {4, 100}) {
            Map<MigrationGuest, Long> shares = DrawnMigration.draw(rounds, new Random(1)).stream()
                    .collect(Collectors.groupingBy(DrawnMigration::guest, Collectors.counting()));
            assertEquals(EnumSet.allOf(MigrationGuest.class), shares.keySet());
            assertEquals(Set.of(rounds / 4L), Set.copyOf(shares.values()));
        }
        assertEquals(1, drawn(1, 1).size());
    }
}
