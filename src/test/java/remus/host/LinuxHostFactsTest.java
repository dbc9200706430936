package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import remus.qemu.Accelerator;
import remus.qemu.Architecture;
import remus.qemu.MachineType;
import remus.qemu.QemuFeatures;
import remus.qemu.QemuInstallation;

class LinuxHostFactsTest {
    @TempDir
    Path directory;

    private Path kvm = Path.of("");

    @BeforeEach
    void makeDevice() throws IOException {
        kvm = Files.createFile(directory.resolve("kvm"));
    }

    @Test
    void autoIsKvmWhereQemuStartsWithItAndQemuIsTriedOnce() throws IOException {
        HostFacts facts = new LinuxHostFacts(qemuThat("exit 0"), kvm);
        assertEquals(Accelerator.KVM, facts.automaticAccelerator());
        assertEquals(Accelerator.KVM, facts.automaticAccelerator());
        assertEquals(1, starts());
    }

    @Test
    void autoIsTcgWhereTheDeviceCanBeOpenedButQemuAborts() throws IOException {
        HostFacts facts = new LinuxHostFacts(qemuThat("kill -ABRT $$"), kvm);
        assertEquals(Accelerator.TCG, facts.automaticAccelerator());
        assertEquals(Accelerator.TCG, facts.automaticAccelerator());
        assertEquals(1, starts());
    }

    @Test
    void autoIsTcgWithoutTheDeviceAndQemuIsNotTried() throws IOException {
        HostFacts facts = new LinuxHostFacts(qemuThat("exit 0"), directory.resolve("none"));
        assertFalse(facts.hasKvm());
        assertEquals(Accelerator.TCG, facts.automaticAccelerator());
        assertEquals(0, starts());
    }

    private QemuInstallation qemuThat(String does) throws IOException {
        Path program = Files.writeString(
                directory.resolve("qemu"), "#!/bin/sh\necho started >> " + directory + "/starts\n" + does + "\n");
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
        QemuFeatures features = new QemuFeatures("7.2", Set.of(MachineType.PC.versionedName()), program);
        return new QemuInstallation(Map.of(Architecture.X86_64, program), program, features);
    }

    private long starts() throws IOException {
        Path starts = directory.resolve("starts");
        return Files.exists(starts) ? Files.readAllLines(starts).size() : 0;
    }
}
