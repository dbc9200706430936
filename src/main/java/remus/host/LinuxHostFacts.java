package remus.host;

import java.nio.file.Files;
import java.nio.file.Path;
import remus.linux.LinuxException;
import remus.linux.Tap;
import remus.qemu.Accelerator;

/** This host as Linux shows it. Thread-safe. */
final class LinuxHostFacts implements HostFacts {
    private static final Path KVM = Path.of("/dev/kvm");

    @Override
    public Accelerator automaticAccelerator() {
        // Where the device can be opened but runs no guest, the definition has to say tcg.
        return Files.isReadable(KVM) && Files.isWritable(KVM) ? Accelerator.KVM : Accelerator.TCG;
    }

    @Override
    public boolean hasBridge(String name) {
        try {
            return Tap.isBridge(name);
        } catch (LinuxException e) {
            return false;
        }
    }
}
