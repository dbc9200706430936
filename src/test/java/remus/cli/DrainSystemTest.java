package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.EventType;
import remus.api.VmState;

/** Hosts are emptied one after the other, and a client on one connection notices nothing but short stalls. */
@Tag("system")
@Timeout(600)
class DrainSystemTest {
    private static final String PROTECTION =
            "protection: {backups: [beta, gamma], interval: 50ms, detect: %s, whenAlone: continue}\n"
                    .formatted(TwoHosts.NO_TAKE_OVER);

    @TempDir
    private Path directory;

    private static void expectEmptied(TwoHosts.Outcome outcome, String what) {
        assertEquals(0, outcome.exitCode(), outcome.toString());
        assertTrue(outcome.out().contains(what), outcome.toString());
    }

    /** That nothing of a VM lives there. */
    private static void expectNoVm(DemoHost host) throws Exception {
        assertTrue(
                host.status().vms().stream()
                        .allMatch(vm -> vm.state() == VmState.FENCED || vm.state() == VmState.STOPPED),
                () -> host.name() + " has a VM");
    }

    @Test
    void hostsAreEmptiedUnderALiveClient() throws Exception {
        try (ThreeHosts hosts = new ThreeHosts(directory)) {
            ThreeHosts.start(hosts.alpha, hosts.beta, hosts.gamma);
            hosts.boot(PROTECTION);
            ThreeHosts.awaitProtected(hosts.alpha, hosts.beta);
            try (RedisClientLoad load = hosts.load()) {
                ThreeHosts.awaitAnswers(load);

                // The backup: its primary has another candidate.
                TwoHosts.Outcome emptied = hosts.remus(hosts.beta, "drain");
                expectEmptied(emptied, "Host beta runs no VM and is nobody's backup");
                assertTrue(
                        emptied.err().contains("its primary 10.77.0.11:7420 has let it go; it is protected there"),
                        emptied.err());
                assertTrue(hosts.beta.status().vms().isEmpty());
                ThreeHosts.awaitProtected(hosts.alpha, hosts.gamma);
                assertFalse(ThreeHosts.events(hosts.beta).stream()
                        .anyMatch(event -> event.event() == EventType.ACTIVATING));

                // The primary: nobody is left then that takes a backup.
                TwoHosts.Outcome drained = hosts.remus(hosts.alpha, "drain");
                expectEmptied(drained, "Host alpha runs no VM and is nobody's backup: 1 VM handed over, 0 let go");
                // Asked now and then, it may have been moving at no such moment.
                assertTrue(drained.err().contains("runs on 10.77.0.13:7420: switched over from alpha"), drained.err());
                assertTrue(drained.err().contains("it is not protected there yet"), drained.err());
                expectNoVm(hosts.alpha);
                ThreeHosts.awaitReason(hosts.gamma, "host alpha is being drained and takes nothing new");
                ThreeHosts.awaitAnswers(load);
                Path other = Files.writeString(
                        directory.resolve("other.yaml"),
                        "name: other\nmemory: 128MiB\nboot: {kernel: other.yaml, initrd: other.yaml}\n");
                TwoHosts.Outcome refused = hosts.remus(hosts.alpha, "status");
                assertTrue(refused.out().contains("Host alpha, is being drained"), refused.toString());
                refused = hosts.remus(hosts.alpha, "start", other.toString());
                assertEquals(1, refused.exitCode(), refused.toString());
                assertTrue(refused.err().contains("host alpha is being drained"), refused.err());

                // One that may take it again does so by itself, and one that is started anew is like any other.
                assertEquals(0, hosts.remus(hosts.beta, "drain", "--undo").exitCode());
                ThreeHosts.awaitProtected(hosts.gamma, hosts.beta);
                assertNotNull(hosts.alpha.status().draining());
                hosts.alpha.end();
                ThreeHosts.start(hosts.alpha);
                assertNull(hosts.alpha.status().draining());

                // What nobody wants protected stays, and it is said what to do.
                assertEquals(
                        0, hosts.remus(hosts.gamma, "unprotect", ThreeHosts.VM).exitCode());
                TwoHosts.Outcome left = hosts.remus(hosts.gamma, "drain");
                assertEquals(1, left.exitCode(), left.toString());
                assertTrue(left.out().contains("VM shop stays: is UNPROTECTED"), left.out());
                assertTrue(left.out().contains("remus protect shop --backup ADDR:PORT moves it there"), left.out());
                assertTrue(left.err().contains("host gamma is not empty, 1 VM stays"), left.err());
                TwoHosts.Outcome named =
                        hosts.remus(hosts.gamma, "protect", ThreeHosts.VM, "--backup", "10.77.0.11:7420");
                assertEquals(0, named.exitCode(), named.toString());
                expectEmptied(hosts.remus(hosts.gamma, "drain"), "Host gamma runs no VM");
                ThreeHosts.awaitProtected(hosts.alpha, hosts.beta);
                ThreeHosts.awaitAnswers(load);
                ThreeHosts.expectNothingLost(load);
            }
        }
    }
}
