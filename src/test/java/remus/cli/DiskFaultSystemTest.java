package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import remus.api.Event;
import remus.api.EventType;
import remus.api.ProtectRequest;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.api.WhenAlone;
import remus.disk.Recovery;
import remus.disk.RedoLog;
import remus.linux.ForeignSockets;

/**
 * Disks that fail, fill up or lose who writes to them, on either side, while the guest writes to both of its own all the
 * time. One VM goes through all of it on alpha; each fault is followed by a protection whose images are identical again.
 */
@Tag("system")
@Tag("long")
@Timeout(600)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DiskFaultSystemTest {
    private static final String VM = DemoGuest.NAME;
    private static final long SPARE_BYTES = 24L << 20;

    /** Of the disk {@code data}, in mebibytes. */
    private static final long HALF = DiskGuest.DATA_BYTES >> 21;

    /** How many the guest's kernel has reported. */
    private static final String ERRORS_OF_DISKS = "dmesg | grep -ic 'i/o error' || true";

    /** Numbered writes come to this in well under a second. */
    private static final long SOME_BLOCKS = 50;

    private Path directory;
    private TwoHosts hosts;
    private DiskGuest guest;

    /** While it exists, writes to alpha's image of the disk {@code data} fail. */
    private Path failingPrimary;

    /** While it exists, whatever beta was started for happens. */
    private Path failingBackup;

    private int run;

    /** Events of earlier faults do not count. */
    private Instant began = Instant.EPOCH;

    @BeforeAll
    void boot(@TempDir Path made) throws Exception {
        directory = made;
        failingPrimary = directory.resolve("failing-primary");
        failingBackup = directory.resolve("failing-backup");
        hosts = TwoHosts.open(directory, List.of("-Dremus.fault.image=WRITE@data.raw@" + failingPrimary), List.of());
        guest = DiskGuest.boot(hosts);
    }

    @AfterAll
    void close() {
        hosts.close();
    }

    @BeforeEach
    void begin() throws Exception {
        guest.run("blkdiscard /dev/vdb");
        began = Instant.now().truncatedTo(ChronoUnit.MILLIS);
    }

    @AfterEach
    void mend() throws Exception {
        Files.deleteIfExists(failingPrimary);
        Files.deleteIfExists(failingBackup);
        VmStatus left = hosts.alpha.status(VM);
        if (left.peer() != null && left.state() != VmState.PROTECTED) {
            // Only after a failure; the tests that follow are to tell their own.
            restartBackup();
            hosts.alpha.await(
                    VM,
                    status -> status.peer() == null || status.state() == VmState.PROTECTED,
                    TwoHosts.LIMIT,
                    "alone, or protected again");
        }
        guest.endBackground();
        try {
            hosts.alpha.post(VmPath.verb(VM, "unprotect"));
        } catch (CommandException e) {
            String refusal = String.valueOf(e.getMessage());
            assertTrue(refusal.contains("is not protected"), refusal);
        }
    }

    private NumberedWrites writeToBothDisks() throws Exception {
        NumberedWrites writes = new NumberedWrites(++run);
        guest.background(writes.script());
        guest.background(DiskGuest.WRITE_FILES);
        return writes;
    }

    /** Starts beta's daemon anew, with further options for its JVM. */
    private void restartBackup(String... options) throws Exception {
        hosts.restartDaemon(hosts.beta, List.of("env", "JAVA_TOOL_OPTIONS=" + String.join(" ", options)));
    }

    private void protect() throws Exception {
        hosts.protect(hosts.alpha, hosts.beta, TwoHosts.NO_TAKE_OVER, WhenAlone.HOLD);
    }

    /** The guest has been able to write all the time, and writes on. */
    private void expectStillWriting(NumberedWrites writes) throws Exception {
        guest.expectBackgroundRuns();
        long before = sectorsWritten();
        long deadline = System.nanoTime() + TwoHosts.LIMIT.toNanos();
        while (sectorsWritten() < before + SOME_BLOCKS * 8) {
            assertTrue(System.nanoTime() < deadline, "the guest does not write any more: " + writes);
        }
    }

    private long sectorsWritten() throws Exception {
        return Long.parseLong(guest.run("awk '{print $7}' /sys/block/vdb/stat"));
    }

    private void expectEqualImagesAtRest() throws Exception {
        guest.endBackground();
        guest.awaitEqualImages(hosts.alpha, hosts.beta);
    }

    private void expectProtectedAnew() throws Exception {
        protect();
        expectEqualImagesAtRest();
    }

    /** An event on alpha since the test began. */
    private Event awaitEvent(EventType type, String reason) throws Exception {
        return hosts.awaitEvent(
                hosts.alpha,
                event -> event.event() == type
                        && !event.time().isBefore(began)
                        && String.valueOf(event.reason()).matches(reason),
                type + ": " + reason);
    }

    /** Beta's daemon meets what it was started for, and is dead. */
    private void awaitDeathOfBackup() throws Exception {
        long daemon = hosts.beta.pid();
        Path complete = Files.writeString(directory.resolve("victims"), daemon + "\n");
        Files.move(complete, failingBackup);
        long deadline = System.nanoTime() + TwoHosts.LIMIT.toNanos();
        while (ProcessHandle.of(daemon).isPresent()) {
            assertTrue(System.nanoTime() < deadline, () -> "beta does not die at its fault point" + hosts.story());
            TimeUnit.MILLISECONDS.sleep(20);
        }
        awaitEvent(EventType.BACKUP_LOST, ".*");
        Files.delete(failingBackup);
    }

    /** What beta can't do is no concern of the guest's: alpha says why and goes on. */
    private void expectGoesOnAlone(NumberedWrites writes, String why) throws Exception {
        awaitEvent(EventType.DEGRADED, "goes on alone: " + why);
        expectStillWriting(writes);
        assertFalse(TwoHosts.happened(hosts.beta, EventType.ACTIVATING));
    }

    // ---- the backup dies in the middle of its disk writes

    @ParameterizedTest
    @ValueSource(
            strings = {"remus.fault=LOGGED@1@", "remus.fault.image=TEAR@data.raw@", "remus.fault.image=TEAR@root.raw@"})
    void aBackupThatDiesAsItWritesKnowsAfterwardsWhichImageItHas(String fault) throws Exception {
        restartBackup("-D" + fault + failingBackup);
        protect();
        NumberedWrites writes = writeToBothDisks();
        expectStillWriting(writes);
        awaitDeathOfBackup();
        expectCheckpointInImages(writes);
        restartBackup();
        expectGoesOnAlone(writes, ".*no checkpoint of VM shop.*");
        expectProtectedAnew();
    }

    /** What recovery makes of the images that the dead daemon has left. */
    private void expectCheckpointInImages(NumberedWrites writes) throws Exception {
        Recovery recovery =
                RedoLog.recover(hosts.beta.state().resolve("vms").resolve(VM).resolve("redo.log"));
        assertEquals(Recovery.Outcome.CHECKPOINT, recovery.outcome());
        assertTrue(recovery.replayedRecordCount() > 0, recovery.toString());
        assertTrue(writes.expectMoment(DiskGuest.image(hosts, hosts.beta, DiskGuest.DATA)) > 0);
        expectFileSystemClean(DiskGuest.image(hosts, hosts.beta, DiskGuest.ROOT));
    }

    private void expectFileSystemClean(Path image) throws Exception {
        try (FileSystemCheck check = FileSystemCheck.copy(image, directory)) {
            assertNull(check.problem());
        }
    }

    @Test
    void theCopyOfADeadBackupCanBeStartedByForce() throws Exception {
        restartBackup("-Dremus.fault=LOGGED@1@" + failingBackup);
        protect();
        NumberedWrites writes = writeToBothDisks();
        expectStillWriting(writes);
        awaitDeathOfBackup();
        // Else the VM would be protected again by that host as soon as it is back.
        TwoHosts.Outcome alone = hosts.remus(hosts.alpha, "unprotect", "--force", VM);
        assertEquals(0, alone.exitCode(), alone.err());
        restartBackup();
        // A guest that leaves its disks alone, so that they are seen as the start has made them.
        String disks = "disks: [{name: root, image: %s}, {name: data, image: %s}]\n"
                .formatted(
                        DiskGuest.image(hosts, hosts.beta, DiskGuest.ROOT),
                        DiskGuest.image(hosts, hosts.beta, DiskGuest.DATA));
        String definition = hosts.guest
                        .definition("remus.run=idle")
                        .replaceAll("name: shop|nics: .*", "")
                        .strip() + "\nname: copy\n";
        Path file = Files.writeString(directory.resolve("copy.yaml"), definition + disks);
        Refusals.expect(
                "disk root: host alpha at 10.77.0.11:7420 may have a newer image than .*/root.raw; it says RUNNING.*",
                hosts.remus(hosts.beta, "start", file.toString()));
        TwoHosts.Outcome forced = hosts.remus(hosts.beta, "start", "--force-stale", file.toString());
        assertEquals(0, forced.exitCode(), forced.err());
        hosts.beta.post(VmPath.verb("copy", "stop"));
        assertTrue(writes.expectMoment(DiskGuest.image(hosts, hosts.beta, DiskGuest.DATA)) > 0);
        expectFileSystemClean(DiskGuest.image(hosts, hosts.beta, DiskGuest.ROOT));
        expectStillWriting(writes);
        // What was started here is somebody's newest image now, and is not written over.
        TwoHosts.Outcome refused = hosts.remus(
                hosts.alpha,
                "protect",
                VM,
                "--backup",
                hosts.beta.replicationAddress().toString());
        assertTrue(refused.err().matches("(?s).*newest image of disk root .* move it away to .*"), refused.err());
        for (String disk : List.of(DiskGuest.ROOT, DiskGuest.DATA)) {
            Files.delete(DiskGuest.image(hosts, hosts.beta, disk));
        }
        expectProtectedAnew();
    }

    // ---- links

    @Test
    void aLinkThatBreaksAmidWritesAndComesBackInTimeLosesNone() throws Exception {
        protect();
        NumberedWrites writes = writeToBothDisks();
        for (int cut = 0; cut < 3; cut++) {
            expectStillWriting(writes);
            int reconnections = count(hosts.beta, EventType.RECONNECTED);
            hosts.nft(DemoTopology.Place.BETA, """
                    table inet cut {
                      chain in {
                        type filter hook input priority 0
                        tcp dport 7420 reject with tcp reset
                      }
                    }
                    """);
            hosts.alpha.await(VM, status -> status.state() == VmState.DEGRADED, TwoHosts.LIMIT, "cut off");
            hosts.nft(DemoTopology.Place.BETA, "delete table inet cut\n");
            hosts.await(hosts.alpha, VmState.PROTECTED);
            assertEquals(reconnections + 1, count(hosts.beta, EventType.RECONNECTED));
        }
        expectStillWriting(writes);
        assertFalse(TwoHosts.happened(hosts.beta, EventType.ACTIVATING));
        expectEqualImagesAtRest();
    }

    private static int count(DemoHost host, EventType type) throws Exception {
        return (int)
                host.events().stream().filter(event -> event.event() == type).count();
    }

    // ---- the backup's disks fail

    @Test
    void aBackupWithoutRoomOnItsDiskSaysSoAndThePrimaryGoesOn() throws Exception {
        Path state = hosts.beta.state();
        hosts.restartDaemon(hosts.beta, TwoHosts.within("mount -t tmpfs -o size=2g none " + state));
        protect();
        FileStore store = Files.getFileStore(TwoHosts.seenBy(hosts.beta, state));
        long used = store.getTotalSpace() - store.getUnallocatedSpace();
        TwoHosts.amongMountsOf(hosts.beta, "mount -o remount,size=%d %s".formatted(used + SPARE_BYTES, state));
        NumberedWrites writes = writeToBothDisks();
        guest.run("dd if=/dev/urandom of=/dev/vdb bs=1M seek=%d count=%d oflag=direct status=none"
                .formatted(HALF, (2 * SPARE_BYTES) >> 20));
        expectGoesOnAlone(writes, ".*no room for disk (root|data).*ENOSPC.*");
        TwoHosts.amongMountsOf(hosts.beta, "mount -o remount,size=2g " + state);
        expectProtectedAnew();
        restartBackup();
    }

    @ParameterizedTest
    @ValueSource(strings = {"WRITE@data.raw@", "SYNC@root.raw@"})
    void aBackupWhoseImageFailsSaysSoAndThePrimaryGoesOn(String fault) throws Exception {
        restartBackup("-Dremus.fault.image=" + fault + failingBackup);
        protect();
        NumberedWrites writes = writeToBothDisks();
        expectStillWriting(writes);
        Files.createFile(failingBackup);
        expectGoesOnAlone(writes, ".*disks of shop failed: .*injected fault.*EIO.*");
        Files.delete(failingBackup);
        expectProtectedAnew();
    }

    // ---- the primary's disks fail

    @Test
    void aFailingDiskOfThePrimaryIsTheGuestsConcernAndCheckpointsGoOn() throws Exception {
        protect();
        String write = "dd if=/dev/zero of=/dev/vdb bs=4k count=4 oflag=direct 2>&1";
        Files.createFile(failingPrimary);
        IOException failed = assertThrows(IOException.class, () -> guest.run(write));
        assertTrue(String.valueOf(failed.getMessage()).contains("Input/output error"), failed.getMessage());
        awaitEvent(EventType.DISK_ERROR, "disk data: WRITE, reported to the guest: .*EIO.*");
        long epoch = hosts.alpha.status(VM).committedEpoch();
        hosts.alpha.await(VM, status -> status.committedEpoch() > epoch + 20, TwoHosts.LIMIT, "committing on");
        assertEquals(VmState.PROTECTED, hosts.alpha.status(VM).state());
        Files.delete(failingPrimary);
        guest.run(write);
        guest.awaitEqualImages(hosts.alpha, hosts.beta);
    }

    @Test
    void aBrokenConnectionOfQemuToItsDisksIsMadeAnewAndTheGuestNoticesNothing() throws Exception {
        protect();
        String errors = guest.run(ERRORS_OF_DISKS);
        NumberedWrites writes = writeToBothDisks();
        for (int round = 0; round < 3; round++) {
            expectStillWriting(writes);
            for (int descriptor : diskConnections(hosts.alpha.pid())) {
                ForeignSockets.shutDown(hosts.alpha.pid(), descriptor);
            }
        }
        expectStillWriting(writes);
        assertEquals(errors, guest.run(ERRORS_OF_DISKS));
        assertEquals(VmState.PROTECTED, hosts.alpha.status(VM).state());
        expectEqualImagesAtRest();
    }

    /** The daemon's descriptors of connections that were made to a VM's disks. */
    private static List<Integer> diskConnections(long pid) throws IOException {
        // Columns: Num RefCount Protocol Flags Type St Inode Path; St 03 is connected.
        Set<String> inodes = Files.readAllLines(Path.of("/proc/" + pid + "/net/unix")).stream()
                .map(line -> line.trim().split("\\s+"))
                .filter(columns -> columns.length == 8 && columns[5].equals("03") && columns[7].endsWith("/disks"))
                .map(columns -> "socket:[" + columns[6] + "]")
                .collect(Collectors.toSet());
        List<Integer> found = new ArrayList<>();
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/" + pid + "/fd"))) {
            for (Path descriptor : descriptors.toList()) {
                if (inodes.contains(Files.readSymbolicLink(descriptor).toString())) {
                    found.add(Integer.parseInt(descriptor.getFileName().toString()));
                }
            }
        }
        assertEquals(2, found.size(), "a connection for each disk");
        return found;
    }

    // ---- the synchronization is broken off

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aBackupThatEndsInTheSynchronizationHasNothingThatCouldBeStarted(boolean inOrder) throws Exception {
        restartBackup();
        guest.run("dd if=/dev/urandom of=/dev/vdb bs=1M count=64 oflag=direct status=none");
        hosts.alpha.post(
                VmPath.verb(VM, "protect"),
                new ProtectRequest(
                        hosts.beta.replicationAddress().toString(),
                        null,
                        null,
                        TwoHosts.NO_TAKE_OVER,
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
        if (inOrder) {
            hosts.beta.end();
        } else {
            hosts.beta.kill(null);
        }
        hosts.await(hosts.alpha, VmState.UNPROTECTED);
        hosts.startDaemon(hosts.beta);
        hosts.beta.awaitUp();
        Refusals.expect(
                "disk root: .* was being copied from host alpha .* no whole image; .*",
                hosts.remus(hosts.beta, "start", "--force-stale", guest.definitionFile(hosts.beta)));
        expectProtectedAnew();
    }
}
