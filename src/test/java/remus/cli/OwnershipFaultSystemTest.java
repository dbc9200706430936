package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import remus.api.EventType;
import remus.api.StartRequest;
import remus.api.VmState;

/**
 * Hosts that die or stop in the midst of a decision about who owns the VM: it runs exactly once afterwards, or, where both
 * copies have died, the operator is told what to do. {@code -Dremus.stop.seconds} makes the stops longer than here.
 */
@Tag("system")
@Timeout(600)
class OwnershipFaultSystemTest {
    private static final Duration STOP = Duration.ofSeconds(Integer.getInteger("remus.stop.seconds", 3));

    @TempDir
    private Path directory;

    private Path victims() {
        return directory.resolve("victims");
    }

    private List<String> fault(String point, String signal) {
        return List.of("-Dremus.fault=" + point + "@1@" + victims() + signal);
    }

    private void name(long... pids) throws Exception {
        StringBuilder text = new StringBuilder();
        for (long pid : pids) {
            text.append(pid).append('\n');
        }
        Path complete = Files.writeString(directory.resolve("victims.new"), text);
        Files.move(complete, victims());
    }

    /** Between the hosts, so that the primary lives and knows nothing of what its backup does. */
    private static void cutHosts(PartitionRounds rounds) throws Exception {
        rounds.bridge().cut(rounds.primary().place(), rounds.backup().place());
        rounds.bridge().cut(rounds.backup().place(), rounds.primary().place());
    }

    private static void expectRunsOn(TwoHosts hosts, PartitionRounds rounds, DemoHost host) throws Exception {
        assertEquals(host.name(), rounds.settle().name(), rounds::story);
        hosts.awaitAnswers(rounds.load(), 20);
        rounds.expectOneOwner(host, rounds.bridge().frames());
        rounds.finish();
    }

    @ParameterizedTest
    @ValueSource(strings = {"ACTIVATING", "ACTIVATED"})
    void aBackupThatDiesWhileItActivatesIsSurvivedByThePrimary(String point) throws Exception {
        try (TwoHosts hosts = TwoHosts.openWithArbiter(directory, List.of(), fault(point, ""))) {
            hosts.bootRedis();
            try (PartitionRounds rounds = new PartitionRounds(hosts)) {
                rounds.protect();
                hosts.awaitAnswers(rounds.load(), 20);
                name(hosts.qemuPid(hosts.beta), hosts.beta.pid());
                rounds.bridge().capture(hosts.alpha.place(), hosts.beta.place());
                cutHosts(rounds);
                hosts.awaitEnd(hosts.beta);
                hosts.startDaemon(hosts.beta);
                hosts.beta.awaitUp();
                hosts.awaitEvent(hosts.alpha, EventType.DEGRADED);
                rounds.bridge().heal();
                expectRunsOn(hosts, rounds, hosts.alpha);
            }
        }
    }

    @Test
    void aPrimaryThatDiesWhileItAsksToGoOnAloneIsSurvivedByItsBackup() throws Exception {
        try (TwoHosts hosts = TwoHosts.openWithArbiter(directory)) {
            hosts.bootRedis();
            try (PartitionRounds rounds = new PartitionRounds(hosts)) {
                rounds.protect();
                hosts.awaitAnswers(rounds.load(), 20);
                rounds.bridge().capture(hosts.alpha.place(), hosts.beta.place());
                hosts.servers().stopAll();
                cutHosts(rounds);
                hosts.awaitEvent(
                        hosts.alpha,
                        event -> String.valueOf(event.reason()).contains("asking to go on alone"),
                        "question of alpha");
                hosts.alpha.kill(hosts.qemuPid(hosts.alpha));
                rounds.bridge().heal();
                hosts.startDaemon(hosts.alpha);
                hosts.alpha.awaitUp();
                hosts.servers().heal();
                expectRunsOn(hosts, rounds, hosts.beta);
            }
        }
    }

    @Test
    void whereBothCopiesDieTheOperatorIsToldWhatToDo() throws Exception {
        try (TwoHosts hosts = TwoHosts.openWithArbiter(directory, List.of(), fault("ACTIVATED", ""))) {
            hosts.bootRedis();
            try (PartitionRounds rounds = new PartitionRounds(hosts)) {
                rounds.protect();
                hosts.awaitAnswers(rounds.load(), 20);
                name(hosts.qemuPid(hosts.alpha), hosts.alpha.pid(), hosts.qemuPid(hosts.beta), hosts.beta.pid());
                rounds.bridge().capture(hosts.alpha.place(), hosts.beta.place());
                cutHosts(rounds);
                hosts.awaitEnd(hosts.beta);
                hosts.alpha.kill(null);
                rounds.bridge().heal();
                assertEquals(0, rounds.bridge().frames().ofNext(), "frames of a VM that was never granted");
                for (DemoHost host : List.of(hosts.alpha, hosts.beta)) {
                    hosts.startDaemon(host);
                    host.awaitUp();
                    assertEquals(List.of(), host.status().vms());
                    CommandException refused = assertThrows(CommandException.class, () -> start(hosts, host, false));
                    String said = String.valueOf(refused.getMessage());
                    assertTrue(said.contains("taking over") && said.contains("--force-stale"), said);
                }
                start(hosts, hosts.alpha, true);
                hosts.await(hosts.alpha, VmState.UNPROTECTED);
                rounds.load().close();
            }
        }
    }

