package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.EventType;
import remus.api.VmState;
import remus.api.WhenAlone;
import remus.linux.ProcessIdentity;

/** Daemons that are killed or restarted while their QEMUs go on: no VM ends needlessly, and none ever has two owners. */
@Tag("system")
@Tag("long")
@Timeout(420)
class DaemonRestartSystemTest {
    /** A wrapper that gives the daemon one option more. */
    private static final List<String> KEEP_VMS = List.of("sh", "-c", "exec \"$@\" --keep-vms", "sh");

    @TempDir
    private Path directory;

    private static ProcessIdentity qemu(TwoHosts hosts, DemoHost host) throws Exception {
        return ProcessIdentity.of(hosts.qemuPid(host)).orElseThrow();
    }

    private static void startAgain(TwoHosts hosts) throws Exception {
        hosts.startDaemon(hosts.alpha);
        hosts.alpha.awaitUp();
    }

    /** The client's one connection has gone on, and nothing that it was told is lost. */
    private static void expectNothingLost(TwoHosts hosts, RedisClientLoad load) throws Exception {
        hosts.awaitAnswers(load, 50);
        ClientLoad.Figures figures = load.finish();
        assertNull(figures.problem());
        assertEquals(0, figures.lost());
        assertEquals(0, figures.resets());
    }

