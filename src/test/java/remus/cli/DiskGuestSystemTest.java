package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.sql.Connection;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.bench.DiskGuestImage;

/** The disk guest and the checks of its data, on a plain QEMU: what they say there is what they are worth elsewhere. */
@Tag("system")
@Timeout(600)
class DiskGuestSystemTest {
    private static final Duration LIMIT = Duration.ofMinutes(2);

    @TempDir
    Path directory;

    private Path disk;

    @BeforeEach
    void copyImage() throws Exception {
        disk = directory.resolve("disk.raw");
        DiskGuestImage.copy(DiskGuestImage.make().disk(), disk);
    }

    private static void awaitAcknowledged(PostgresClientLoad load, long rows) throws InterruptedException {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (load.figures().acknowledged() < rows) {
            assertTrue(
                    load.isRunning() && System.nanoTime() - deadline < 0,
                    () -> load.figures().toString());
            TimeUnit.MILLISECONDS.sleep(20);
        }
    }

    private static @Nullable String fileSystemProblem(Path image, Path directory) throws Exception {
        try (FileSystemCheck check = FileSystemCheck.copy(image, directory)) {
            return check.problem();
        }
    }

    @Test
    void acknowledgedRowsSurviveAPowerCutOfAPlainVm() throws Exception {
        PostgresClientLoad load;
        try (DiskGuestVm vm = DiskGuestVm.boot(disk, directory, "q35")) {
            load = PostgresClientLoad.start(() -> vm.connect("demo"), 1);
            awaitAcknowledged(load, 300);
            vm.kill();
        }
        ClientLoad.Figures figures = load.finish();
        assertEquals(1, figures.resets());
        assertNull(fileSystemProblem(disk, directory));
        try (DiskGuestVm vm = DiskGuestVm.boot(disk, directory, "pc");
                Connection superuser = vm.connect("postgres")) {
            load.readAgain(superuser);
            assertEquals(0, load.figures().lost(), () -> load.figures().toString());
            assertNull(DatabaseCheck.problem(superuser));
        }
    }

    @Test
    void aDamagedIndexIsFoundByTheDatabaseCheck() throws Exception {
        try (DiskGuestVm vm = DiskGuestVm.boot(disk, directory, "q35")) {
            try (PostgresClientLoad load = PostgresClientLoad.start(() -> vm.connect("demo"), 1)) {
                awaitAcknowledged(load, 100);
                assertNull(load.finish().problem());
            }
            GuestControl.Answer file =
                    vm.control("psql -At -U postgres demo -c \"SELECT current_setting('data_directory')"
                            + " || '/' || pg_relation_filepath('entries_pkey')\"");
            assertEquals(0, file.exit(), file.output());
            GuestControl.Answer damage =
                    vm.control("remus-database stop && echo damage | dd of=%s bs=1 seek=9000 conv=notrunc"
                                    .formatted(file.output().strip())
                            + " && echo 3 > /proc/sys/vm/drop_caches && remus-database start");
            assertEquals(0, damage.exit(), damage.output());
            try (Connection superuser = vm.connect("postgres")) {
                assertNotNull(DatabaseCheck.problem(superuser));
            }
        }
    }

    @Test
    void aFileSystemThatWasPoweredOffInOrderIsCleanAndADamagedOneIsNot() throws Exception {
        try (DiskGuestVm vm = DiskGuestVm.boot(disk, directory, "pc")) {
            GuestControl.Answer no = vm.control("echo out; echo err >&2; false");
            assertEquals(new GuestControl.Answer(1, "out\nerr\n"), no);
            vm.control("(sleep 0.2; remus-poweroff) > /dev/null 2>&1 &");
            assertTrue(vm.awaitEnd(LIMIT), "the guest powers off");
        }
        assertNull(fileSystemProblem(disk, directory));
        try (FileSystemCheck check = FileSystemCheck.copy(disk, directory)) {
            Process debugfs = new ProcessBuilder(
                            "/sbin/debugfs",
                            "-w",
                            "-R",
                            "clri /etc/fstab",
                            check.copy().toString())
                    .redirectErrorStream(true)
                    .redirectOutput(directory.resolve("debugfs.log").toFile())
                    .start();
            assertEquals(0, debugfs.waitFor());
            String problem = check.problem();
            assertTrue(String.valueOf(problem).startsWith("e2fsck -fn ended with 4"), problem);
        }
    }
}
