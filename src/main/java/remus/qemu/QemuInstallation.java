package remus.qemu;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.base.ErrorCategory;

/**
 * The QEMU that this machine has.
 *
 * @param binaries the emulators; the one for x86-64 is always there
 * @param setsid the util-linux program that gives QEMU a session of its own (see {@link QemuProcess})
 */
public record QemuInstallation(Map<Architecture, Path> binaries, Path setsid, QemuFeatures features) {
    private static final Logger LOG = LoggerFactory.getLogger(QemuInstallation.class);
    private static final Duration PROBE_LIMIT = Duration.ofSeconds(20);
    private static final Duration COMMANDS_LIMIT = Duration.ofSeconds(5);
    private static final Path NO_INPUT = Path.of("/dev/null");
    /** Lets a QEMU that listens on its standard input start completely, and then end. */
    private static final String QUIT_ON_QMP = "{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"quit\"}\n";

    private static final String QMP_CPU_MODELS = QUIT_ON_QMP.replace(
            "{\"execute\":\"quit\"}", "{\"execute\":\"query-cpu-definitions\"}\n{\"execute\":\"quit\"}");
    private static final String DEFAULT_PATH = "/usr/bin:/bin";

    /** The first version with {@code -netdev stream}. */
    private static final int MINIMUM_MAJOR = 7;

    private static final int MINIMUM_MINOR = 2;
    private static final Pattern VERSION = Pattern.compile("QEMU emulator version ((\\d+)\\.(\\d+)\\S*)");
    private static final List<Path> FIRMWARE =
            List.of(Path.of("/usr/share/seabios/bios-256k.bin"), Path.of("/usr/share/qemu/bios-256k.bin"));

    public QemuInstallation {
        binaries = Map.copyOf(binaries);
    }

    /**
     * Finds QEMU on the PATH and asks it what it offers; takes about 0.1 s.
     *
     * @throws QemuException naming what is missing and the Debian package that has it
     */
    public static QemuInstallation probe() throws QemuException, InterruptedException {
        return probe(System.getenv().getOrDefault("PATH", DEFAULT_PATH), FIRMWARE);
    }

    static QemuInstallation probe(String searchPath, List<Path> firmwareCandidates)
            throws QemuException, InterruptedException {
        Path binary =
                find(searchPath, Architecture.X86_64.program()).orElseThrow(() -> missingProgram(Architecture.X86_64));
        Path setsid = find(searchPath, "setsid").orElseThrow(() -> missing("the program setsid", "util-linux"));
        Path firmware = firmwareCandidates.stream()
                .filter(Files::isReadable)
                .findFirst()
                .orElseThrow(() -> missing("the firmware " + firmwareCandidates.getFirst(), "seabios"));
        String version = supportedVersion(binary, run(binary, "--version"));
        Map<Architecture, Path> binaries = new EnumMap<>(Architecture.class);
        binaries.put(Architecture.X86_64, binary);
        Set<String> machineTypes = new HashSet<>(machineTypes(binary));
        Optional<Path> arm = find(searchPath, Architecture.ARM64.program());
        if (arm.isPresent() && isUsable(arm.get(), version)) {
            binaries.put(Architecture.ARM64, arm.get());
            machineTypes.add(MachineType.VIRT.versionedName());
        }
        return new QemuInstallation(binaries, setsid, new QemuFeatures(version, machineTypes, firmware));
    }

    /** Hosts compare one version, so a further emulator of another one, or that does not work, counts as missing. */
    private static boolean isUsable(Path binary, String version) throws InterruptedException {
        try {
            return supportedVersion(binary, run(binary, "--version")).equals(version)
                    && machineTypes(binary).contains(MachineType.VIRT.versionedName());
        } catch (QemuException e) {
            LOG.warn("{} is not used: {}", binary, e.getMessage());
            return false;
        }
    }

    private static Set<String> machineTypes(Path binary) throws QemuException, InterruptedException {
        return run(binary, "-machine", "help")
                .lines()
                .skip(1) // the heading
                .map(line -> line.split("\\s", 2)[0])
                .filter(name -> !name.isEmpty())
                .collect(Collectors.toUnmodifiableSet());
    }

    /**
     * The emulator for such guests.
     *
     * @throws QemuException when this host has none, of the same version as the others
     */
    Path binary(Architecture architecture) throws QemuException {
        Path binary = binaries.get(architecture);
        if (binary == null) {
            throw missingProgram(architecture);
        }
        return binary;
    }

    private static QemuException missingProgram(Architecture architecture) {
        return missing("the program " + architecture.program(), architecture.debianPackage());
    }

    /**
     * CPU models that run here under {@code accelerator}, by name and without their versions (such as {@code Skylake-v2}):
     * those of which the host's processor, or the emulation, has all features. Starts QEMU for a moment (about 0.1 s).
     */
    public List<String> cpuModels(Accelerator accelerator) throws QemuException, InterruptedException {
        String[] arguments = {
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-S",
            "-qmp",
            "stdio",
            "-machine",
            "none",
            "-accel",
            accelerator.key()
        };
        return CpuModels.parse(answers(QMP_CPU_MODELS, arguments));
    }

