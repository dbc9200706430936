package remus.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import remus.base.CloseStack;
import remus.base.RemusException;
import remus.memory.SharedRamFile;
import remus.qemu.QemuArguments;
import remus.qemu.QemuInstallation;
import remus.qemu.QemuPaths;
import remus.qemu.QemuProcess;
import remus.qemu.VmDefinition;

/**
 * A VM as if there were no Remus: QEMU with the arguments of a protected VM, but that it writes the disks' images
 * itself, or by its own NBD server; its one network card is plugged into a bridge. What protection costs is measured
 * against it. Owns QEMU and its files, but for the images.
 */
public final class PlainVm implements AutoCloseable {
    private static final Path TMPFS = Path.of("/dev/shm");

    private final CloseStack owned = new CloseStack();
    private final QemuProcess qemu;

    /**
     * Where the VM's network card is plugged in.
     *
     * @param namespace network namespace that has the bridge, such as {@code /run/netns/client}
     */
    public record Plug(Path namespace, String bridge) {}

    /** How the VM reaches its disks. */
    public enum DiskPath {
        /** QEMU opens the images. */
        FILES,
        /** QEMU asks QEMU's own NBD server, exactly as it would ask ours. */
        QEMU_NBD
    }

    private PlainVm(QemuInstallation installation, VmDefinition definition, DiskPath disks, Plug plug)
            throws BenchException, InterruptedException {
        boolean started = false;
        try {
            Path directory = Files.createTempDirectory(TMPFS, "remus-bench-");
            QemuPaths paths = new QemuPaths(directory, directory);
            owned.push(() -> {
                Files.deleteIfExists(paths.logFile());
                paths.remove();
            });
            SharedRamFile.create(paths.ramFile(), definition.memory().bytes());
            installation.require(definition.machine());
            List<String> arguments = switch (disks) {
                case FILES -> QemuArguments.forPlainFiles(definition, paths, installation.features());
                case QEMU_NBD -> {
                    owned.push(StorageDaemon.start(definition.disks(), paths.diskSocket()));
                    yield QemuArguments.forPrimary(definition, paths, installation.features());
                }
            };
            qemu = owned.push(
                    QemuProcess.start(installation, definition.machine(), arguments, paths, BenchVm.LIMITS.start()));
            owned.push(PlainNetwork.start(paths.nicSocket(0), plug));
            started = true;
        } catch (IOException e) {
            throw new BenchException("the plain guest can't be started: " + e.getMessage(), e);
        } catch (RemusException e) {
            throw BenchException.because("the plain guest can't be started", e);
        } finally {
            if (!started) {
                owned.close();
            }
        }
    }

    /** Boots the VM; {@code definition} has one network card. */
    public static PlainVm boot(QemuInstallation installation, VmDefinition definition, DiskPath disks, Plug plug)
            throws BenchException, InterruptedException {
        return new PlainVm(installation, definition, disks, plug);
    }

    /** @throws BenchException when QEMU has ended, with its last words */
    public void requireAlive() throws BenchException {
        if (!qemu.isAlive()) {
            throw new BenchException("QEMU has ended: " + String.join(" | ", qemu.errorTail()), null);
        }
    }

    /** Kills QEMU and removes its files. */
    @Override
    public void close() {
        owned.close();
    }
}
