package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import remus.api.MigrationMode;
import remus.api.MigrationRound;
import remus.api.MigrationSettling;
import remus.api.MigrationStage;
import remus.api.MigrationStatus;

class MigrationTextTest {
    private static final MigrationRound HUGE = new MigrationRound(
            999, 1_073_741_824, 999_999_999, 73_741_825, 9_999_999, 4L << 40, 99_999_999_000L, 0, 999_999_999, 99);

    private static String report(MigrationStatus status) {
        return String.join("\n", MigrationText.report(status));
    }

    @Test
    void thePlanIsItsSentencesWithin80Columns() {
        assertEquals("""
                Migration of VM shop from alpha to 192.0.2.7:7420, pre-copy
                  - Memory (256 MiB) is copied in rounds while the guest runs.
                  - The guest is suspended as soon as what is left can be expected to arrive
                    within 30ms, after 30 rounds at the latest.""", String.join("\n", MigrationText.plan(FakeMigrations.done())));
    }

    @Test
    void eachRoundIsARowAndStopAndCopyTheLastOne() {
        assertEquals("""

                          pages      zero                         time               pages
                round      sent     pages  skipped       MiB        ms    MiB/s    written
                    1     40321     25215        0     157.5       423    372.3       3210
                    2      2804         0      406      11.0        31    353.3        911
                    3       880         3       28       3.4       9.7    354.4        312
                check       730         -        -       2.9        42     67.9          -
                 stop       312         -        -       1.3        12    104.7          -

                rounds ended  what was left could be expected to arrive within 30ms
                checkpoints   4 before the last one, within 42 ms; pauses of 9.1 ms in all
                downtime      12 ms (guest not running); 15 ms until its output left there
                total time    518 ms, after 310 ms of set-up
                sent          176.0 MiB, 0.69 times the guest's memory (256 MiB)
                memory        not compared (--verify does that)
                VM shop runs on 192.0.2.7:7420""", report(FakeMigrations.done()));
    }

    @Test
    void aGuestThatWasSlowedDownHasAColumnForThatAndNothingIsWiderThan80Columns() {
        MigrationStatus status = new MigrationStatus(
                "a-name-that-is-as-long-as-names-may-be-x",
                "alpha",
                "[2001:db8:1111:2222:3333:4444:5555:7777]:7420",
                MigrationMode.PRE_COPY,
                MigrationStage.DONE,
                List.of("word ".repeat(60).strip()),
                List.of(HUGE, FakeMigrations.ROUNDS.get(1)),
                "reason ".repeat(30).strip(),
                null,
                4L << 40,
                5L << 30,
                new MigrationSettling(4, 99_999_999, 400L << 30, 99_999_999, 9_999_999),
                123_456_789,
                9L << 40,
                310_000,
                199_999_999_000L,
                999_999_000L,
                999_999_000L,
                true);
        String report = report(status);
        assertTrue(
                report.contains("  999 999999999  73741825  9999999 4194304.0  99999999     41.9  999999999   99\n"),
                report);
        assertTrue(report.contains("disks         5 GiB copied\n"), report);
        assertTrue(report.contains("memory        compared: equal on both hosts\n"), report);
        // Names of that length are not broken.
        Stream.concat(report.lines(), MigrationText.plan(status).stream())
                .filter(line -> !line.contains(status.vm()))
                .forEach(line -> assertTrue(line.length() <= 80, line));
    }

    @Test
    void theRowOfStopAndCopyLeavesOutTheRoundThatTheGuestStoodStillFor() {
        MigrationStatus stopTheWorld = FakeMigrations.stopTheWorld();
        String report = report(stopTheWorld);
        assertTrue(
                report.contains("    1     40321     25215        0     157.5       423    372.3          0  100\n"),
                report);
        assertTrue(
                report.contains(" stop       120         -        -       0.5        17     28.0          -  100\n"),
                report);
        assertTrue(
                report.contains("downtime      442 ms (guest not running); 445 ms until its output left there\n"),
                report);
    }

    @Test
    void aDowntimeThatTheDestinationDidNotTellIsNotKnown() {
        MigrationStatus done = FakeMigrations.done();
        MigrationStatus silent = new MigrationStatus(
                done.vm(),
                done.from(),
                done.to(),
                done.mode(),
                done.stage(),
                done.plan(),
                done.rounds(),
                done.stopCondition(),
                null,
                done.memoryBytes(),
                0,
                done.settling(),
                done.stopAndCopyPages(),
                done.bytesSent(),
                done.setUpMicros(),
                done.totalMicros(),
                null,
                null,
                null);
        assertTrue(report(silent).contains("downtime      not known: the destination did not say\n"), report(silent));
    }

    @Test
    void aMigrationThatBeganNothingHasNoTable() {
        assertEquals(List.of(), MigrationText.report(FakeMigrations.status(MigrationStage.FAILED, List.of())));
    }

    @Test
    void whatFailedSaysWhyAndWhereTheVmRuns() {
        assertEquals(
                List.of(
                        "VM 'shop' was not moved to 192.0.2.7:7420: the connection to 192.0.2.7:7420 broke: reset by peer; "
                                + "see 'remus status shop' on alpha, where it was"),
                MigrationText.problems(FakeMigrations.failed()));
        assertTrue(report(FakeMigrations.failed()).contains("downtime      none\n"));
        assertEquals(List.of(), MigrationText.problems(FakeMigrations.done()));
    }

    @Test
    void theProgressOfEveryStageFitsBesideTheBarInALineOfATerminal() {
        for (MigrationStage stage : MigrationStage.values()) {
            String text = MigrationText.progress(FakeMigrations.status(stage, List.of(HUGE)));
            assertTrue(ProgressBar.beside(text).length() < 80, text);
        }
        assertEquals(
                "round 2: 100 % of 3210 pages, 353 MiB/s",
                MigrationText.progress(
                        FakeMigrations.status(MigrationStage.PUSHING, FakeMigrations.ROUNDS.subList(0, 2))));
        MigrationRound underWay = new MigrationRound(1, 65_536, 16_384, 8_192, 8_192, 64L << 20, 500_000, 0, 0, 20);
        assertEquals(
                "round 1: 50 % of 65536 pages, 128 MiB/s, held 20 %",
                MigrationText.progress(FakeMigrations.status(MigrationStage.PUSHING, List.of(underWay))));
    }
}
