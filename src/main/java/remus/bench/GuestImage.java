package remus.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import remus.qemu.Architecture;
import remus.qemu.MachineType;
import remus.qemu.VmDefinition;

/**
 * The small Debian guest that {@code scripts/guest-image} makes, and caches.
 *
 * @param directory holds {@code vmlinuz}, {@code initrd.img} and {@code cmdline}
 */
public record GuestImage(Path directory) {
    private static final String SCRIPT = "scripts/guest-image";

    /** The line on the console that says that all loads of the guest run. */
    public static final String READY = "remus-guest: ready";

    /** Makes the image where it is missing, which takes a minute; what the script says goes to stderr. */
    public static GuestImage make() throws BenchException, InterruptedException {
        return make(Architecture.X86_64);
    }

    /** The same with what some benches need besides: a compiler with a source tree, iperf3, and {@link #client clients}. */
    public static GuestImage makeForBenches() throws BenchException, InterruptedException {
        return new GuestImage(ImageScript.run(SCRIPT, "amd64", "bench"));
    }

    /** The command that runs a client's program on this host, by the name of its file; only of an image for benches. */
    public List<String> client(String program) {
        return List.of(directory.resolve("client/bin/run").toString(), program);
    }

    /** The same for guests of that architecture. */
    public static GuestImage make(Architecture architecture) throws BenchException, InterruptedException {
        return new GuestImage(ImageScript.run(
                SCRIPT,
                switch (architecture) {
                    case X86_64 -> "amd64";
                    case ARM64 -> "arm64";
                }));
    }

    /** How to boot this image with the guest's own keys; scripts/guest/README.md lists them. */
    public VmDefinition.Boot boot(MachineType machine, String keys) throws BenchException {
        try {
            String cmdline = Files.readString(directory.resolve("cmdline")).strip();
            return new VmDefinition.Boot(
                    directory.resolve("vmlinuz"),
                    directory.resolve("initrd.img"),
                    cmdline + hints(machine) + " " + keys);
        } catch (IOException e) {
            throw new BenchException("the guest image can't be read: " + e.getMessage(), e);
        }
    }

    /**
     * A microvm has nothing that Linux could measure its TSC against; under software emulation on a busy host it then
     * hangs at boot, unless told the frequency, which is the host's. Linux restarts it by a jump into its firmware, which
     * is not made for that, unless told to reset the processor by a triple fault, as QEMU's documentation advises.
     */
    private static String hints(MachineType machine) throws IOException {
        if (machine != MachineType.MICROVM) {
            return "";
        }
        String frequency = Files.readAllLines(Path.of("/proc/cpuinfo")).stream()
                .filter(line -> line.startsWith("cpu MHz"))
                .findFirst()
                .map(line -> " tsc_early_khz="
                        + Math.round(Double.parseDouble(line.substring(line.indexOf(':') + 1)) * 1_000))
                .orElse("");
        return " reboot=t" + frequency;
    }
}
