package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import remus.api.EventType;
import remus.api.Json;
import remus.api.MigrateRequest;
import remus.api.MigrationRound;
import remus.api.MigrationStage;
import remus.api.MigrationStatus;
import remus.api.VmState;
import remus.api.WhenAlone;
import remus.api.WhenUnconverged;

/** A VM moves to another host with a client that notices a stall and nothing else. */
@Tag("system")
@Timeout(300)
class MigrationSystemTest {
    @TempDir
    private Path directory;

    private static void expectNothingLost(RedisClientLoad load) throws Exception {
        ClientLoad.Figures figures = load.finish();
        assertNull(figures.problem());
        assertEquals(0, figures.lost());
        assertEquals(0, figures.resets());
    }

    private static MigrationStatus migrate(TwoHosts hosts, DemoHost from, DemoHost to, String... options)
            throws Exception {
        TwoHosts.Outcome outcome = hosts.remus(
                from,
                Stream.concat(
                                Stream.of(
                                        "migrate",
                                        DemoGuest.NAME,
                                        "--json",
                                        "--to",
                                        to.replicationAddress().toString()),
                                Arrays.stream(options))
                        .toArray(String[]::new));
        assertEquals(0, outcome.exitCode(), () -> outcome.err() + outcome.out() + hosts.story());
        return Json.readStrictly(outcome.out(), MigrationStatus.class);
    }

    /** It runs there, and only there. */
    private static void expectRunsOn(TwoHosts hosts, DemoHost to, DemoHost former) throws Exception {
        hosts.await(to, VmState.UNPROTECTED);
        hosts.awaitEvent(to, EventType.MIGRATED);
        hosts.awaitNoQemu(former);
    }

