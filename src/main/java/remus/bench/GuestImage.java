package remus.bench;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import org.jspecify.annotations.Nullable;
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
    static final String READY = "remus-guest: ready";

    /** Makes the image where it is missing, which takes a minute; what the script says goes to stderr. */
    public static GuestImage make() throws BenchException, InterruptedException {
        Path script = projectDirectory().resolve(SCRIPT);
        if (!Files.isExecutable(script)) {
            throw new BenchException(
                    "the guest image can't be made: " + script + " is missing; run ./remus from a source tree", null);
        }
        try {
            Process process = new ProcessBuilder(script.toString())
                    .redirectInput(Path.of("/dev/null").toFile())
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            try {
                String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
                int exit = process.waitFor();
                if (exit != 0) {
                    throw new BenchException(
                            script + " could not make the guest image (exit code " + exit + "), see above", null);
                }
                return new GuestImage(Path.of(said.strip()));
            } finally {
                process.destroy();
            }
        } catch (IOException e) {
            throw new BenchException("the guest image can't be made: " + e.getMessage(), e);
        }
    }

    /** The source tree that this program was built in: target/ lies in it, with the jar or the classes. */
    private static Path projectDirectory() throws BenchException {
        @Nullable CodeSource source = GuestImage.class.getProtectionDomain().getCodeSource();
        try {
            @Nullable
            Path target = source == null
                    ? null
                    : Path.of(source.getLocation().toURI()).toAbsolutePath().getParent();
            @Nullable Path project = target == null ? null : target.getParent();
            if (project != null) {
                return project;
            }
        } catch (URISyntaxException e) {
            throw new BenchException("this program's own place can't be told: " + e.getMessage(), e);
        }
        throw new BenchException("this program's own place can't be told; run ./remus from a source tree", null);
    }

    /** How to boot this image with the guest's own keys; scripts/guest/README.md lists them. */
    public VmDefinition.Boot boot(MachineType machine, String keys) throws BenchException {
        try {
            String cmdline = Files.readString(directory.resolve("cmdline")).strip();
            return new VmDefinition.Boot(
                    directory.resolve("vmlinuz"),
                    directory.resolve("initrd.img"),
                    cmdline + clock(machine) + " " + keys);
        } catch (IOException e) {
            throw new BenchException("the guest image can't be read: " + e.getMessage(), e);
        }
    }

    /**
     * A microvm has nothing that Linux could measure its TSC against; under software emulation on a busy host it then
     * hangs at boot, unless told the frequency, which is the host's.
     */
    private static String clock(MachineType machine) throws IOException {
        if (machine != MachineType.MICROVM) {
            return "";
        }
        return Files.readAllLines(Path.of("/proc/cpuinfo")).stream()
                .filter(line -> line.startsWith("cpu MHz"))
                .findFirst()
                .map(line -> " tsc_early_khz="
                        + Math.round(Double.parseDouble(line.substring(line.indexOf(':') + 1)) * 1_000))
                .orElse("");
    }
}
