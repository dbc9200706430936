package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.Event;
import remus.api.EventType;
import remus.api.ProtectRequest;
import remus.api.VmState;
import remus.api.WhenAlone;
import remus.base.ByteSize;

/** The life of a VM with two disks that boots from the first of them: started, protected, moved by failures, stopped. */
@Tag("system")
@Timeout(900)
class DiskSystemTest {
    private static final String VM = DemoGuest.NAME;
    private static final String DATA_DIGEST = "dd if=/dev/vdb bs=1M count=16 iflag=direct status=none | sha256sum";

    /** The disks are compared in blocks of 64 KiB; what a guest does in a minute touches some hundreds of them. */
    private static final ByteSize MUCH = ByteSize.ofMebibytes(100);

    @TempDir
    private Path directory;

    private static String writeToBothDisks(DiskGuest guest, String text) throws Exception {
        guest.run("echo %s >> /root/kept && sync".formatted(text));
        guest.run("dd if=/dev/urandom of=/dev/vdb bs=1M count=16 oflag=direct status=none");
        return guest.run(DATA_DIGEST);
    }

    private static void expectOnBothDisks(DiskGuest guest, String kept, String digest) throws Exception {
        guest.run("sync; echo 3 > /proc/sys/vm/drop_caches");
        assertEquals(kept, guest.run("cat /root/kept | xargs"));
        assertEquals(digest, guest.run(DATA_DIGEST));
    }

    private static void protect(TwoHosts hosts, DemoHost primary, DemoHost backup) throws Exception {
        hosts.protect(primary, backup, "2s", WhenAlone.HOLD);
    }

    private static boolean isMarked(TwoHosts hosts, DemoHost host, String disk) {
        Path image = DiskGuest.image(hosts, host, disk);
        return Files.exists(image.resolveSibling(image.getFileName() + ".remus"));
    }

    private static void awaitUnmarked(TwoHosts hosts, DemoHost host) throws Exception {
        long deadline = System.nanoTime() + TwoHosts.LIMIT.toNanos();
        while (isMarked(hosts, host, DiskGuest.ROOT) || isMarked(hosts, host, DiskGuest.DATA)) {
            assertTrue(System.nanoTime() < deadline, "the images are still marked: " + hosts.log(host));
            TimeUnit.MILLISECONDS.sleep(20);
        }
        assertFalse(Files.exists(host.state().resolve("vms").resolve(VM).resolve("redo.log")));
    }

