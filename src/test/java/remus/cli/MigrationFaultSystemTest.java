package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import remus.api.EventType;
import remus.api.MigrateRequest;
import remus.api.MigrationStage;
import remus.api.MigrationStatus;
import remus.api.VmState;

/** Whatever dies while a VM moves, it runs on exactly one of the two hosts, and its client goes on. */
@Tag("system")
@Tag("long")
@Timeout(300)
class MigrationFaultSystemTest {
    @TempDir
    private Path directory;

    private Path victims() {
        return directory.resolve("victims");
    }

    private List<String> fault(String point) {
        return faultIn(1, point, "");
    }

    /** The destination has all of the VM by then, and the guest goes on until the last checkpoint. */
    private List<String> faultWhileItSettles(String point, String how) {
        return faultIn(2, point, how);
    }

    private List<String> faultIn(int epoch, String point, String how) {
        return List.of("-Dremus.fault=%s@%d@%s%s".formatted(point, epoch, victims(), how));
    }

    private void name(long... pids) throws Exception {
        StringBuilder text = new StringBuilder();
        for (long pid : pids) {
            text.append(pid).append('\n');
        }
        Files.move(Files.writeString(directory.resolve("victims.new"), text), victims());
    }

    /** So slowly that there is time to see each stage. */
    private static void migrate(TwoHosts hosts) throws Exception {
        hosts.alpha.migrate(
                DemoGuest.NAME,
                new MigrateRequest(
                        hosts.beta.replicationAddress().toString(),
                        null,
                        null,
                        null,
                        null,
                        null,
                        null,
                        null,
                        null,
                        null,
                        "40MiB",
                        null,
                        null,
                        null));
        awaitMigration(hosts, now -> !now.rounds().isEmpty());
    }

    private static MigrationStatus awaitMigration(TwoHosts hosts, Predicate<MigrationStatus> wanted) throws Exception {
        long deadline = System.nanoTime() + TwoHosts.LIMIT.toNanos();
        while (true) {
            MigrationStatus now = hosts.alpha.migration(DemoGuest.NAME);
            if (wanted.test(now)) {
                return now;
            }
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError(now + hosts.story());
            }
            TimeUnit.MILLISECONDS.sleep(20);
        }
    }

    private static void expectStays(TwoHosts hosts, RedisClientLoad load) throws Exception {
        MigrationStatus last = awaitMigration(hosts, now -> now.stage() == MigrationStage.FAILED);
        hosts.await(hosts.alpha, VmState.UNPROTECTED);
        hosts.awaitAnswers(load, 20);
        assertNull(last.downtimeMicros());
        expectNothingLost(load);
    }

    private static void expectNothingLost(RedisClientLoad load) throws Exception {
        ClientLoad.Figures figures = load.finish();
        assertNull(figures.problem());
        assertEquals(0, figures.lost());
        assertEquals(0, figures.resets());
    }

    @ParameterizedTest
    @ValueSource(strings = {"APPLYING", "ACTIVATING", "ACTIVATED"})
    void aDestinationThatDiesLeavesTheVmWhereItWas(String point) throws Exception {
        try (TwoHosts hosts = TwoHosts.openWithArbiter(directory, List.of(), fault(point))) {
            hosts.bootRedis();
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                migrate(hosts);
                name(hosts.qemuPid(hosts.beta), hosts.beta.pid());
                expectStays(hosts, load);
            }
        }
    }

    @Test
    void aDestinationThatDiesInThePushPhaseLeavesTheVmWhereItWas() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                migrate(hosts);
                hosts.beta.kill(hosts.qemuPid(hosts.beta));
                expectStays(hosts, load);
            }
        }
    }

    @Test
    void aLinkThatBreaksInThePushPhaseLeavesTheVmWhereItWas() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            DemoSwitch bridge = new DemoSwitch(hosts.topology);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                migrate(hosts);
                bridge.cut(hosts.alpha.place(), hosts.beta.place());
                bridge.cut(hosts.beta.place(), hosts.alpha.place());
                expectStays(hosts, load);
            }
        }
    }

    @Test
    void aSourceThatDiesWhenItHasHandedAllOverIsSurvivedByTheDestination() throws Exception {
        try (TwoHosts hosts = TwoHosts.openWithArbiter(directory, fault("HANDING_OVER"), List.of())) {
            hosts.bootRedis();
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                migrate(hosts);
                name(hosts.qemuPid(hosts.alpha), hosts.alpha.pid());
                hosts.awaitEnd(hosts.alpha);
                hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
                hosts.awaitAnswers(load, 20);
                expectNothingLost(load);
            }
        }
    }

    @Test
    void aDestinationThatDiesWhenItHasAllOfItLeavesTheVmWhereItWasWithoutAnArbiterToo() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory, List.of(), faultWhileItSettles("APPLYING", ""))) {
            hosts.bootRedis();
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                migrate(hosts);
                name(hosts.qemuPid(hosts.beta), hosts.beta.pid());
                expectStays(hosts, load);
            }
        }
    }

    @Test
    void aSourceThatDiesWhenTheDestinationHasAllOfItIsSurvivedWithoutAnArbiterToo() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory, faultWhileItSettles("ACKNOWLEDGED", ""), List.of())) {
            hosts.bootRedis();
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                migrate(hosts);
                name(hosts.qemuPid(hosts.alpha), hosts.alpha.pid());
                hosts.awaitEnd(hosts.alpha);
                hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
                hosts.awaitAnswers(load, 20);
                expectNothingLost(load);
            }
        }
    }

    @Test
    void aSourceThatIsSilentWhileTheDestinationSettlesGoesOnWithItsVmAlone() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory, faultWhileItSettles("ACKNOWLEDGED", "@STOP"), List.of())) {
            hosts.bootRedis();
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                migrate(hosts);
                name(hosts.alpha.pid());
                hosts.awaitNoVm(hosts.beta); // nobody takes over what was not handed over
                TwoHosts.signal("CONT", hosts.alpha.pid());
                expectStays(hosts, load);
            }
        }
    }

    @Test
    void aMigrationThatIsCancelledLeavesTheVmWhereItWas() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                migrate(hosts);
                hosts.alpha.cancelMigration(DemoGuest.NAME);
                expectStays(hosts, load);
                hosts.awaitNoVm(hosts.beta);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"TRANSFERRING", "ACKNOWLEDGED", "HANDING_OVER"})
    void aSourceWhoseDaemonDiesAdoptsTheVmAgainOrFindsItAtTheDestination(String point) throws Exception {
        try (TwoHosts hosts = TwoHosts.openWithArbiter(directory, fault(point), List.of())) {
            hosts.bootRedis();
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                migrate(hosts);
                name(hosts.alpha.pid());
                hosts.awaitEnd(hosts.alpha);
                hosts.startDaemon(hosts.alpha);
                hosts.alpha.awaitUp();
                hosts.awaitAnswers(load, 20);
                expectNothingLost(load);
            }
        }
    }
}
