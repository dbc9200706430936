package remus.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
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
    private final QemuPaths paths;
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

    /** What QEMU does when it is there. */
    private enum Start {
        BOOT,
        /** Waits for {@code migrate-incoming}, and then for {@code cont}. */
        INCOMING
    }

    private PlainVm(QemuInstallation installation, VmDefinition definition, DiskPath disks, Plug plug, Start start)
            throws BenchException, InterruptedException {
        boolean started = false;
        try {
            Path directory = Files.createTempDirectory(
                    TMPFS, "remus-bench-" + ProcessHandle.current().pid() + "-");
            paths = new QemuPaths(directory, directory);
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
            if (start == Start.INCOMING) {
                arguments = QemuArguments.forStandby(definition, paths, installation.features());
            }
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
        return new PlainVm(installation, definition, disks, plug, Start.BOOT);
    }

    /** Boots a VM without disks. */
    public static PlainVm boot(QemuInstallation installation, VmDefinition definition, Plug plug)
            throws BenchException, InterruptedException {
        return new PlainVm(installation, withoutDisks(definition), DiskPath.FILES, plug, Start.BOOT);
    }

    /** Starts a QEMU that waits for such a VM: {@link QemuMigration}. */
    public static PlainVm await(QemuInstallation installation, VmDefinition definition, Plug plug)
            throws BenchException, InterruptedException {
        return new PlainVm(installation, withoutDisks(definition), DiskPath.FILES, plug, Start.INCOMING);
    }

    /** Two QEMUs that write the same images at a time would have to agree about that. */
    private static VmDefinition withoutDisks(VmDefinition definition) {
        if (!definition.disks().isEmpty()) {
            throw new IllegalArgumentException("disks=" + definition.disks());
        }
        return definition;
    }

    QemuProcess process() {
        return qemu;
    }

    QemuPaths paths() {
        return paths;
    }

    /** QEMU's process. */
    public long pid() {
        return qemu.identity().pid();
    }

    /** @throws BenchException when QEMU has ended, with its last words */
    public void requireAlive() throws BenchException {
        Optional<String> words = lastWords();
        if (words.isPresent()) {
            throw new BenchException(words.get(), null);
        }
    }

    /** How QEMU ended, if it has. */
    Optional<String> lastWords() {
        return qemu.isAlive()
                ? Optional.empty()
                : Optional.of("QEMU has ended: " + String.join(" | ", qemu.errorTail()));
    }

    /** Kills QEMU and removes its files. */
    @Override
    public void close() {
        owned.close();
    }
}
