package remus.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import remus.api.VmStatus;
import remus.base.RemusException;
import remus.bench.DiskGuestImage;
import remus.linux.ProcessIdentity;

/**
 * PostgreSQL in the Debian that boots from a disk. At the end the database is read from the disk, not from the guest's
 * memory, and the file system is checked in a copy of the survivor's image.
 */
final class PostgresApplication implements DemoApplication {
    private static final String MAC = "52:54:00:4d:00:02";
    private static final String ADDRESS = DiskGuestImage.addressOfMac(MAC);
    private static final String DISK = "root";
    private static final Duration POLL = Duration.ofMillis(100);

    /** How long a command in the guest may say nothing, under software emulation on a busy machine. */
    private static final Duration COMMAND_LIMIT = Duration.ofMinutes(3);

    /** signal(7), on all of Linux's architectures but Alpha, MIPS, PA-RISC and SPARC. */
    private static final int SIGCONT = 18;

    private static final int SIGSTOP = 19;

    // Everything written and ended, nothing left in memory, and started again.
    private static final String FORGET_MEMORY =
            "remus-database stop && sync && echo 3 > /proc/sys/vm/drop_caches && remus-database start";

    private final DiskGuestImage image;
    private @Nullable PostgresClientLoad load;

    private PostgresApplication(DiskGuestImage image) {
        this.image = image;
    }

    static PostgresApplication make() throws RemusException, InterruptedException {
        return new PostgresApplication(DiskGuestImage.make());
    }

    @Override
    public Path image() {
        return image.directory();
    }

    @Override
    public String description() {
        return "Debian and its PostgreSQL on a disk, unmodified";
    }

    @Override
    public String definition(Path directory) throws RemusException, InterruptedException {
        Path disk = firstImage(directory);
        DiskGuestImage.copy(image.disk(), disk);
        return """
                name: %s
                machine: q35
                memory: 512MiB
                accelerator: tcg
                disks: [{name: %s, image: %s}]
                nics: [{mac: "%s", bridge: %s}]
                console: console.log
                """.formatted(DemoGuest.NAME, DISK, disk.getFileName(), MAC, DemoTopology.HOST_BRIDGE);
    }

    /** The image that the VM is booted from on alpha. */
    private static Path firstImage(Path directory) {
        return directory.resolve(DISK + ".raw");
    }

    private static Connection open(NamespaceThread inside, String user) throws RemusException {
        return inside.call(() -> PostgresClientLoad.open(ADDRESS, DiskGuestImage.DATABASE_PORT, user));
    }

    @Override
    public void awaitUp(NamespaceThread inside, Duration limit) throws RemusException, InterruptedException {
        long deadline = System.nanoTime() + limit.toNanos();
        while (true) {
            try {
                open(inside, "demo").close();
                return;
            } catch (RemusException | SQLException e) {
                if (System.nanoTime() - deadline > 0) {
                    throw new CommandException("the guest does not answer within %d s".formatted(limit.toSeconds()), e);
                }
                TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
            }
        }
    }

    @Override
    public ClientLoad connect(NamespaceThread inside, long seed) throws RemusException {
        try {
            PostgresClientLoad started = PostgresClientLoad.start(() -> open(inside, "demo"), seed);
            load = started;
            return started;
        } catch (SQLException e) {
            throw new CommandException("the client can't connect: " + e.getMessage(), e);
        }
    }

    @Override
    public DemoChecks check(NamespaceThread inside, DemoHost survivor, Path directory) throws InterruptedException {
        return new DemoChecks(true, databaseProblem(inside), fileSystemProblem(survivor, directory));
    }

    private @Nullable String databaseProblem(NamespaceThread inside) {
        PostgresClientLoad client = load;
        if (client == null) {
            throw new IllegalStateException("there was no client");
        }
        try {
            GuestControl.Answer restarted = GuestControl.run(
                    inside.connect(ADDRESS, DiskGuestImage.CONTROL_PORT), FORGET_MEMORY, COMMAND_LIMIT);
            if (restarted.exit() != 0) {
                return "PostgreSQL does not start again: " + restarted.output().strip();
            }
            try (Connection superuser = open(inside, "postgres")) {
                client.readAgain(superuser);
                return DatabaseCheck.problem(superuser);
            }
        } catch (RemusException | IOException | SQLException e) {
            return "it can't be checked: " + e.getMessage();
        }
    }

    private static @Nullable String fileSystemProblem(DemoHost survivor, Path directory) throws InterruptedException {
        try (FileSystemCheck check = copyWhilePaused(survivor, directory)) {
            return check.problem();
        } catch (RemusException e) {
            return "it can't be checked: " + e.getMessage();
        }
    }

    /** Nothing is written while QEMU stands still, and the guest does not know: the copy is what a power cut leaves. */
    private static FileSystemCheck copyWhilePaused(DemoHost survivor, Path directory)
            throws RemusException, InterruptedException {
        VmStatus status = survivor.status(DemoGuest.NAME);
        Long pid = status.qemuPid();
        ProcessIdentity qemu = pid == null ? null : ProcessIdentity.of(pid).orElse(null);
        if (qemu == null) {
            throw new CommandException(
                    "VM %s does not run on %s but is %s".formatted(DemoGuest.NAME, survivor.name(), status.state()));
        }
        qemu.signal(SIGSTOP);
        try {
            return FileSystemCheck.copy(imageOf(survivor, directory), directory);
        } finally {
            qemu.signal(SIGCONT);
        }
    }

    /** Alpha goes on using the image that it was given; beta keeps one of its own. */
    private static Path imageOf(DemoHost host, Path directory) {
        return host.place() == DemoTopology.Place.ALPHA
                ? firstImage(directory)
                : host.state()
                        .resolve("vms")
                        .resolve(DemoGuest.NAME)
                        .resolve("disks")
                        .resolve(DISK + ".raw");
    }
}
