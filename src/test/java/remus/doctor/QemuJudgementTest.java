package remus.doctor;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import remus.qemu.Accelerator;
import remus.qemu.Architecture;
import remus.qemu.QemuFeatures;
import remus.qemu.QemuInstallation;

class QemuJudgementTest {
    private static final String EMULATION = ": guests run by software emulation (TCG), many times slower";

    private static Finding kvm(boolean exists, boolean opens, @Nullable String problem) {
        return QemuJudgement.kvm(new QemuJudgement.Kvm(exists, opens, problem));
    }

    @Test
    void withoutKvmGuestsAreSlowButProtected() {
        Expected.ok("kvm", "/dev/kvm opens, and QEMU starts a guest with it and the host's CPU", kvm(true, true, null));
        Expected.warning(
                "kvm",
                "/dev/kvm is not there" + EMULATION,
                "modprobe kvm_intel or kvm_amd; enable virtualization in the firmware, or nested virtualization on the"
                        + " host of this virtual machine",
                kvm(false, false, null));
        Expected.warning(
                "kvm",
                "/dev/kvm can't be opened" + EMULATION,
                "run as root, or add this user to the group kvm: usermod -aG kvm USER",
                kvm(true, false, null));
        Expected.warning(
                "kvm",
                "QEMU does not come up with it (failed to set MSR)" + EMULATION,
                "see the kernel's log (dmesg); in a virtual machine its own host must allow nesting",
                kvm(true, true, "failed to set MSR"));
    }

    @Test
    void aMissingQemuIsNamedWithItsPackage() {
        Expected.failure(
                "qemu",
                "the program setsid is not installed",
                "install it with: apt-get install util-linux",
                QemuJudgement.noQemu(Problem.of(
                        "the program setsid is not installed; install it with: apt-get install util-linux")));
        Expected.failure(
                "qemu",
                "QEMU 5.2.0 is too old: at least 7.2 is needed",
                "install QEMU 7.2 or later: apt-get install qemu-system-x86 seabios util-linux",
                QemuJudgement.noQemu(Problem.of("QEMU 5.2.0 is too old: at least 7.2 is needed")));
        Expected.ok(
                "qemu",
                "QEMU 7.2.22, /usr/bin/qemu",
                QemuJudgement.qemu(new QemuInstallation(
                        Map.of(Architecture.X86_64, Path.of("/usr/bin/qemu")),
                        Path.of("/usr/bin/setsid"),
                        features("microvm"))));
    }

    private static QemuFeatures features(String... machines) {
        return new QemuFeatures("7.2.22", Set.of(machines), Path.of("/share/bios.bin"));
    }

    @Test
    void machineTypesAreThoseThatVmsMayHave() {
        Expected.ok(
                "machines",
                "q35 (pc-q35-7.2), pc (pc-i440fx-7.2), microvm (microvm)",
                QemuJudgement.machines(features("pc-q35-7.2", "pc-i440fx-7.2", "microvm", "pc-q35-9.0")));
        Expected.warning(
                "machines",
                "QEMU offers q35 (pc-q35-7.2), but not pc (pc-i440fx-7.2), microvm (microvm)",
                "VMs of the missing types can't run here; another build of QEMU may have them",
                QemuJudgement.machines(features("pc-q35-7.2")));
        Expected.failure(
                "machines",
                "QEMU offers none of q35 (pc-q35-7.2), pc (pc-i440fx-7.2), microvm (microvm)",
                "install a QEMU that does: Debian's qemu-system-x86 of 7.2 or later",
                QemuJudgement.machines(features("pc-q35-12.0")));
    }

    @Test
    void armIsMentionedWhereItIsInstalled() {
        assertEquals(List.of(), QemuJudgement.arm64(features("pc-q35-7.2")));
        Expected.ok(
                "arm64",
                "qemu-system-aarch64 offers virt-7.2, emulated",
                QemuJudgement.arm64(features("pc-q35-7.2", "virt-7.2")).getFirst());
    }

    @Test
    void cpuModelsAreCountedAndTheFirstOnesShown() {
        Expected.ok(
                "cpu",
                "EPYC; 2 models run under kvm: host, max",
                QemuJudgement.cpu("EPYC", Accelerator.KVM, List.of("host", "max")));
        Expected.ok(
                "cpu",
                "EPYC; 7 models run under tcg: a, b, c, d, e, f, …",
                QemuJudgement.cpu("EPYC", Accelerator.TCG, List.of("a", "b", "c", "d", "e", "f", "g")));
        Expected.warning(
                "cpu",
                "EPYC; QEMU does not tell which CPU models run here under tcg",
                "name the model in a VM's definition (cpu: …) only after a trial",
                QemuJudgement.cpu("EPYC", Accelerator.TCG, List.of()));
    }

    @Test
    void theFirmwareIsNamed() {
        Expected.ok(
                "firmware",
                "/share/bios.bin, as flash: guests can reboot after a failover",
                QemuJudgement.firmware(features()));
    }
}
