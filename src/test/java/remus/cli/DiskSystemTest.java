package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.EventType;
import remus.api.VmState;
import remus.api.WhenAlone;

/** A VM with disks: what it wrote is there after its host has died. */
@Tag("system")
@Timeout(400)
class DiskSystemTest {
    @TempDir
    private Path directory;

    @Test
    void aFailoverKeepsWhatTheGuestHasWritten() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            DiskGuest guest = DiskGuest.boot(hosts);
            guest.run("echo before > /root/kept && sync");
            hosts.protect(hosts.alpha, hosts.beta, "1s", WhenAlone.HOLD);
            System.err.println(hosts.awaitEvent(hosts.alpha, EventType.DISKS_SYNCHRONIZED));
            guest.run("echo after >> /root/kept && sync");
            hosts.alpha.kill(hosts.qemuPid(hosts.alpha));
            hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
            assertEquals("before\nafter", guest.run("sync; echo 3 > /proc/sys/vm/drop_caches; cat /root/kept"));
            guest.run("dd if=/dev/urandom of=/dev/vdb bs=1M count=8 oflag=direct 2>&1 && sync");
            assertTrue(hosts.await(hosts.beta, VmState.UNPROTECTED).qemuPid() != null);
        }
    }
}
