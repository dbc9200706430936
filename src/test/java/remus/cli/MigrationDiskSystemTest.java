package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import remus.api.EventType;
import remus.api.MigrateRequest;
import remus.api.MigrationStage;
import remus.api.MigrationStatus;
import remus.api.VmState;
import remus.api.WhenAlone;
import remus.bench.DiskGuestImage;
import remus.disk.RawImage;

/**
 * A VM moves while it writes to both of its disks and a client of its database notes what was acknowledged: with copies of
 * its disks, and with the very images, which both hosts see. Whatever happens on the way, these are right afterwards, and
 * the guest has noticed nothing.
 */
@Tag("system")
@Tag("long")
@Timeout(900)
class MigrationDiskSystemTest {
    private static final String VM = DemoGuest.NAME;
    private static final Duration LIMIT = Duration.ofMinutes(4);

    /** Slow enough to be met in its rounds. */
    private static final String SLOWLY = "60MiB";

    @TempDir
    private Path directory;

    /** The disk guest under load. */
    private final class Work implements AutoCloseable {
        private final TwoHosts hosts;
        private final DiskGuest guest;
        private final NumberedWrites writes = new NumberedWrites(1);
        private final PostgresClientLoad load;

        Work(TwoHosts hosts) throws Exception {
            this.hosts = hosts;
            guest = DiskGuest.boot(hosts);
            guest.background(writes.script());
            guest.background(DiskGuest.WRITE_FILES);
            load = PostgresClientLoad.start(
                    () -> hosts.inside.call(
                            () -> PostgresClientLoad.open(DiskGuest.ADDRESS, DiskGuestImage.DATABASE_PORT, "demo")),
                    1);
            awaitAnswers(20);
        }

        void awaitAnswers(long more) throws Exception {
            long target = load.figures().acknowledged() + more;
            long deadline = System.nanoTime() + LIMIT.toNanos();
            while (load.figures().acknowledged() < target) {
                assertTrue(load.isRunning() && System.nanoTime() - deadline < 0, () -> load.figures() + hosts.story());
                TimeUnit.MILLISECONDS.sleep(20);
            }
        }

        /** It runs on that host, has written all the time, and its disks are as it knows them. */
        void expectAllRight(DemoHost host, boolean shared) throws Exception {
            awaitAnswers(20);
            guest.expectBackgroundRuns();
            expectOnDisks(host, shared);
            guest.run("sync; echo 3 > /proc/sys/vm/drop_caches");
            guest.expectBackgroundRuns();
            ClientLoad.Figures figures = load.finish();
            assertNull(figures.problem(), () -> figures + hosts.story());
            assertEquals(0, figures.lost());
            assertEquals(0, figures.resets());
            assertEquals("", guest.run("dmesg | grep -i 'i/o error\\|ext4-fs error' || true"));
        }

        /** What is on the disks at some moment of its life. */
        private void expectOnDisks(DemoHost host, boolean shared) throws Exception {
            DemoHost place = shared ? hosts.alpha : host;
            long qemu = hosts.qemuPid(host);
            TwoHosts.signal("STOP", qemu);
            try (FileSystemCheck check =
                    FileSystemCheck.copy(DiskGuest.image(hosts, place, DiskGuest.ROOT), directory)) {
                assertTrue(writes.expectMoment(DiskGuest.image(hosts, place, DiskGuest.DATA)) > 0);
                TwoHosts.signal("CONT", qemu);
                assertNull(check.problem());
            } finally {
                TwoHosts.signal("CONT", qemu);
            }
        }

        @Override
        public void close() {
            load.close();
        }
    }

    private static void begin(DemoHost from, DemoHost to, boolean shared, boolean slowly) throws Exception {
        from.migrate(
                VM,
                new MigrateRequest(
                        to.replicationAddress().toString(),
                        null,
                        null,
                        null,
                        null,
                        null,
                        null,
                        null,
                        null,
                        null,
                        slowly ? SLOWLY : null,
                        null,
                        shared,
                        true));
    }

    private static MigrationStatus awaitMigration(TwoHosts hosts, DemoHost from, Predicate<MigrationStatus> wanted)
            throws Exception {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (true) {
            MigrationStatus now = from.migration(VM);
            if (wanted.test(now)) {
                return now;
            }
            assertTrue(System.nanoTime() - deadline < 0, () -> now + hosts.story());
            TimeUnit.MILLISECONDS.sleep(20);
        }
    }