    /** @throws QemuException when VMs of this type can't run here */
    public void require(MachineType type) throws QemuException {
        binary(type.architecture());
        if (!features.offers(type)) {
            throw new QemuException(
                    ErrorCategory.FATAL,
                    "QEMU " + features.version() + " has no machine type " + type.versionedName()
                            + ", which VMs with 'machine: " + type.key()
                            + "' need; both hosts must have a QEMU that offers it",
                    null);
        }
    }

    /**
     * Why no guest can run under KVM with the host's CPU here; empty when one can. Starts QEMU for a moment, with a
     * stopped guest in it (about 0.1 s): that {@code /dev/kvm} can be opened does not say that QEMU comes up with it, as
     * in virtual machines whose own host withholds registers.
     */
    public Optional<String> kvmProblem() throws InterruptedException {
        Optional<MachineType> machine = Stream.of(MachineType.values())
                .filter(type -> type.architecture() == Architecture.X86_64)
                .filter(features::offers)
                .findFirst();
        if (machine.isEmpty()) {
            return Optional.of("QEMU " + features.version() + " offers none of the machines q35, pc and microvm");
        }
        String[] arguments = {
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-S",
            "-qmp",
            "stdio",
            "-machine",
            machine.get().versionedName(),
            "-m",
            "16M",
            "-accel",
            "kvm",
            "-cpu",
            "host"
        };
        try {
            answers(QUIT_ON_QMP, arguments);
            return Optional.empty();
        } catch (QemuException e) {
            return Optional.of(String.valueOf(e.getMessage()));
        }
    }

    /** What a QEMU that listens on its standard input prints when it is sent {@code commands}, of which the last is quit. */
    private String answers(String commands, String... arguments) throws QemuException, InterruptedException {
        try {
            Path file = Files.createTempFile("remus-probe", ".qmp");
            try {
                Files.writeString(file, commands);
                return run(COMMANDS_LIMIT, file, binary(Architecture.X86_64), arguments);
            } finally {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            throw new QemuException(ErrorCategory.FATAL, "it could not be tried: " + e.getMessage(), e);
        }
    }

    private static Optional<Path> find(String searchPath, String name) {
        return Stream.of(searchPath.split(":", -1))
                .filter(directory -> !directory.isEmpty())
                .map(directory -> Path.of(directory, name))
                .filter(Files::isExecutable)
                .findFirst();
    }

    private static QemuException missing(String what, String debianPackage) {
        return new QemuException(
                ErrorCategory.FATAL,
                what + " is not installed; install it with: apt-get install " + debianPackage,
                null);
    }

    private static String supportedVersion(Path binary, String output) throws QemuException {
        Matcher matcher = VERSION.matcher(output);
        if (!matcher.find()) {
            throw new QemuException(
                    ErrorCategory.FATAL, binary + " --version does not answer like QEMU: " + firstLine(output), null);
        }
        int major = Integer.parseInt(matcher.group(2));
        int minor = Integer.parseInt(matcher.group(3));
        if (major < MINIMUM_MAJOR || (major == MINIMUM_MAJOR && minor < MINIMUM_MINOR)) {
            throw new QemuException(
                    ErrorCategory.FATAL,
                    "QEMU " + matcher.group(1) + " (" + binary + ") is too old: at least " + MINIMUM_MAJOR + "."
                            + MINIMUM_MINOR + " is needed",
                    null);
        }
        return matcher.group(1);
    }

    private static String run(Path binary, String... arguments) throws QemuException, InterruptedException {
        return run(PROBE_LIMIT, NO_INPUT, binary, arguments);
    }

    private static String run(Duration limit, Path input, Path binary, String... arguments)
            throws QemuException, InterruptedException {
        List<String> command = Stream.concat(Stream.of(binary.toString()), Stream.of(arguments))
                .toList();
        try {
            // Into a file, not a pipe: a program that hangs with its output open must not hang us.
            Path output = Files.createTempFile("remus-probe", ".txt");
            try {
                Process process = new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectInput(input.toFile())
                        .redirectOutput(output.toFile())
                        .start();
                if (!process.waitFor(limit.toNanos(), TimeUnit.NANOSECONDS)) {
                    process.destroyForcibly();
                    throw new QemuException(
                            ErrorCategory.RETRY,
                            String.join(" ", command) + " did not end within " + limit.toSeconds() + "s",
                            null);
                }
                String text = Files.readString(output, StandardCharsets.UTF_8);
                if (process.exitValue() != 0) {
                    throw new QemuException(
                            ErrorCategory.FATAL,
                            String.join(" ", command) + " failed with exit code " + process.exitValue() + ": "
                                    + firstLine(text),
                            null);
                }
                return text;
            } finally {
                Files.deleteIfExists(output);
            }
        } catch (IOException e) {
            throw new QemuException(
                    ErrorCategory.FATAL, String.join(" ", command) + " could not be run: " + e.getMessage(), e);
        }
    }

    /** The first line that says something; what QMP says is not for people. */
    private static String firstLine(String text) {
        return text.lines()
                .filter(line -> !line.isBlank() && !line.startsWith("{"))
                .findFirst()
                .orElse("(no output)");
    }
}
