package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.EventType;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.api.WhenAlone;

/** A planned change of roles: the client notices a stall and nothing else, and the VM is never on neither side. */
@Tag("system")
@Timeout(300)
class SwitchoverSystemTest {
    private static final String DETECT = "3s";

    @TempDir
    private Path directory;

    private static void expectNothingLost(RedisClientLoad load) throws Exception {
        ClientLoad.Figures figures = load.finish();
        assertNull(figures.problem());
        assertEquals(0, figures.lost());
        assertEquals(0, figures.resets());
    }

    /** From one host to the other, whose roles are exchanged then. */
    private static void switchOver(TwoHosts hosts, DemoHost from, DemoHost to, RedisClientLoad load) throws Exception {
        VmStatus last = from.post(VmPath.verb(DemoGuest.NAME, "switchover"));
        String told = String.valueOf(last.reason());
        assertTrue(told.contains("ms from the pause there to output here, 0 output frames dropped"), told);
        hosts.awaitEvent(to, EventType.SWITCHED_OVER);
        hosts.await(to, VmState.PROTECTED);
        hosts.await(from, VmState.STANDBY);
        hosts.awaitAnswers(load, 50);
    }

    @Test
    void aClientLosesNothingWhenTheVmGoesToAndFroTwice() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            TwoHosts.Outcome refused = hosts.remus(hosts.alpha, "switchover", DemoGuest.NAME);
            assertNotEquals(0, refused.exitCode());
            assertTrue(refused.err().contains("it is UNPROTECTED"), refused.err());
            hosts.protect(hosts.alpha, hosts.beta, DETECT, WhenAlone.HOLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                for (int round = 0; round < 2; round++) {
                    switchOver(hosts, hosts.alpha, hosts.beta, load);
                    switchOver(hosts, hosts.beta, hosts.alpha, load);
                }
                expectNothingLost(load);
            }
        }
    }

    @Test
    void withAnArbiterABackupThatDiesInTheSwitchoverLeavesTheVmWhereItWas() throws Exception {
        Path victims = directory.resolve("victims");
        try (TwoHosts hosts =
                TwoHosts.openWithArbiter(directory, List.of(), List.of("-Dremus.fault=ACTIVATED@1@" + victims))) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, DETECT, WhenAlone.HOLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                Path complete = Files.writeString(
                        directory.resolve("victims.new"), hosts.qemuPid(hosts.beta) + "\n" + hosts.beta.pid() + "\n");
                Files.move(complete, victims);
                TwoHosts.Outcome failed = hosts.remus(hosts.alpha, "switchover", DemoGuest.NAME);
                assertNotEquals(0, failed.exitCode(), failed.out());
                assertTrue(failed.err().contains("taken back"), failed.err());
                hosts.await(hosts.alpha, VmState.DEGRADED);
                hosts.awaitAnswers(load, 50);
                expectNothingLost(load);
            }
        }
    }
}