    private static void migrate(TwoHosts hosts, DemoHost from, DemoHost to, boolean shared) throws Exception {
        begin(from, to, shared, false);
        MigrationStatus end = awaitMigration(
                hosts, from, now -> now.stage() == MigrationStage.DONE || now.stage() == MigrationStage.FAILED);
        assertEquals(MigrationStage.DONE, end.stage(), () -> end + hosts.story());
        assertEquals(true, end.memoryEqual());
        if (shared) {
            assertEquals(0, end.copiedDiskBytes());
        } else {
            assertTrue(end.copiedDiskBytes() > 0, end.toString());
        }
        hosts.await(to, VmState.UNPROTECTED);
        hosts.awaitNoQemu(from);
    }

    /** Nothing is left beside the images once they are locked by the host that runs the VM. */
    private void awaitNothingBesideImages(TwoHosts hosts) throws Exception {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (true) {
            List<Path> left;
            try (Stream<Path> files = Files.list(directory)) {
                left = files.filter(file -> file.getFileName().toString().contains(".raw.remus"))
                        .toList();
            }
            if (left.isEmpty()) {
                return;
            }
            assertTrue(System.nanoTime() - deadline < 0, () -> left + hosts.story());
            TimeUnit.MILLISECONDS.sleep(20);
        }
    }

    private static void expectNoCopy(TwoHosts hosts) {
        for (String disk : List.of(DiskGuest.ROOT, DiskGuest.DATA)) {
            assertFalse(Files.exists(DiskGuest.image(hosts, hosts.beta, disk)), "beta has a copy of " + disk);
        }
    }

    private List<String> fault(String point) {
        return List.of("-Dremus.fault=" + point + "@1@" + victims());
    }

    private Path victims() {
        return directory.resolve("victims");
    }

    private void name(long... pids) throws Exception {
        StringBuilder text = new StringBuilder();
        for (long pid : pids) {
            text.append(pid).append('\n');
        }
        Files.move(Files.writeString(directory.resolve("victims.new"), text), victims());
    }

    /** A busy host may tell of it late. */
    private static long awaitQemu(DemoHost host) throws Exception {
        return TwoHosts.qemuPid(
                host, host.await(VM, status -> status.qemuPid() != null, TwoHosts.LIMIT, "with a standby's QEMU"));
    }

