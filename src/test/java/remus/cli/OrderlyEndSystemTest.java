package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import remus.api.EventType;
import remus.api.VmState;
import remus.api.WhenAlone;
import remus.base.RemusException;
import remus.linux.ProcessIdentity;
import remus.qemu.MachineType;

/** What ends on purpose never starts a second VM, and what happens within the guest is shown as what it is. */
@Tag("system")
@Timeout(180)
class OrderlyEndSystemTest {
    private static final String DETECT = "2s";
    private static final int END_PORT = 7000;
    private static final int ANSWER_MILLIS = 1000;

    /** Redis, and an end whenever {@link #tell} says so. */
    private static final String MORTAL = "remus.run=redis remus.end-port=" + END_PORT;

    @TempDir
    private Path directory;

    private static void protect(TwoHosts hosts) throws Exception {
        hosts.protect(hosts.alpha, hosts.beta, DETECT, WhenAlone.HOLD);
    }

    /** @param end poweroff, reboot or panic */
    private static void tell(TwoHosts hosts, String end) throws Exception {
        try (Socket guest = hosts.inside.connect(DemoGuest.ADDRESS, END_PORT)) {
            guest.getOutputStream().write((end + "\n").getBytes(StandardCharsets.US_ASCII));
        }
    }

    /** What Redis answers to one command; empty when it can't be asked. */
    private static String redis(TwoHosts hosts, String command) {
        try (Socket guest = hosts.inside.connect(DemoGuest.ADDRESS, DemoGuest.REDIS_PORT)) {
            guest.setSoTimeout(ANSWER_MILLIS);
            guest.getOutputStream().write((command + "\r\n").getBytes(StandardCharsets.US_ASCII));
            BufferedReader answers =
                    new BufferedReader(new InputStreamReader(guest.getInputStream(), StandardCharsets.US_ASCII));
            return String.valueOf(answers.readLine());
        } catch (IOException | RemusException e) {
            return "";
        }
    }

    private static void awaitNewBoot(TwoHosts hosts) throws Exception {
        long deadline = System.nanoTime() + TwoHosts.LIMIT.toNanos();
        while (!redis(hosts, "EXISTS boot").equals(":0")) {
            assertTrue(System.nanoTime() < deadline, "it does not come up anew");
            TimeUnit.MILLISECONDS.sleep(100);
        }
    }

    private static void expectNoTakeover(TwoHosts hosts) throws Exception {
        hosts.awaitNoVm(hosts.beta);
        assertFalse(TwoHosts.happened(hosts.beta, EventType.ACTIVATING));
    }

    @Test
    void aGuestThatPowersItselfOffIsNoFailure() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.boot(MORTAL);
            DemoGuest.awaitRedis(hosts.inside, TwoHosts.LIMIT);
            protect(hosts);
            tell(hosts, "poweroff");
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
            hosts.boot(MORTAL);
            DemoGuest.awaitRedis(hosts.inside, TwoHosts.LIMIT);
            protect(hosts);
            tell(hosts, "reboot");
            hosts.awaitEvent(hosts.alpha, EventType.GUEST_RESET);
            assertEquals(VmState.PROTECTED, hosts.alpha.status(DemoGuest.NAME).state());
            assertFalse(TwoHosts.happened(hosts.beta, EventType.ACTIVATING));
        }
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "VIRT") // arm64 takes minutes to boot again under TCG
    void aGuestThatResetsItselfAfterAFailoverComesUpAgain(MachineType machine) throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.boot(machine, MORTAL);
            DemoGuest.awaitRedis(hosts.inside, TwoHosts.LIMIT);
            protect(hosts);
            hosts.alpha.kill(hosts.qemuPid(hosts.alpha));
            hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
            assertEquals("+OK", redis(hosts, "SET boot first"));
            tell(hosts, "reboot");
            hosts.awaitEvent(hosts.beta, EventType.GUEST_RESET);
            awaitNewBoot(hosts);
            assertEquals(VmState.UNPROTECTED, hosts.beta.status(DemoGuest.NAME).state());
        }
    }

    @Test
    void aGuestThatPowersItselfOffAfterAFailoverIsNoFailure() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.boot(MORTAL);
            DemoGuest.awaitRedis(hosts.inside, TwoHosts.LIMIT);
            protect(hosts);
            hosts.alpha.kill(hosts.qemuPid(hosts.alpha));
            hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
            tell(hosts, "poweroff");
            hosts.awaitEvent(hosts.beta, EventType.GUEST_SHUTDOWN);
            hosts.await(hosts.beta, VmState.STOPPED);
        }
    }

    @Test
    void aGuestThatPanicsAfterAFailoverIsShownAndRunsOnAsItIs() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.boot(MORTAL);
            DemoGuest.awaitRedis(hosts.inside, TwoHosts.LIMIT);
            protect(hosts);
            hosts.alpha.kill(hosts.qemuPid(hosts.alpha));
            hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
            tell(hosts, "panic");
            hosts.awaitEvent(hosts.beta, EventType.GUEST_PANIC);
            assertEquals(VmState.UNPROTECTED, hosts.beta.status(DemoGuest.NAME).state());
        }
    }

    @Test
    void aGuestThatPanicsIsShownAndReplicatedAsItIs() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.boot(MORTAL);
            DemoGuest.awaitRedis(hosts.inside, TwoHosts.LIMIT);
            protect(hosts);
            tell(hosts, "panic");
            hosts.awaitEvent(hosts.alpha, EventType.GUEST_PANIC);
            assertEquals(VmState.PROTECTED, hosts.alpha.status(DemoGuest.NAME).state());
            assertTrue(hosts.beta.status(DemoGuest.NAME).state() == VmState.STANDBY);
        }
    }
}
