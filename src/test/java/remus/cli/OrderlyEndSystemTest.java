package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import remus.api.EventType;
import remus.api.VmState;
import remus.api.WhenAlone;
import remus.linux.ProcessIdentity;
import remus.qemu.MachineType;

/** What ends on purpose never starts a second VM, and what happens within the guest is shown as what it is. */
@Tag("system")
@Timeout(180)
class OrderlyEndSystemTest {
    private static final String DETECT = "500ms";

    @TempDir
    private Path directory;

    private static void protect(TwoHosts hosts) throws Exception {
        hosts.protect(hosts.alpha, hosts.beta, DETECT, WhenAlone.HOLD);
    }

    private static void expectNoTakeover(TwoHosts hosts) throws Exception {
        hosts.awaitNoVm(hosts.beta);
        assertFalse(TwoHosts.happened(hosts.beta, EventType.ACTIVATING));
    }

    @Test
    void aGuestThatPowersItselfOffIsNoFailure() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.boot("remus.run=redis remus.poweroff-after=12");
            DemoGuest.awaitRedis(hosts.inside, TwoHosts.LIMIT);
            protect(hosts);
            hosts.awaitEvent(hosts.alpha, EventType.GUEST_SHUTDOWN);
            hosts.await(hosts.alpha, VmState.STOPPED);
            expectNoTakeover(hosts);
        }
    }

    @Test
    void stopEndsTheVmOnBothHosts() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            protect(hosts);
            assertEquals(
                    VmState.STOPPED,
                    hosts.alpha.post(VmPath.verb(DemoGuest.NAME, "stop")).state());
            hosts.awaitNoVm(hosts.alpha);
            expectNoTakeover(hosts);
        }
    }

    @Test
    void unprotectLetsTheVmRunOnAlone() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            protect(hosts);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                hosts.alpha.post(VmPath.verb(DemoGuest.NAME, "unprotect"));
                hosts.await(hosts.alpha, VmState.UNPROTECTED);
                expectNoTakeover(hosts);
                hosts.awaitAnswers(load, 50);
                ClientLoad.Figures figures = load.finish();
                assertNull(figures.problem());
                assertEquals(0, figures.lost() + figures.resets());
            }
        }
    }

    @Test
    void sigtermOfThePrimarysDaemonEndsItsVmsInGoodOrder() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            protect(hosts);
            long qemu = hosts.qemuPid(hosts.alpha);
            hosts.alpha.end();
            assertTrue(ProcessIdentity.of(qemu).isEmpty());
            expectNoTakeover(hosts);
        }
    }

    @Test
    void sigtermOfTheBackupsDaemonLetsThePrimaryGoOnAtOnce() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            protect(hosts);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                hosts.beta.end();
                hosts.awaitEvent(hosts.alpha, EventType.DEGRADED);
                hosts.awaitAnswers(load, 50);
                assertEquals(0, load.finish().lost());
            }
        }
    }

    @Test
    void aGuestThatResetsItselfStaysProtected() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.boot("remus.run=redis remus.reboot-after=12");
            DemoGuest.awaitRedis(hosts.inside, TwoHosts.LIMIT);
            protect(hosts);
            hosts.awaitEvent(hosts.alpha, EventType.GUEST_RESET);
            assertEquals(VmState.PROTECTED, hosts.alpha.status(DemoGuest.NAME).state());
            assertFalse(TwoHosts.happened(hosts.beta, EventType.ACTIVATING));
        }
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "VIRT") // arm64 takes minutes to boot again under TCG
    void aGuestThatResetsItselfAfterAFailoverComesUpAgain(MachineType machine) throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.boot(machine, "remus.run=redis remus.reboot-after=40");
            DemoGuest.awaitRedis(hosts.inside, TwoHosts.LIMIT);
            protect(hosts);
            hosts.alpha.kill(hosts.qemuPid(hosts.alpha));
            hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
            assertFalse(TwoHosts.happened(hosts.beta, EventType.GUEST_RESET));
            hosts.awaitEvent(hosts.beta, EventType.GUEST_RESET);
            DemoGuest.awaitRedis(hosts.inside, TwoHosts.LIMIT);
            hosts.await(hosts.beta, VmState.PROTECTED);
        }
    }

    @Test
    void aGuestThatPowersItselfOffAfterAFailoverIsNoFailure() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.boot("remus.run=redis remus.poweroff-after=40");
            DemoGuest.awaitRedis(hosts.inside, TwoHosts.LIMIT);
            protect(hosts);
            hosts.alpha.kill(hosts.qemuPid(hosts.alpha));
            hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
            hosts.awaitEvent(hosts.beta, EventType.GUEST_SHUTDOWN);
            hosts.await(hosts.beta, VmState.STOPPED);
        }
    }

    @Test
    void aGuestThatPanicsIsShownAndReplicatedAsItIs() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.boot("remus.run=redis remus.panic-after=12");
            DemoGuest.awaitRedis(hosts.inside, TwoHosts.LIMIT);
            protect(hosts);
            hosts.awaitEvent(hosts.alpha, EventType.GUEST_PANIC);
            assertEquals(VmState.PROTECTED, hosts.alpha.status(DemoGuest.NAME).state());
            assertTrue(hosts.beta.status(DemoGuest.NAME).state() == VmState.STANDBY);
        }
    }
}
