package remus.doctor;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import remus.qemu.Accelerator;
import remus.qemu.Architecture;
import remus.qemu.MachineType;
import remus.qemu.QemuFeatures;
import remus.qemu.QemuInstallation;

/** Judges QEMU, what it offers, and KVM. Pure. */
final class QemuJudgement {
    /** Names that are shown of a list. */
    private static final int SHOWN_NAMES = 6;

    private QemuJudgement() {}

    /**
     * @param exists whether the device node is there
     * @param opens whether this process could open it
     * @param problem why QEMU does not come up with it all the same, or null; only where it opens
     */
    record Kvm(boolean exists, boolean opens, @Nullable String problem) {}

    static Finding kvm(Kvm kvm) {
        String emulation = ": guests run by software emulation (TCG), many times slower";
        if (!kvm.exists()) {
            return Finding.warning(
                    "kvm",
                    "/dev/kvm is not there" + emulation,
                    "modprobe kvm_intel or kvm_amd; enable virtualization in the firmware, or nested"
                            + " virtualization on the host of this virtual machine");
        }
        if (!kvm.opens()) {
            return Finding.warning(
                    "kvm",
                    "/dev/kvm can't be opened" + emulation,
                    "run as root, or add this user to the group kvm: usermod -aG kvm USER");
        }
        String problem = kvm.problem();
        return problem == null
                ? Finding.ok("kvm", "/dev/kvm opens, and QEMU starts a guest with it and the host's CPU")
                : Finding.warning(
                        "kvm",
                        "QEMU does not come up with it (" + problem + ")" + emulation,
                        "see the kernel's log (dmesg); in a virtual machine its own host must allow nesting");
    }

    /** QEMU is not to be used, and why. */
    static Finding noQemu(Problem problem) {
        return Finding.failure(
                "qemu", problem, "install QEMU 7.2 or later: apt-get install qemu-system-x86 seabios util-linux");
    }

    static Finding qemu(QemuInstallation installation) {
        return Finding.ok(
                "qemu",
                "QEMU %s, %s"
                        .formatted(
                                installation.features().version(),
                                installation.binaries().get(Architecture.X86_64)));
    }

    static Finding machines(QemuFeatures features) {
        List<String> offered = new ArrayList<>();
        List<String> missing = new ArrayList<>();
        for (MachineType type : MachineType.values()) {
            if (type.architecture() != Architecture.X86_64) {
                continue;
            }
            (features.offers(type) ? offered : missing).add(type.key() + " (" + type.versionedName() + ")");
        }
        if (offered.isEmpty()) {
            return Finding.failure(
                    "machines",
                    "QEMU offers none of " + String.join(", ", missing),
                    "install a QEMU that does: Debian's qemu-system-x86 of 7.2 or later");
        }
        return missing.isEmpty()
                ? Finding.ok("machines", String.join(", ", offered))
                : Finding.warning(
                        "machines",
                        "QEMU offers %s, but not %s".formatted(String.join(", ", offered), String.join(", ", missing)),
                        "VMs of the missing types can't run here; another build of QEMU may have them");
    }

    static Finding firmware(QemuFeatures features) {
        return Finding.ok("firmware", features.flashFirmware() + ", as flash: guests can reboot after a failover");
    }

    /** Says something only where the emulator for arm64 is installed; that it is not is no fault. */
    static List<Finding> arm64(QemuFeatures features) {
        return Stream.of(MachineType.VIRT)
                .filter(features::offers)
                .map(type -> Finding.ok(
                        "arm64", type.architecture().program() + " offers " + type.versionedName() + ", emulated"))
                .toList();
    }

    static Finding cpu(String processor, Accelerator accelerator, List<String> models) {
        return models.isEmpty()
                ? Finding.warning(
                        "cpu",
                        "%s; QEMU does not tell which CPU models run here under %s"
                                .formatted(processor, accelerator.key()),
                        "name the model in a VM's definition (cpu: …) only after a trial")
                : Finding.ok(
                        "cpu",
                        "%s; %d models run under %s: %s"
                                .formatted(processor, models.size(), accelerator.key(), shown(models)));
    }

    /** The first names of a list. */
    static String shown(List<String> names) {
        String first = String.join(", ", names.subList(0, Math.min(SHOWN_NAMES, names.size())));
        return names.size() > SHOWN_NAMES ? first + ", …" : first;
    }
}
