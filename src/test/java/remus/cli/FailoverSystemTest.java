package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import remus.api.EventType;
import remus.api.FailoverRequest;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.WhenAlone;
import remus.linux.ProcessIdentity;

/** Whatever dies on the primary, and whenever: the backup goes on, and the client has lost nothing. */
@Tag("system")
@Timeout(180)
class FailoverSystemTest {
    private static final String DETECT = "2s";

    @TempDir
    private Path directory;

    @ParameterizedTest
    @ValueSource(strings = {"PAUSED", "TRANSFERRING", "ACKNOWLEDGED", "APPLYING"})
    void aHostThatDiesInAnyPhaseOfACheckpointLosesNothing(String phase) throws Exception {
        Path victims = directory.resolve("victims");
        List<String> fault = List.of("-Dremus.fault=" + phase + "@40@" + victims);
        boolean onBackup = phase.equals("APPLYING");
        try (TwoHosts hosts = TwoHosts.open(directory, onBackup ? List.of() : fault, onBackup ? fault : List.of())) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, DETECT, WhenAlone.HOLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                Path complete = Files.writeString(
                        directory.resolve("victims.new"), hosts.qemuPid(hosts.alpha) + "\n" + hosts.alpha.pid() + "\n");
                Files.move(complete, victims);
                expectTakeover(hosts, load);
            }
        }
    }

    /** The backup runs the VM, the client's one connection goes on, and nothing that it was told is lost. */
    private static void expectTakeover(TwoHosts hosts, RedisClientLoad load) throws Exception {
        hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
        hosts.awaitAnswers(load, 50);
        ClientLoad.Figures figures = load.finish();
        assertNull(figures.problem());
        assertEquals(0, figures.lost());
        assertEquals(0, figures.resets());
        assertEquals(VmRole.PRIMARY, hosts.beta.status(DemoGuest.NAME).role());
    }

    @ParameterizedTest
    @ValueSource(strings = {"KILL", "STOP"})
    void aQemuThatDiesOrHangsUnderALivingDaemonIsReplaced(String signal) throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, DETECT, WhenAlone.HOLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                TwoHosts.signal(signal, hosts.qemuPid(hosts.alpha));
                expectTakeover(hosts, load);
                hosts.awaitEvent(hosts.alpha, EventType.FENCED);
            }
        }
    }

    @Test
    void aStoppedHostThatWakesReleasesNothingAndIsFenced() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, DETECT, WhenAlone.CONTINUE);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                long qemu = hosts.qemuPid(hosts.alpha);
                long daemon = hosts.alpha.pid();
                TwoHosts.signal("STOP", daemon, qemu);
                hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
                hosts.awaitAnswers(load, 50);
                hosts.countFrames(hosts.alpha);
                TwoHosts.signal("CONT", qemu, daemon);
                hosts.awaitEvent(hosts.alpha, EventType.FENCED);
                hosts.awaitAnswers(load, 50);
                assertEquals(0, hosts.framesFrom(hosts.alpha), "frames of the woken primary");
                expectTakeover(hosts, load);
            }
        }
    }

    @Test
    void failoverByCommandFencesTheLivingPrimaryFirst() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, DETECT, WhenAlone.HOLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                hosts.beta.post(VmPath.verb(DemoGuest.NAME, "failover"), new FailoverRequest(false));
                expectTakeover(hosts, load);
                hosts.awaitEvent(hosts.alpha, EventType.FENCED);
            }
        }
    }

    @Test
    void aQemuWithoutItsDaemonHasNoNetworkAndIsFencedByTheNext() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, DETECT, WhenAlone.HOLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                long qemu = hosts.qemuPid(hosts.alpha);
                hosts.alpha.kill(null);
                expectTakeover(hosts, load);
                assertTrue(ProcessHandle.of(qemu).isPresent(), "QEMU outlives its daemon");
                hosts.startDaemon(hosts.alpha);
                hosts.alpha.awaitUp();
                hosts.awaitEvent(hosts.alpha, EventType.FENCED);
                hosts.await(hosts.beta, VmState.PROTECTED);
                assertTrue(ProcessIdentity.of(qemu).isEmpty(), "the next daemon ends it");
            }
        }
    }

    @Test
    void theSurvivorCanBeProtectedAgainAndFailBack() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, DETECT, WhenAlone.HOLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                hosts.alpha.kill(hosts.qemuPid(hosts.alpha));
                hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
                hosts.startDaemon(hosts.alpha);
                hosts.alpha.awaitUp();
                hosts.protect(hosts.beta, hosts.alpha, DETECT, WhenAlone.HOLD);
                hosts.awaitAnswers(load, 20);
                hosts.beta.kill(hosts.qemuPid(hosts.beta));
                hosts.awaitEvent(hosts.alpha, EventType.ACTIVATED);
                hosts.awaitAnswers(load, 50);
                ClientLoad.Figures figures = load.finish();
                assertNull(figures.problem());
                assertEquals(0, figures.lost() + figures.resets());
            }
        }
    }
}
