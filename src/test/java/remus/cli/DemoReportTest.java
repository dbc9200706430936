package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;
import remus.api.CheckpointStatus;
import remus.api.Json;
import remus.api.Percentiles;

class DemoReportTest {
    private static final ClientLoad.Figures GOOD = new ClientLoad.Figures(24_512, 0, 0, null);

    private static CheckpointStatus checkpoints(long count, long pause) {
        return new CheckpointStatus(
                count,
                new Percentiles(pause, 2 * pause, 3 * pause),
                new Percentiles(180, 900, 9_000),
                Percentiles.NONE,
                0,
                0);
    }

    private static DemoRound round(int number, KillKind kill, long detection, long pause) {
        Moment killed = new Moment(1_000_000_000, 5_000);
        long answered = 1_000_000_000 + (detection + 40 + 30) * 1_000_000;
        return DemoRound.failedOver(
                number,
                kill,
                killed,
                new TakeOver(Instant.ofEpochMilli(5_000 + detection), Instant.ofEpochMilli(5_000 + detection + 40)),
                new AnswerTimes.Stall(1_000_000_000, answered),
                checkpoints(400, pause));
    }

    @Test
    void aRoundsStallIsDividedByTheBackupsEvents() {
        DemoRound round = round(1, KillKind.POWER, 104, 3_000);
        assertEquals(104, round.detectionMillis());
        assertEquals(40, round.activationMillis());
        assertEquals(30, round.firstAnswerMillis());
        assertEquals(174, round.stallMillis());
    }

    @Test
    void theReportHasTheKeysOfTheContract() {
        DemoReport report = DemoReport.of(
                List.of(
                        round(1, KillKind.PROCESS, 10, 3_000),
                        round(2, KillKind.POWER, 110, 5_000),
                        round(3, KillKind.PROCESS, 20, 4_000)),
                GOOD,
                DemoChecks.NONE);
        assertTrue(report.passed());
        assertEquals("""
                {"rounds":3,"activations":3,"acknowledged":24512,"lost":0,"resets":0,\
                "stallMillis":{"p50":90,"p99":180,"max":180},\
                "detectionMillis":{"p50":20,"p99":110,"max":110},\
                "activationMillis":{"p50":40,"p99":40,"max":40},\
                "pauseMicros":{"p50":4000,"p99":10000,"max":15000},\
                "dirtyPages":{"p50":180,"p99":900,"max":9000},"checkpoints":1200,\
                "amcheckClean":null,"fsckClean":null}""", Json.write(report));
    }

    @Test
    void itPassesOnlyWhenNothingWasLostAndEveryKillSurvived() {
        List<DemoRound> one = List.of(round(1, KillKind.PROCESS, 10, 3_000));
        assertTrue(DemoReport.of(one, GOOD, DemoChecks.NONE).passed());
        assertFalse(DemoReport.of(one, new ClientLoad.Figures(9, 1, 0, "x"), DemoChecks.NONE)
                .passed());
        assertFalse(DemoReport.of(one, new ClientLoad.Figures(9, 0, 1, "x"), DemoChecks.NONE)
                .passed());
        List<DemoRound> dead = List.of(DemoRound.withoutFailover(1, KillKind.POWER, CheckpointStatus.NONE));
        DemoReport report = DemoReport.of(dead, GOOD, DemoChecks.NONE);
        assertFalse(report.passed());
        assertEquals(0, report.activations());
        assertEquals(Percentiles.NONE, report.stallMillis());
    }

    @Test
    void aDamagedDatabaseOrFileSystemCountsAsLost() {
        List<DemoRound> one = List.of(round(1, KillKind.PROCESS, 10, 3_000));
        DemoReport clean = DemoReport.of(one, GOOD, new DemoChecks(true, null, null));
        assertTrue(clean.passed());
        assertEquals(true, clean.amcheckClean());
        assertEquals(true, clean.fsckClean());
        DemoChecks dirty = new DemoChecks(true, "item order", "e2fsck -fn ended with 4");
        DemoReport report = DemoReport.of(one, GOOD, dirty);
        assertFalse(report.passed());
        assertEquals(2, report.lost());
        assertTrue(Json.write(report).endsWith("\"amcheckClean\":false,\"fsckClean\":false}"), Json.write(report));
        assertEquals(
                List.of("the database is damaged: item order", "the file system is damaged: e2fsck -fn ended with 4"),
                dirty.problems());
    }

    private static String shown(boolean terminal, ClientLoad.Figures client) {
        StringWriter text = new StringWriter();
        DemoDisplay display = new DemoDisplay(new PrintWriter(text), "writes", terminal, true);
        display.title("Remus demo", "two hosts, a protected VM, a kill");
        display.begin("network");
        display.done("namespaces client, alpha and beta on one bridge");
        List<DemoRound> rounds = List.of(round(1, KillKind.PROCESS, 10, 3_000), round(2, KillKind.POWER, 110, 5_000));
        rounds.forEach(round -> display.row(round, client));
        display.verdict(DemoReport.of(rounds, client, DemoChecks.NONE), client.problem());
        return text.toString();
    }

    @Test
    void elsewhereThanOnATerminalThereArePlainLines() {
        String text = shown(false, GOOD);
        assertFalse(text.contains("\u001b") || text.contains("\r"), text);
        assertTrue(text.lines().allMatch(line -> line.length() <= 81), text);
        assertEquals("""
                round kill    detection activation first answer  = stall    writes lost resets
                    1 process     10 ms      40 ms        30 ms    80 ms    24,512    0      0
                    2 power      110 ms      40 ms        30 ms   180 ms    24,512    0      0

                2 of 2 kills survived: one TCP connection, 24,512 acknowledged writes, none lost.

                  client stall   p50 80 ms   p99 180 ms   max 180 ms
                    detection    p50 10 ms   p99 110 ms   max 110 ms
                    activation   p50 40 ms   p99 40 ms   max 40 ms
                  checkpoints    800
                    pause        p50 3.0 ms   p99 10 ms   max 15 ms
                    dirty pages  p50 180   p99 900   max 9000
                """, text.substring(text.indexOf("round ")));
    }

    @Test
    void aTerminalGetsColoursAndALineThatIsWrittenOver() {
        assertTrue(shown(true, GOOD).contains("\u001b[32m2 of 2 kills survived"));
        assertTrue(shown(true, GOOD).contains("\r\u001b[2K"));
        String bad = shown(true, new ClientLoad.Figures(24_512, 3, 0, "GET of key 7 answered nothing"));
        assertTrue(bad.contains("\u001b[31;1mFAILED: 2 of 2 kills survived, 24,512 acknowledged writes, 3 lost"), bad);
        assertTrue(bad.contains("GET of key 7"), bad);
    }

    @Test
    void answersAreDrawnByHowLongTheyTook() {
        DemoDisplay display = new DemoDisplay(new PrintWriter(new StringWriter()), "writes", true, true);
        assertEquals("▁▂▄▅██", display.sparkline(new long[] {500, 2_500, 8_000, 25_000, 200_000, 9_000_000}));
        assertEquals(
                ".",
                new DemoDisplay(new PrintWriter(new StringWriter()), "writes", true, false).sparkline(new long[] {0}));
    }
}
