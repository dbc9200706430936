package remus.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import remus.base.ByteSize;
import remus.base.CloseStack;
import remus.base.RemusException;
import remus.base.Time;
import remus.linux.Poller;
import remus.memory.SharedRamFile;
import remus.qemu.Accelerator;
import remus.qemu.GuestListener;
import remus.qemu.MachineType;
import remus.qemu.PauseCommands;
import remus.qemu.QemuInstallation;
import remus.qemu.QemuLimits;
import remus.qemu.QemuPaths;
import remus.qemu.RunningGuest;
import remus.qemu.VmDefinition;

/**
 * A guest without network for one case of a bench, booted and under its load. Owns QEMU and all its files, and leaves
 * none. Confined to one thread.
 */
final class BenchVm implements AutoCloseable {
    /** How long QEMU may take; a bench is no failure detector, and the machine may be busy. */
    static final QemuLimits LIMITS =
            new QemuLimits(Duration.ofSeconds(20), Duration.ofSeconds(10), Duration.ofSeconds(10));

    /** Under software emulation on a busy machine a boot takes many times its usual three seconds. */
    private static final Duration BOOT_LIMIT = Duration.ofMinutes(3);

    private static final Duration LOOK_AT_CONSOLE_EVERY = Duration.ofMillis(50);
    private static final Path TMPFS = Path.of("/dev/shm");

    private final CloseStack owned = new CloseStack();
    private final VmDefinition definition;
    private final QemuPaths paths;
    private final SharedRamFile ram;
    private final RunningGuest guest;
    private final Time time;

    /** Who listens to the guest, and knows whether it is still worth waiting for. */
    interface Watcher extends GuestListener {
        /** @throws RemusException what has put an end to the bench, if something has */
        void check() throws RemusException;
    }

    /** What the guest consists of. */
    record Shape(MachineType machine, ByteSize memory, Accelerator accelerator) {}

    private BenchVm(QemuInstallation installation, GuestImage image, Shape shape, String keys, Time time)
            throws BenchException, InterruptedException {
        this.time = time;
        boolean started = false;
        try {
            Path directory = Files.createTempDirectory(
                    TMPFS, "remus-bench-" + ProcessHandle.current().pid() + "-");
            owned.push(() -> Files.deleteIfExists(directory));
            Path console = directory.resolve("console");
            paths = new QemuPaths(directory, directory);
            owned.push(() -> {
                Files.deleteIfExists(console);
                Files.deleteIfExists(paths.logFile());
                paths.remove();
            });
            definition = new VmDefinition(
                    "bench",
                    shape.machine(),
                    1,
                    shape.memory(),
                    shape.accelerator(),
                    shape.accelerator() == Accelerator.KVM ? "host" : "max",
                    image.boot(shape.machine(), keys),
                    List.of(),
                    List.of(),
                    console);
            ram = SharedRamFile.create(paths.ramFile(), shape.memory().bytes());
            guest = owned.push(RunningGuest.start(installation, definition, paths, LIMITS, time));
            started = true;
        } catch (IOException e) {
            throw new BenchException("the guest can't be started: " + e.getMessage(), e);
        } catch (BenchException e) {
            throw e;
        } catch (RemusException e) {
            throw BenchException.because("the guest can't be started", e);
        } finally {
            if (!started) {
                owned.close();
            }
        }
    }

    /** Boots a guest; {@code keys} are those of its kernel's command line that say what it is to do. */
    static BenchVm boot(QemuInstallation installation, GuestImage image, Shape shape, String keys, Time time)
            throws BenchException, InterruptedException {
        return new BenchVm(installation, image, shape, keys, time);
    }

    VmDefinition definition() {
        return definition;
    }

    QemuPaths paths() {
        return paths;
    }

    SharedRamFile ram() {
        return ram;
    }

    RunningGuest guest() {
        return guest;
    }

    /** Waits until the guest says that its load runs, or {@code watcher} has had enough. */
    void awaitReady(Watcher watcher) throws RemusException {
        long deadline = time.nanos() + BOOT_LIMIT.toNanos();
        try (Poller poller = new Poller(PauseCommands.SLOTS)) {
            guest.poll(watcher);
            while (!console().contains(GuestImage.READY)) {
                watcher.check();
                if (time.nanos() - deadline > 0) {
                    throw new BenchException(
                            "the guest did not boot within " + BOOT_LIMIT + "; the last line of its console: "
                                    + console()
                                            .lines()
                                            .reduce((first, second) -> second)
                                            .orElse("(none)"),
                            null);
                }
                guest.commands().watch(poller, 0);
                poller.await(LOOK_AT_CONSOLE_EVERY.toNanos());
                guest.poll(watcher);
            }
        } catch (IOException e) {
            throw new BenchException("the guest's console can't be watched: " + e.getMessage(), e);
        }
    }

    private String console() throws IOException {
        Path console = paths.runtimeDirectory().resolve("console");
        return Files.exists(console) ? Files.readString(console, java.nio.charset.StandardCharsets.ISO_8859_1) : "";
    }

    /** Kills QEMU and removes all files. */
    @Override
    public void close() {
        owned.close();
    }
}