    private static void expectWhole(MigrationStatus status) {
        assertEquals(MigrationStage.DONE, status.stage());
        assertEquals(true, status.memoryEqual());
        assertNotNull(status.downtimeMicros());
        assertNotNull(status.stopCondition());
        MigrationRound first = status.rounds().getFirst();
        assertEquals(status.memoryBytes() / 4096, first.pages());
        assertEquals(
                first.pages(),
                first.pagesSent() + first.zeroPages() + first.skippedPages(),
                "each page is sent, told to be zero, or left to the next round: " + first);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            remus.run=redis
            remus.run=dirty,redis remus.pages=500 remus.per=25ms
            remus.run=dirty,redis remus.pages=2000 remus.per=25ms
            """)
    void aClientLosesNothingWhenItsGuestMovesToAndFro(String work) throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.boot(work);
            DemoGuest.awaitRedis(hosts.inside, TwoHosts.LIMIT);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                for (int round = 0; round < 2; round++) {
                    expectWhole(migrate(hosts, hosts.alpha, hosts.beta, "--verify"));
                    hosts.awaitAnswers(load, 20);
                    expectRunsOn(hosts, hosts.beta, hosts.alpha);
                    expectWhole(migrate(hosts, hosts.beta, hosts.alpha, "--verify"));
                    hosts.awaitAnswers(load, 20);
                    expectRunsOn(hosts, hosts.alpha, hosts.beta);
                }
                expectNothingLost(load);
            }
        }
    }

    @Test
    void stopTheWorldCopiesAllOfItWhileTheGuestStandsStill() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                MigrationStatus status =
                        migrate(hosts, hosts.alpha, hosts.beta, "--mode", "stop-the-world", "--verify");
                expectWhole(status);
                assertEquals(1, status.rounds().size());
                Long downtimeMicros = status.downtimeMicros();
                assertTrue(
                        downtimeMicros != null
                                && downtimeMicros >= status.rounds().getFirst().micros(),
                        status.toString());
                hosts.awaitAnswers(load, 20);
                expectRunsOn(hosts, hosts.beta, hosts.alpha);
                expectNothingLost(load);
            }
        }
    }

    @Test
    void aProtectedVmIsProtectedAgainFromItsNewHost() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, TwoHosts.NO_TAKE_OVER, WhenAlone.HOLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                MigrationStatus status = migrate(hosts, hosts.alpha, hosts.beta);
                assertEquals(MigrationStage.DONE, status.stage());
                hosts.await(hosts.beta, VmState.PROTECTED);
                hosts.await(hosts.alpha, VmState.STANDBY);
                hosts.awaitAnswers(load, 20);
                expectNothingLost(load);
            }
        }
    }

    /** It writes 2,000 pages each 25 ms, of which 50 MiB a second take 320. */
    private static void bootBusy(TwoHosts hosts) throws Exception {
        hosts.boot("remus.run=dirty,redis remus.pages=2000 remus.per=25ms");
        DemoGuest.awaitRedis(hosts.inside, TwoHosts.LIMIT);
    }

    @Test
    void aGuestThatWritesFasterThanTheLinkIsSuspendedWhenItsRoundsAreUsedUp() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            bootBusy(hosts);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                MigrationStatus status = migrate(
                        hosts,
                        hosts.alpha,
                        hosts.beta,
                        "--max-rate",
                        "50MiB",
                        "--max-downtime",
                        "1ms",
                        "--max-rounds",
                        "4",
                        "--settled-rounds",
                        "0",
                        "--verify");
                expectWhole(status);
                assertEquals(4, status.rounds().size());
                assertTrue(status.stopAndCopyPages() > 0, status.toString());
                assertTrue(
                        String.valueOf(status.stopCondition()).startsWith("4 rounds were done, and "),
                        status.stopCondition());
                hosts.awaitAnswers(load, 20);
                expectRunsOn(hosts, hosts.beta, hosts.alpha);
                expectNothingLost(load);
            }
        }
    }

    @Test
    void aGuestThatIsSlowedDownConvergesAndHasItsSpeedBackWhereItGoesOn() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            bootBusy(hosts);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                MigrationStatus status = migrate(
                        hosts,
                        hosts.alpha,
                        hosts.beta,
                        "--max-rate",
                        "50MiB",
                        "--max-downtime",
                        "60ms",
                        "--max-rounds",
                        "100",
                        "--auto-converge",
                        "--verify");
                expectWhole(status);
                assertTrue(status.rounds().size() < 100, status.toString());
                assertTrue(status.rounds().getLast().heldPercent() > 0, status.toString());
                assertTrue(String.valueOf(status.stopCondition()).endsWith("within 60ms"), status.stopCondition());
                expectRunsOn(hosts, hosts.beta, hosts.alpha);
                expectNotHeld(hosts, hosts.beta, load);
                expectNothingLost(load);
            }
        }
    }

    /** Its clock would fall behind if it were made to stand still now and then. */
    private static void expectNotHeld(TwoHosts hosts, DemoHost host, RedisClientLoad load) throws Exception {
        long before = host.status(DemoGuest.NAME).guestClockLagMillis();
        hosts.awaitAnswers(load, 50);
        assertEquals(before, host.status(DemoGuest.NAME).guestClockLagMillis(), hosts::story);
    }

    @Test
    void aGuestThatWasSlowedDownForNothingHasItsSpeedBack() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            bootBusy(hosts);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                hosts.alpha.migrate(
                        DemoGuest.NAME,
                        new MigrateRequest(
                                hosts.beta.replicationAddress().toString(),
                                null,
                                "1ms",
                                1000,
                                null,
                                null,
                                null,
                                null,
                                WhenUnconverged.AUTO_CONVERGE,
                                null,
                                "50MiB",
                                null,
                                null,
                                null));
                await(hosts, now -> now.rounds().stream().anyMatch(round -> round.heldPercent() > 0));
                hosts.alpha.cancelMigration(DemoGuest.NAME);
                await(hosts, now -> now.stage() == MigrationStage.FAILED);
                hosts.await(hosts.alpha, VmState.UNPROTECTED);
                hosts.awaitAnswers(load, 20);
                expectNotHeld(hosts, hosts.alpha, load);
                hosts.awaitNoVm(hosts.beta);
                expectNothingLost(load);
            }
        }
    }

    private static void await(TwoHosts hosts, Predicate<MigrationStatus> wanted) throws Exception {
        long deadline = System.nanoTime() + TwoHosts.LIMIT.toNanos();
        while (true) {
            MigrationStatus now = hosts.alpha.migration(DemoGuest.NAME);
            if (wanted.test(now)) {
                return;
            }
            assertTrue(System.nanoTime() - deadline < 0, () -> now + hosts.story());
            TimeUnit.MILLISECONDS.sleep(20);
        }
    }

    @Test
    void aGuestThatWritesFasterThanTheLinkStaysWhereItIsIfThatIsTheOrder() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.boot("remus.run=dirty,redis remus.pages=2000 remus.per=25ms");
            DemoGuest.awaitRedis(hosts.inside, TwoHosts.LIMIT);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                TwoHosts.Outcome outcome = hosts.remus(
                        hosts.alpha,
                        "migrate",
                        DemoGuest.NAME,
                        "--to",
                        hosts.beta.replicationAddress().toString(),
                        "--max-rate",
                        "50MiB",
                        "--max-downtime",
                        "1ms",
                        "--max-rounds",
                        "4",
                        "--abort");
                assertNotEquals(0, outcome.exitCode(), outcome.out());
                hosts.await(hosts.alpha, VmState.UNPROTECTED);
                hosts.awaitAnswers(load, 20);
                hosts.awaitNoVm(hosts.beta);
                expectNothingLost(load);
            }
        }
    }
}
