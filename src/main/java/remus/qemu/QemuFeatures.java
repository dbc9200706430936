package remus.qemu;

import java.nio.file.Path;
import java.util.Set;

/**
 * What an installed QEMU offers, as far as arguments depend on it.
 *
 * @param version as QEMU prints it, such as {@code 7.2.22}
 * @param machineTypes names that {@code -machine} takes
 * @param flashFirmware SeaBIOS as a 256 KiB flash image
 */
public record QemuFeatures(String version, Set<String> machineTypes, Path flashFirmware) {
    public QemuFeatures {
        machineTypes = Set.copyOf(machineTypes);
    }

    /** Whether VMs of {@code type} can run, or stand by, here. */
    public boolean offers(MachineType type) {
        return machineTypes.contains(type.versionedName());
    }
}