    private void start(TwoHosts hosts, DemoHost host, boolean force) throws Exception {
        host.post(
                "/api/v1/vms",
                new StartRequest(hosts.guest.definition("remus.run=redis"), directory.toString(), force));
    }

    /** Stopped with its QEMU when the record says that it activates, and woken while the primary waits for it. */
    @ParameterizedTest
    @ValueSource(strings = {"ACTIVATING", "ACTIVATED"})
    void aBackupThatStopsWhileItActivatesGoesOnOrGivesWay(String point) throws Exception {
        try (TwoHosts hosts = TwoHosts.openWithArbiter(directory, List.of(), fault(point, "@STOP"))) {
            hosts.bootRedis();
            try (PartitionRounds rounds = new PartitionRounds(hosts)) {
                rounds.protect();
                hosts.awaitAnswers(rounds.load(), 20);
                long qemu = hosts.qemuPid(hosts.beta);
                name(qemu, hosts.beta.pid());
                rounds.bridge().capture(hosts.alpha.place(), hosts.beta.place());
                cutHosts(rounds);
                hosts.await(hosts.alpha, VmState.FENCED);
                TimeUnit.NANOSECONDS.sleep(STOP.toNanos()); // how long it stands still is what is tried
                TwoHosts.signal("CONT", qemu, hosts.beta.pid());
                rounds.bridge().heal();
                DemoHost owner = rounds.settle();
                expectRunsOn(hosts, rounds, owner);
            }
        }
    }

    /** Stopped with its QEMU while it waits for the arbiter's word, and woken when the backup runs the VM. */
    @Test
    void aPrimaryThatStopsWhileItAsksToGoOnAloneIsFencedWhenItWakes() throws Exception {
        try (TwoHosts hosts = TwoHosts.openWithArbiter(directory)) {
            hosts.bootRedis();
            try (PartitionRounds rounds = new PartitionRounds(hosts)) {
                rounds.protect();
                hosts.awaitAnswers(rounds.load(), 20);
                rounds.bridge().capture(hosts.alpha.place(), hosts.beta.place());
                hosts.servers().stopAll();
                cutHosts(rounds);
                hosts.awaitEvent(
                        hosts.alpha,
                        event -> String.valueOf(event.reason()).contains("asking to go on alone"),
                        "question of alpha");
                long qemu = hosts.qemuPid(hosts.alpha);
                TwoHosts.signal("STOP", hosts.alpha.pid(), qemu);
                hosts.servers().heal();
                hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
                TimeUnit.NANOSECONDS.sleep(STOP.toNanos()); // how long it stands still is what is tried
                TwoHosts.signal("CONT", qemu, hosts.alpha.pid());
                rounds.bridge().heal();
                expectRunsOn(hosts, rounds, hosts.beta);
            }
        }
    }

    /** A protected primary, or its standing backup, stands still; whoever is left goes on, and whoever wakes gives way. */
    @ParameterizedTest
    @ValueSource(strings = {"PRIMARY", "BACKUP"})
    void aHostThatStopsWhileTheVmIsProtectedGivesWayWhenItWakes(String which) throws Exception {
        try (TwoHosts hosts = TwoHosts.openWithArbiter(directory)) {
            hosts.bootRedis();
            try (PartitionRounds rounds = new PartitionRounds(hosts)) {
                rounds.protect();
                hosts.awaitAnswers(rounds.load(), 20);
                rounds.bridge().capture(hosts.alpha.place(), hosts.beta.place());
                DemoHost stopped = which.equals("PRIMARY") ? hosts.alpha : hosts.beta;
                DemoHost left = which.equals("PRIMARY") ? hosts.beta : hosts.alpha;
                long qemu = hosts.qemuPid(stopped);
                TwoHosts.signal("STOP", stopped.pid(), qemu);
                hosts.awaitEvent(left, which.equals("PRIMARY") ? EventType.ACTIVATED : EventType.DEGRADED);
                TimeUnit.NANOSECONDS.sleep(STOP.toNanos()); // how long it stands still is what is tried
                TwoHosts.signal("CONT", qemu, stopped.pid());
                expectRunsOn(hosts, rounds, left);
            }
        }
    }
}
