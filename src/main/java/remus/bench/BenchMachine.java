package remus.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import remus.qemu.Accelerator;
import remus.qemu.QemuInstallation;

/**
 * The machine that a bench ran on, without which its figures say little.
 *
 * @param cpus processors that this process may use
 * @param memoryBytes the machine's memory
 * @param kernel release of the running kernel
 * @param qemu QEMU's version
 * @param jdk version of the running Java
 * @param accelerator what runs the guest's instructions, by QEMU's name
 */
public record BenchMachine(int cpus, long memoryBytes, String kernel, String qemu, String jdk, String accelerator) {
    private static final String TOTAL = "MemTotal:";

    /** Describes this one. */
    public static BenchMachine read(QemuInstallation installation, Accelerator accelerator) throws BenchException {
        try {
            return new BenchMachine(
                    Runtime.getRuntime().availableProcessors(),
                    totalMemoryBytes(),
                    Files.readString(Path.of("/proc/sys/kernel/osrelease")).strip(),
                    installation.features().version(),
                    Runtime.version().toString(),
                    accelerator.key());
        } catch (IOException e) {
            throw new BenchException("this machine can't be described: " + e.getMessage(), e);
        }
    }

    private static long totalMemoryBytes() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/meminfo"))) {
            if (line.startsWith(TOTAL)) {
                return Long.parseLong(line.replaceAll("\\D", "")) << 10;
            }
        }
        throw new IOException("/proc/meminfo has no " + TOTAL);
    }
}