    @Test
    void whatWasWrittenIsOnTheDisksAfterAnOrderlyStop() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            DiskGuest guest = DiskGuest.boot(hosts);
            protect(hosts, hosts.alpha, hosts.beta);
            assertTrue(isMarked(hosts, hosts.alpha, DiskGuest.ROOT));
            String digest = writeToBothDisks(guest, "first");
            guest.awaitEqualImages(hosts.alpha, hosts.beta);
            hosts.alpha.post(VmPath.verb(VM, "stop"));
            hosts.awaitNoVm(hosts.beta);
            awaitUnmarked(hosts, hosts.alpha);
            guest.start(hosts.alpha, false);
            guest.awaitReady();
            expectOnBothDisks(guest, "first", digest);
            expectNothingWrongAfterAKillInTheSynchronization(hosts, guest);
        }
    }

    /** Neither the copy that was being made, nor a doubt whether the primary's own disk is the newest. */
    private static void expectNothingWrongAfterAKillInTheSynchronization(TwoHosts hosts, DiskGuest guest)
            throws Exception {
        guest.run("dd if=/dev/urandom of=/dev/vdb bs=1M count=64 oflag=direct status=none");
        hosts.alpha.post(
                VmPath.verb(VM, "protect"),
                new ProtectRequest(
                        hosts.beta.replicationAddress().toString(),
                        "25ms",
                        null,
                        "2s",
                        null,
                        null,
                        WhenAlone.HOLD,
                        "1MiB",
                        null,
                        null));
        hosts.alpha.await(
                VM,
                status -> String.valueOf(status.reason()).startsWith("copying disk"),
                TwoHosts.LIMIT,
                "copying its disks");
        hosts.alpha.kill(hosts.qemuPid(hosts.alpha));
        hosts.awaitNoVm(hosts.beta);
        assertFalse(TwoHosts.happened(hosts.beta, EventType.ACTIVATING));
        for (String force : new String[] {"", "--force-stale"}) {
            Refusals.expect(
                    "disk root: .*/beta/vms/shop/disks/root.raw was being copied from host alpha .* no whole image; .*",
                    startWith(hosts, hosts.beta, guest.definitionFile(hosts.beta), force));
        }
        hosts.startDaemon(hosts.alpha);
        hosts.alpha.awaitUp();
        guest.start(hosts.alpha, false);
        protect(hosts, hosts.alpha, hosts.beta);
        hosts.alpha.post(VmPath.verb(VM, "stop"));
    }

    private static TwoHosts.Outcome startWith(TwoHosts hosts, DemoHost host, String file, String option)
            throws Exception {
        return option.isEmpty() ? hosts.remus(host, "start", file) : hosts.remus(host, "start", option, file);
    }

    @Test
    void aFailoverKeepsWhatWasWrittenAndTheWayBackCopiesWhatDiffers() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            DiskGuest guest = DiskGuest.boot(hosts);
            protect(hosts, hosts.alpha, hosts.beta);
            String digest = writeToBothDisks(guest, "one");
            Refusals.expect(
                    "VM definition: disks\\[0\\].image: .*/root.raw is in use by another VM or process: .*",
                    hosts.remus(hosts.beta, "start", guest.definitionFile(hosts.beta, "name: shop", "name: copy")));
            // The daemon alone: its QEMU lives on, with nobody who answers its requests.
            hosts.alpha.kill(null);
            hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
            expectOnBothDisks(guest, "one", digest);
            awaitUnmarked(hosts, hosts.beta);
            writeToBothDisks(guest, "two");
            hosts.beta.post(VmPath.verb(VM, "unprotect")); // else alpha becomes its backup as soon as it is there
            hosts.startDaemon(hosts.alpha);
            hosts.alpha.awaitUp();
            hosts.await(hosts.alpha, VmState.FENCED); // its QEMU lived until now
            expectOldDisksAreRefused(hosts, guest, hosts.alpha, "10.77.0.12:7420", "says RUNNING_ALONE.*");

            protect(hosts, hosts.beta, hosts.alpha);
            expectLittleWasSent(hosts, hosts.beta);
            guest.awaitEqualImages(hosts.beta, hosts.alpha);
            digest = writeToBothDisks(guest, "three");
            hosts.beta.kill(hosts.qemuPid(hosts.beta));
            hosts.awaitEvent(hosts.alpha, EventType.ACTIVATED);
            expectOnBothDisks(guest, "one two three", digest);
            awaitUnmarked(hosts, hosts.alpha);

            hosts.alpha.post(VmPath.verb(VM, "unprotect"));
            hosts.startDaemon(hosts.beta);
            hosts.beta.awaitUp();
            hosts.alpha.kill(hosts.qemuPid(hosts.alpha));
            expectOldDisksAreRefused(hosts, guest, hosts.beta, "10.77.0.11:7420", "does not answer: .*");
            TwoHosts.Outcome forced = startWith(hosts, hosts.beta, guest.definitionFile(hosts.beta), "--force-stale");
            assertEquals(0, forced.exitCode(), forced.err());
            guest.awaitReady();
            assertTrue(guest.run("cat /root/kept | xargs").startsWith("one two"));
        }
    }

    @Test
    void aPrimaryWhoseDiskHangsIsReplacedByItsBackup() throws Exception {
        Path hanging = directory.resolve("hanging");
        List<String> hang = List.of("-Dremus.fault.image=HANG@root.raw@" + hanging);
        try (TwoHosts hosts = TwoHosts.open(directory, hang, List.of())) {
            DiskGuest guest = DiskGuest.boot(hosts);
            protect(hosts, hosts.alpha, hosts.beta);
            String digest = writeToBothDisks(guest, "kept");
            guest.background(DiskGuest.WRITE_FILES);
            Files.createFile(hanging);
            hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
            Files.delete(hanging);
            Event why = hosts.awaitEvent(hosts.alpha, EventType.DISK_ERROR);
            assertEquals("an fdatasync has not ended for 10 s", why.reason());
            expectOnBothDisks(guest, "kept", digest);
        }
    }

    /** Whatever name the VM is given. */
    private static void expectOldDisksAreRefused(
            TwoHosts hosts, DiskGuest guest, DemoHost host, String other, String why) throws Exception {
        for (String name : new String[] {"shop", "other"}) {
            Refusals.expect(
                    "disk root: host %s may have a newer image than .*/root.raw; it %s; run the VM there; or, .*--force-stale"
                            .formatted(other, why),
                    hosts.remus(host, "start", guest.definitionFile(host, "name: shop", "name: " + name)));
        }
    }

    private static void expectLittleWasSent(TwoHosts hosts, DemoHost primary) throws Exception {
        String reason = hosts.awaitEvent(primary, EventType.DISKS_SYNCHRONIZED).reason();
        Matcher sent = Pattern.compile("the backup has the disks: ([0-9.]+) (B|KiB|MiB|GiB) of .* were sent, .*")
                .matcher(reason);
        assertTrue(sent.matches(), reason);
        ByteSize unit = ByteSize.parse("1" + sent.group(2));
        assertTrue(Double.parseDouble(sent.group(1)) * unit.bytes() < MUCH.bytes(), reason);
    }
}