    @Test
    void anUnprotectedVmOutlivesItsDaemonAndCanBeProtectedAgain() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                ProcessIdentity qemu = qemu(hosts, hosts.alpha);
                hosts.alpha.kill(null);
                startAgain(hosts);
                hosts.awaitEvent(hosts.alpha, EventType.ADOPTED);
                hosts.await(hosts.alpha, VmState.UNPROTECTED);
                assertEquals(qemu.pid(), hosts.qemuPid(hosts.alpha));
                hosts.awaitAnswers(load, 50);
                hosts.protect(hosts.alpha, hosts.beta, "2s", WhenAlone.HOLD);
                expectNothingLost(hosts, load);
                assertTrue(qemu.isAlive());
            }
        }
    }

    /** Of a host, on which nobody can listen. */
    private static final String NO_ADDRESS = "192.0.2.1:7421";

    @Test
    void aDaemonThatCanNotStartLeavesTheVmsThatItHasFound() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                ProcessIdentity qemu = qemu(hosts, hosts.alpha);
                hosts.alpha.kill(null);
                String own = hosts.alpha.replicationAddress().toString();
                for (List<String> addresses :
                        List.of(List.of("--listen", NO_ADDRESS), List.of("--listen", own, "--api", NO_ADDRESS))) {
                    List<String> arguments = new ArrayList<>(List.of(
                            "host",
                            "--name",
                            hosts.alpha.name(),
                            "--state",
                            hosts.alpha.state().toString()));
                    arguments.addAll(addresses);
                    TwoHosts.Outcome failed = hosts.remus(hosts.alpha, arguments.toArray(String[]::new));
                    assertEquals(1, failed.exitCode(), failed.err());
                    assertTrue(failed.err().contains(NO_ADDRESS), failed.err());
                    assertTrue(qemu.isAlive(), failed.err());
                }
                startAgain(hosts);
                hosts.await(hosts.alpha, VmState.UNPROTECTED);
                assertEquals(qemu.pid(), hosts.qemuPid(hosts.alpha));
                expectNothingLost(hosts, load);
            }
        }
    }

    @Test
    void aGuestWritesOnToItsDisksWhenTheirServerIsBack() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            DiskGuest guest = DiskGuest.boot(hosts);
            guest.background(new NumberedWrites(1).script());
            guest.background(DiskGuest.WRITE_FILES);
            String booted = guest.run("awk '{print $22}' /proc/1/stat; cat /proc/sys/kernel/random/boot_id");
            hosts.alpha.kill(null);
            startAgain(hosts);
            hosts.awaitEvent(hosts.alpha, EventType.ADOPTED);
            assertEquals(booted, guest.run("awk '{print $22}' /proc/1/stat; cat /proc/sys/kernel/random/boot_id"));
            guest.expectBackgroundRuns();
            assertEquals("0", guest.run("dmesg | grep -ic 'i/o error' || true").strip());
            hosts.protect(hosts.alpha, hosts.beta, "2s", WhenAlone.HOLD);
            guest.endBackground();
            guest.awaitEqualImages(hosts.alpha, hosts.beta);
        }
    }

    @Test
    void aPrimaryWhoseBackupTookOverIsFencedByItsNextDaemon() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, "2s", WhenAlone.HOLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                ProcessIdentity qemu = qemu(hosts, hosts.alpha);
                hosts.alpha.kill(null);
                hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
                startAgain(hosts);
                hosts.awaitEvent(hosts.alpha, EventType.FENCED);
                hosts.awaitAnswers(load, 20);
                // The one that has it now is protected by the former primary, as soon as that is there.
                hosts.await(hosts.beta, VmState.PROTECTED);
                assertFalse(qemu.isAlive(), "QEMU of the former primary");
                expectNothingLost(hosts, load);
            }
        }
    }

    @Test
    void withAnArbiterTheRecordFencesIt() throws Exception {
        try (TwoHosts hosts = TwoHosts.openWithArbiter(directory)) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, "2s", WhenAlone.HOLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                ProcessIdentity qemu = qemu(hosts, hosts.alpha);
                hosts.alpha.kill(null);
                hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
                startAgain(hosts);
                hosts.awaitEvent(hosts.alpha, EventType.FENCED);
                hosts.await(hosts.beta, VmState.PROTECTED);
                assertFalse(qemu.isAlive(), "QEMU of the former primary");
                expectNothingLost(hosts, load);
            }
        }
    }

    /** The hosts are cut off from each other for that time, so that the backup can't see the daemon's port refuse. */
    @Test
    void aBackupThatStillStandsByIsSignedOffAndBecomesTheBackupAnew() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, "60s", WhenAlone.HOLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                ProcessIdentity qemu = qemu(hosts, hosts.alpha);
                hosts.nft(DemoTopology.Place.BETA, """
                        table inet cut {
                          chain in {
                            type filter hook input priority 0
                            tcp dport 7420 drop
                            tcp sport 7420 drop
                          }
                        }
                        """);
                hosts.alpha.kill(null);
                startAgain(hosts);
                hosts.awaitEvent(hosts.alpha, EventType.ADOPTED);
                hosts.await(hosts.alpha, VmState.DEGRADED);
                hosts.nft(DemoTopology.Place.BETA, "delete table inet cut\n");
                hosts.awaitEvent(hosts.beta, EventType.UNPROTECTED);
                hosts.awaitEvent(hosts.alpha, EventType.DEGRADED);
                hosts.await(hosts.alpha, VmState.PROTECTED);
                hosts.await(hosts.beta, VmState.STANDBY);
                assertFalse(TwoHosts.happened(hosts.beta, EventType.ACTIVATING));
                assertTrue(qemu.isAlive());
                expectNothingLost(hosts, load);
            }
        }
    }

    /** Neither the definition nor anybody who types says so: the former daemon was told, and its backup was gone. */
    @Test
    void whoIsToBeTheBackupOutlivesTheDaemon() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, "2s", WhenAlone.CONTINUE);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                hosts.beta.kill(hosts.qemuPid(hosts.beta));
                hosts.awaitEvent(hosts.alpha, EventType.DEGRADED);
                hosts.alpha.kill(null);
                startAgain(hosts);
                hosts.awaitEvent(hosts.alpha, EventType.ADOPTED);
                hosts.awaitAnswers(load, 20);
                hosts.startDaemon(hosts.beta);
                hosts.await(hosts.alpha, VmState.PROTECTED);
                hosts.await(hosts.beta, VmState.STANDBY);
                expectNothingLost(hosts, load);
            }
        }
    }

    @Test
    void aVmThatIsNotToBeProtectedAnyMoreIsNotProtectedByTheNextDaemon() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, "2s", WhenAlone.HOLD);
            hosts.alpha.post(VmPath.verb(DemoGuest.NAME, "unprotect"));
            hosts.alpha.kill(null);
            startAgain(hosts);
            hosts.awaitEvent(hosts.alpha, EventType.ADOPTED);
            TwoHosts.Outcome refused = hosts.remus(hosts.alpha, "unprotect", DemoGuest.NAME);
            assertEquals(1, refused.exitCode(), refused.out());
            assertTrue(refused.err().contains("is not protected"), refused.err());
        }
    }

    @Test
    void aVmThatWasPausedByCommandIsAdoptedAsItIs() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                hosts.alpha.post(VmPath.verb(DemoGuest.NAME, "pause"));
                hosts.alpha.kill(null);
                hosts.startDaemon(hosts.alpha, KEEP_VMS);
                hosts.alpha.awaitUp();
                expectStill(hosts, load);
                hosts.protect(hosts.alpha, hosts.beta, "2s", WhenAlone.HOLD);
                hosts.alpha.end();
                startAgain(hosts);
                hosts.await(hosts.alpha, VmState.PROTECTED);
                expectStill(hosts, load);
                hosts.alpha.post(VmPath.verb(DemoGuest.NAME, "resume"));
                expectNothingLost(hosts, load);
            }
        }
    }

    private static void expectStill(TwoHosts hosts, RedisClientLoad load) throws Exception {
        String reason = String.valueOf(hosts.alpha.status(DemoGuest.NAME).reason());
        assertTrue(reason.startsWith("paused by command"), reason);
        assertTrue(load.isRunning());
        long before = load.figures().acknowledged();
        String told = hosts.awaitEvent(hosts.alpha, EventType.ADOPTED).reason();
        assertTrue(String.valueOf(told).contains("it stands still by command"), told);
        assertEquals(before, load.figures().acknowledged(), "answers of a guest that stands still");
    }

    @Test
    void aDaemonThatKeepsItsVmsCanBeRestarted() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.restartDaemon(hosts.alpha, KEEP_VMS);
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, "2s", WhenAlone.HOLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                ProcessIdentity qemu = qemu(hosts, hosts.alpha);
                hosts.alpha.end();
                hosts.awaitNoVm(hosts.beta);
                assertTrue(qemu.isAlive(), "QEMU while no daemon is there");
                startAgain(hosts);
                assertEquals(25, hosts.await(hosts.alpha, VmState.PROTECTED).intervalMillis());
                assertEquals(qemu.pid(), hosts.qemuPid(hosts.alpha));
                assertFalse(TwoHosts.happened(hosts.beta, EventType.ACTIVATING));
                expectNothingLost(hosts, load);
            }
        }
    }
}
