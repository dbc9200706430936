package remus.host;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.linux.LinuxException;
import remus.linux.Tap;
import remus.qemu.Accelerator;
import remus.qemu.QemuInstallation;

/** This host as Linux and its QEMU show it. Thread-safe. */
final class LinuxHostFacts implements HostFacts {
    private static final Logger LOG = LoggerFactory.getLogger(LinuxHostFacts.class);
    private static final Path KVM = Path.of("/dev/kvm");

    private final QemuInstallation installation;
    private final Path kvm;
    private @Nullable Accelerator automatic;

    LinuxHostFacts(QemuInstallation installation) {
        this(installation, KVM);
    }

    LinuxHostFacts(QemuInstallation installation, Path kvm) {
        this.installation = installation;
        this.kvm = kvm;
    }

    /** {@inheritDoc} QEMU is tried once, when this is first asked. */
    @Override
    public synchronized Accelerator automaticAccelerator() {
        Accelerator known = automatic;
        if (known != null) {
            return known;
        }
        try {
            Optional<String> problem = hasKvm()
                    ? installation.kvmProblem()
                    : Optional.of(kvm + " is not there, or not for this user to open");
            problem.ifPresentOrElse(
                    why -> LOG.info("accelerator: auto stands for tcg on this host, for KVM can't be used: {}", why),
                    () -> LOG.info("accelerator: auto stands for kvm on this host"));
            Accelerator decided = problem.isPresent() ? Accelerator.TCG : Accelerator.KVM;
            automatic = decided;
            return decided;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Accelerator.TCG; // for this time only
        }
    }

    @Override
    public boolean hasKvm() {
        return Files.isReadable(kvm) && Files.isWritable(kvm);
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