    @Test
    void aGuestMovesToAndFroWithCopiesOfItsDisks() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory);
                Work work = new Work(hosts)) {
            migrate(hosts, hosts.alpha, hosts.beta, false);
            work.awaitAnswers(20);
            work.expectOnDisks(hosts.beta, false);
            migrate(hosts, hosts.beta, hosts.alpha, false);
            work.expectAllRight(hosts.alpha, false);
        }
    }

    @Test
    void aGuestMovesToAndFroAndBothHostsUseTheSameImages() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory);
                Work work = new Work(hosts)) {
            for (int round = 0; round < 2; round++) {
                migrate(hosts, hosts.alpha, hosts.beta, true);
                work.awaitAnswers(20);
                work.expectOnDisks(hosts.beta, true);
                awaitNothingBesideImages(hosts);
                migrate(hosts, hosts.beta, hosts.alpha, true);
                work.awaitAnswers(20);
                awaitNothingBesideImages(hosts);
            }
            expectNoCopy(hosts);
            migrate(hosts, hosts.alpha, hosts.beta, true);
            awaitNothingBesideImages(hosts);
            Refusals.expect(
                    ".*/root.raw is in use by another VM or process: .*",
                    hosts.remus(
                            hosts.alpha,
                            "start",
                            work.guest.definitionFile(hosts.alpha, "name: shop", "name: another")));
            // A backup makes a copy, though it sees the image that the VM runs with, and ran it with that before.
            hosts.protect(hosts.beta, hosts.alpha, TwoHosts.NO_TAKE_OVER, WhenAlone.HOLD);
            assertTrue(Files.exists(DiskGuest.copy(hosts.alpha, DiskGuest.ROOT)));
            hosts.beta.post(VmPath.verb(VM, "unprotect"));
            hosts.await(hosts.beta, VmState.UNPROTECTED);
            work.expectAllRight(hosts.beta, true);
        }
    }

    /** That it was begun may have been said. */
    private static void expectRefusal(String why, TwoHosts.Outcome outcome) {
        assertEquals(1, outcome.exitCode());
        assertTrue(outcome.err().lines().toList().getLast().matches("remus: .*" + why), outcome.err());
    }

    /** Beta sees another file under that path, or none, or the VM is protected. */
    @Test
    void whatCantBeSharedIsRefusedAndTheVmRunsOn() throws Exception {
        Path images = Files.createDirectory(directory.resolve("images"));
        Path image = images.resolve("data.raw");
        RawImage.create(image, 1 << 20).close();
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.startRedis(hosts.guest.definition() + "disks: [{name: data, image: %s}]%n".formatted(image));
            String[] command = {
                "migrate",
                VM,
                "--shared-disks",
                "--to",
                hosts.beta.replicationAddress().toString()
            };
            hosts.restartDaemon(hosts.beta, TwoHosts.within("mount -t tmpfs none " + images));
            expectRefusal(
                    "disk data is not shared: there is no .*/images/data.raw; let the disks be copied, .*",
                    hosts.remus(hosts.alpha, command));
            hosts.restartDaemon(
                    hosts.beta,
                    TwoHosts.within("mount -t tmpfs none %s && truncate -s 1M %s".formatted(images, image)));
            expectRefusal(
                    "disk data is not shared: .*/data.raw is another one here: .*; let the disks be copied, .*",
                    hosts.remus(hosts.alpha, command));
            hosts.await(hosts.alpha, VmState.UNPROTECTED);
            try (Stream<Path> left = Files.list(images)) {
                assertEquals(
                        List.of(),
                        left.filter(file -> file.toString().contains("witness")).toList());
            }
            hosts.restartDaemon(hosts.beta, List.of());
            hosts.protect(hosts.alpha, hosts.beta, TwoHosts.NO_TAKE_OVER, WhenAlone.HOLD);
            Refusals.expect(
                    "migrate: sharedDisks: VM shop is protected, and a backup has images of its own; .*",
                    hosts.remus(hosts.alpha, command));
        }
    }

    @Test
    void aMigrationThatIsCancelledLeavesTheSharedImagesToTheirHost() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory);
                Work work = new Work(hosts)) {
            begin(hosts.alpha, hosts.beta, true, true);
            awaitMigration(hosts, hosts.alpha, now -> !now.rounds().isEmpty());
            hosts.alpha.cancelMigration(VM);
            awaitMigration(hosts, hosts.alpha, now -> now.stage() == MigrationStage.FAILED);
            hosts.await(hosts.alpha, VmState.UNPROTECTED);
            hosts.awaitNoVm(hosts.beta);
            work.expectAllRight(hosts.alpha, true);
            expectNoCopy(hosts);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"APPLYING", "ACTIVATING", "ACTIVATED"})
    void aDestinationThatDiesInTheHandOverLeavesTheSharedImagesToTheSource(String point) throws Exception {
        try (TwoHosts hosts = TwoHosts.openWithArbiter(directory, List.of(), fault(point));
                Work work = new Work(hosts)) {
            begin(hosts.alpha, hosts.beta, true, true);
            awaitMigration(hosts, hosts.alpha, now -> !now.rounds().isEmpty());
            name(awaitQemu(hosts.beta), hosts.beta.pid());
            hosts.awaitEnd(hosts.beta);
            awaitMigration(hosts, hosts.alpha, now -> now.stage() == MigrationStage.FAILED);
            hosts.await(hosts.alpha, VmState.UNPROTECTED);
            work.awaitAnswers(20);
            // And it can be tried again.
            hosts.startDaemon(hosts.beta);
            hosts.beta.awaitUp();
            migrate(hosts, hosts.alpha, hosts.beta, true);
            work.expectAllRight(hosts.beta, true);
            expectNoCopy(hosts);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"TRANSFERRING", "ACKNOWLEDGED", "HANDING_OVER"})
    void aSourceWhoseDaemonDiesNeverWritesBesideTheDestination(String point) throws Exception {
        try (TwoHosts hosts = TwoHosts.openWithArbiter(directory, fault(point), List.of());
                Work work = new Work(hosts)) {
            begin(hosts.alpha, hosts.beta, true, true);
            awaitMigration(hosts, hosts.alpha, now -> !now.rounds().isEmpty());
            name(hosts.alpha.pid());
            hosts.awaitEnd(hosts.alpha);
            hosts.startDaemon(hosts.alpha);
            hosts.alpha.awaitUp();
            work.awaitAnswers(20);
            DemoHost owner = TwoHosts.happened(hosts.beta, EventType.ACTIVATED) ? hosts.beta : hosts.alpha;
            // One that was adopted in a session calls itself degraded.
            VmState alone = owner == hosts.beta ? VmState.UNPROTECTED : VmState.DEGRADED;
            hosts.await(owner, alone);
            hosts.awaitNoQemu(owner == hosts.beta ? hosts.alpha : hosts.beta);
            work.expectAllRight(owner, true);
        }
    }
}
