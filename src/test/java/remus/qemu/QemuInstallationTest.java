package remus.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import remus.base.ErrorCategory;

/** Probing, against programs made for the purpose. */
class QemuInstallationTest {
    private static final String MACHINES = """
            Supported machines are:
            microvm              microvm (i386)
            q35                  Standard PC (Q35 + ICH9, 2009) (alias of pc-q35-7.2)
            pc-q35-7.2           Standard PC (Q35 + ICH9, 2009)
            """;

    @TempDir
    Path directory;

    private List<Path> firmware = List.of();

    @BeforeEach
    void installAll() throws IOException {
        installQemu("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)", MACHINES);
        program("setsid", "exit 0");
        firmware = List.of(directory.resolve("missing"), Files.createFile(directory.resolve("bios-256k.bin")));
    }

    @Test
    void whatIsInstalledIsFoundAndAskedWhatItOffers() throws Exception {
        QemuInstallation found = probe();
        assertEquals(Map.of(Architecture.X86_64, directory.resolve("qemu-system-x86_64")), found.binaries());
        assertEquals(directory.resolve("setsid"), found.setsid());
        assertEquals(
                new QemuFeatures("7.2.22", Set.of("microvm", "q35", "pc-q35-7.2"), directory.resolve("bios-256k.bin")),
                found.features());
        assertTrue(found.features().offers(MachineType.Q35));
        assertFalse(found.features().offers(MachineType.PC));
        found.require(MachineType.Q35);
        assertThrows(QemuException.class, () -> found.require(MachineType.PC));
    }

    @Test
    void anEmulatorForArm64CountsIfItIsOfTheSameVersion() throws Exception {
        String program = "qemu-system-aarch64";
        QemuException missing = assertThrows(QemuException.class, () -> probe().require(MachineType.VIRT));
        assertTrue(
                String.valueOf(missing.getMessage()).endsWith("apt-get install qemu-system-arm"), missing.toString());
        String ofX86 = Files.readString(directory.resolve("qemu-system-x86_64"));
        Files.copy(directory.resolve("qemu-system-x86_64"), directory.resolve(program));
        Files.writeString(directory.resolve(program), ofX86.replace("microvm", "virt-7.2"));
        probe().require(MachineType.VIRT);
        assertEquals(directory.resolve(program), probe().binary(Architecture.ARM64));
        for (String unfit : List.of("echo QEMU emulator version 8.2.0", "echo QEMU emulator version 6.2.0", "exit 1")) {
            program(program, unfit);
            assertThrows(QemuException.class, () -> probe().require(MachineType.VIRT), unfit);
            probe().require(MachineType.Q35);
        }
    }

    @Test
    void whatIsMissingIsNamedWithItsPackage() throws Exception {
        Files.delete(directory.resolve("bios-256k.bin"));
        assertRefused("bios-256k.bin is not installed; install it with: apt-get install seabios", firmware.getLast());
        Files.delete(directory.resolve("setsid"));
        assertRefused("the program setsid is not installed; install it with: apt-get install util-linux");
        Files.delete(directory.resolve("qemu-system-x86_64"));
        assertRefused(
                "the program qemu-system-x86_64 is not installed; install it with: apt-get install qemu-system-x86");
    }

    @Test
    void aQemuTooOldForOurNetworkIsRefused() throws Exception {
        installQemu("QEMU emulator version 7.1.0", MACHINES);
        assertRefused("is too old: at least 7.2 is needed");
        installQemu("QEMU emulator version 10.0.2", MACHINES);
        assertEquals("10.0.2", probe().features().version());
    }

    @Test
    void aProgramThatIsNotQemuIsRefused() throws Exception {
        installQemu("hello", "");
        assertRefused("does not answer like QEMU: hello");
        program("qemu-system-x86_64", "echo broken library >&2; exit 127");
        assertRefused("failed with exit code 127: broken library");
    }

    @Test
    void kvmCanBeUsedWhereQemuStartsWithIt() throws Exception {
        program("qemu-system-x86_64", """
                case "$*" in
                  --version) echo QEMU emulator version 7.2.22 ;;
                  *help) printf 'Supported machines are:\\npc-q35-7.2  Standard PC\\n' ;;
                  *"-machine pc-q35-7.2 "*"-accel kvm -cpu host") grep -q quit ;;
                  *) exit 3 ;;
                esac""");
        assertEquals(Optional.empty(), probe().kvmProblem());
    }

    @Test
    void aQemuThatAbortsUnderKvmSaysWhy() throws Exception {
        program("qemu-system-x86_64", """
                case "$*" in
                  --version) echo QEMU emulator version 7.2.22 ;;
                  *help) printf 'Supported machines are:\\npc-q35-7.2  Standard PC\\n' ;;
                  *) echo '{"QMP": {}}'; echo 'error: failed to set MSR 0x10a' >&2; kill -ABRT $$ ;;
                esac""");
        String problem = probe().kvmProblem().orElseThrow();
        assertTrue(problem.endsWith("failed with exit code 134: error: failed to set MSR 0x10a"), problem);
    }

    private QemuInstallation probe() throws QemuException, InterruptedException {
        return QemuInstallation.probe("/nowhere::" + directory, firmware);
    }

    private void assertRefused(String why, Path... candidates) {
        List<Path> firmwareThere = candidates.length == 0 ? firmware : List.of(candidates);
        QemuException refused =
                assertThrows(QemuException.class, () -> QemuInstallation.probe(directory.toString(), firmwareThere));
        assertTrue(String.valueOf(refused.getMessage()).contains(why), refused.getMessage());
        assertEquals(ErrorCategory.FATAL, refused.category());
    }

    private void installQemu(String version, String machines) throws IOException {
        program(
                "qemu-system-x86_64",
                "if [ \"$1\" = --version ]; then echo '" + version + "'; else echo '" + machines + "'; fi");
    }

    private void program(String name, String script) throws IOException {
        Path file = Files.writeString(directory.resolve(name), "#!/bin/sh\n" + script + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }
}
