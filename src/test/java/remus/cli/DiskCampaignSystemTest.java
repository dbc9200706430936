package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.Event;
import remus.api.EventType;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.api.WhenAlone;
import remus.base.RemusException;

/**
 * The host of a VM whose disks are written and verified all the time is killed again and again, at random moments, and
 * the VM protected again in between. {@code ./build campaign disk --kills N --seed S} runs it longer.
 */
@Tag("system")
@Tag("long")
@Timeout(value = 6, unit = TimeUnit.HOURS)
class DiskCampaignSystemTest {
    private static final int KILLS = Integer.getInteger("remus.campaign.kills", 3);
    private static final long SEED = Long.getLong("remus.campaign.seed", 1);
    private static final int MAX_DELAY_MILLIS = 1500;

    /**
     * Writes blocks with their checksum and place all over the disk and reads each batch back; the first that differs
     * ends it. Its log lies in memory, so that it is rolled back with the guest.
     */
    private static final String WRITE_AND_VERIFY = "fio --name=verify --filename=/dev/vdb --size=192m --rw=randwrite"
            + " --bs=4k --ioengine=libaio --iodepth=8 --direct=1 --fsync=64 --verify=crc32c --verify_backlog=256"
            + " --verify_fatal=1 --loops=1000000 --output=/run/fio.log";

    @TempDir
    private Path directory;

    @Test
    void nothingThatWasWrittenIsLostOverManyKills() throws Exception {
        Random random = new Random(SEED);
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            DiskGuest guest = DiskGuest.boot(hosts);
            guest.run("(" + WRITE_AND_VERIFY
                    + " > /run/fio.out 2>&1; echo ended > /run/fio.ended) < /dev/null > /dev/null 2>&1 &");
            guest.background(DiskGuest.WRITE_FILES);
            DemoHost primary = hosts.alpha;
            DemoHost backup = hosts.beta;
            for (int kill = 1; kill <= KILLS; kill++) {
                hosts.protect(primary, backup, "2s", WhenAlone.HOLD);
                TimeUnit.MILLISECONDS.sleep(random.nextInt(MAX_DELAY_MILLIS));
                int activations = activations(backup);
                primary.kill(hosts.qemuPid(primary));
                awaitActivation(backup, activations);
                String cause = "kill %d of %d, seed %d".formatted(kill, KILLS, SEED);
                expectFileSystemClean(hosts, backup, cause);
                expectStillVerifying(guest, cause);
                System.err.printf("%s: clean%n", cause);
                hosts.startDaemon(primary);
                primary.awaitUp();
                DemoHost former = primary;
                primary = backup;
                backup = former;
            }
        }
    }

    private static int activations(DemoHost host) throws RemusException {
        return (int) host.events().stream()
                .filter(event -> event.event() == EventType.ACTIVATED)
                .count();
    }

    private static void awaitActivation(DemoHost host, int before) throws Exception {
        long deadline = System.nanoTime() + TwoHosts.LIMIT.toNanos();
        while (activations(host) == before) {
            if (System.nanoTime() - deadline > 0) {
                List<Event> events = host.events();
                throw new AssertionError("not activated: " + events);
            }
            TimeUnit.MILLISECONDS.sleep(20);
        }
        host.await(DemoGuest.NAME, status -> status.state() == VmState.UNPROTECTED, TwoHosts.LIMIT, "running");
    }

    private static void expectStillVerifying(DiskGuest guest, String cause) throws Exception {
        assertEquals("", guest.run("cat /run/fio.ended 2>/dev/null || true"), () -> cause + ": fio has ended");
        String out = guest.run("cat /run/fio.out /run/fio.log 2>/dev/null | grep -i 'verify:\\|error' || true");
        assertEquals("", out, cause);
        // It goes on: what it has written so far grows.
        long before = sectorsWritten(guest);
        long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (sectorsWritten(guest) == before) {
            assertTrue(System.nanoTime() < deadline, cause + ": nothing is written any more");
            TimeUnit.MILLISECONDS.sleep(200);
        }
    }

    private static long sectorsWritten(DiskGuest guest) throws Exception {
        return Long.parseLong(guest.run("awk '{print $7}' /sys/block/vdb/stat"));
    }

    /** Of a copy that is taken while the guest stands still, after its journal was replayed. */
    private void expectFileSystemClean(TwoHosts hosts, DemoHost host, String cause) throws Exception {
        VmStatus status = host.status(DemoGuest.NAME);
        long qemu = TwoHosts.qemuPid(host, status);
        TwoHosts.signal("STOP", qemu);
        try (FileSystemCheck check = FileSystemCheck.copy(DiskGuest.image(hosts, host, "root"), directory)) {
            TwoHosts.signal("CONT", qemu);
            assertNull(check.problem(), cause);
        } finally {
            TwoHosts.signal("CONT", qemu);
        }
    }
}
