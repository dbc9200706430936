package remus.host;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import remus.api.StartRequest;
import remus.base.ByteSize;
import remus.disk.DiskException;
import remus.disk.RawImage;
import remus.qemu.Accelerator;
import remus.qemu.Architecture;
import remus.qemu.MachineType;
import remus.qemu.QemuArguments;
import remus.qemu.VmDefinition;

/**
 * A VM's YAML file, read and checked: the definition, and how it is to be protected where the file says so. All
 * problems are refused together before anything starts, each naming its key and value; files and bridges that it
 * names must exist. Relative paths start from the file's directory.
 *
 * @param protection null when the file does not mention it
 */
public record VmDefinitionFile(
        VmDefinition definition, @Nullable ProtectionSettings protection) {
    public static final int MAX_CPUS = 64;
    public static final ByteSize MIN_MEMORY = ByteSize.ofMebibytes(16);
    public static final ByteSize MAX_MEMORY = ByteSize.ofMebibytes(4L << 20);

    /** Guest memory comes in large pages' size, so that both hosts may use them. */
    public static final ByteSize MEMORY_STEP = ByteSize.ofMebibytes(2);

    /** Linux takes so much of a command line on x86 (COMMAND_LINE_SIZE, with the final NUL). */
    static final int MAX_CMDLINE_CHARS = 2047;

    private static final String WHAT = "VM definition";

    /** All that QEMU can emulate, but pointer authentication by its own quick hash: the architecture's costs half the speed. */
    private static final String ARM64_CPU = "max,pauth-impdef=on";

    private static final Pattern CPU_MODEL = Pattern.compile("[A-Za-z0-9_.,+=-]{1,200}");

    /**
     * Reads a definition.
     *
     * @param baseDirectory where relative paths start, absolute
     * @throws OperationException naming every problem
     */
    public static VmDefinitionFile parse(String yaml, Path baseDirectory, HostFacts facts) throws OperationException {
        StrictYaml root = StrictYaml.parse(WHAT, yaml, StartRequest.MAX_DEFINITION_CHARS);
        return new Reader(root, baseDirectory, facts).read();
    }

    /** Reads one file; what could not be read is replaced by a value that never leaves, as a problem is noted. */
    private record Reader(StrictYaml root, Path baseDirectory, HostFacts facts) {
        VmDefinitionFile read() throws OperationException {
            String name = name();
            MachineType machine = orElse(root.value("machine", Reader::machine), MachineType.Q35);
            int cpus = orElse(root.integer("cpus", 1, MAX_CPUS), 1);
            ByteSize memory = memory();
            Accelerator accelerator = accelerator(machine);
            String cpu = cpu(accelerator, machine);
            VmDefinition.@Nullable Boot boot = boot();
            List<VmDefinition.Disk> disks = disks();
            if (!root.has("boot") && !root.has("disks")) {
                root.refuse("boot", "missing: give {kernel: vmlinuz, initrd: initrd.img}, or disks to boot from");
            }
            List<VmDefinition.Nic> nics = nics();
            if (machine == MachineType.MICROVM && nics.size() + disks.size() > QemuArguments.MAX_MICROVM_DEVICES) {
                root.refuse(
                        "disks",
                        "%d disks and %d nics are more than a microvm has room for: %d together"
                                .formatted(disks.size(), nics.size(), QemuArguments.MAX_MICROVM_DEVICES));
            }
            if (machine.bootsKernelOnly() && boot == null) {
                root.refuse("boot", "missing: a machine " + machine.key() + " boots a kernel only, not from disks");
            }
            @Nullable Path console = console(boot, disks);
            StrictYaml protection = root.mapping("protection");
            @Nullable ProtectionSettings settings = protection == null ? null : ProtectionSettings.read(protection);
            root.end();
            root.refuseProblems(WHAT);
            VmDefinition definition =
                    new VmDefinition(name, machine, cpus, memory, accelerator, cpu, boot, disks, nics, console);
            return new VmDefinitionFile(definition, settings);
        }

        private String name() {
            String name = root.text("name");
            if (name == null) {
                missing("name", "a name of a-z, 0-9 and -, such as shop");
            } else if (!HostConfiguration.NAME.matcher(name).matches()) {
                root.refuse("name", StrictYaml.shown(name) + " is not 1 to 40 characters of a-z, 0-9 and -");
            }
            return orElse(name, "");
        }

        private void missing(String key, String what) {
            // A value of the wrong type is a problem already.
            if (!root.has(key)) {
                root.refuse(key, "missing: give " + what);
            }
        }

        private static MachineType machine(String text) {
            for (MachineType machine : MachineType.values()) {
                if (machine.key().equals(text)) {
                    return machine;
                }
            }
            throw new IllegalArgumentException(
                    StrictYaml.shown(text) + " is not a machine: use q35, pc, microvm or virt (arm64)");
        }

        private ByteSize memory() {
            ByteSize memory = root.value("memory", ByteSize::parse);
            if (memory == null) {
                missing("memory", "a size, such as 256MiB");
                return MIN_MEMORY;
            }
            if (memory.bytes() < MIN_MEMORY.bytes()
                    || memory.bytes() > MAX_MEMORY.bytes()
                    || memory.bytes() % MEMORY_STEP.bytes() != 0) {
                root.refuse(
                        "memory",
                        "'%s' is not from %s to %s in steps of %s"
                                .formatted(memory, MIN_MEMORY, MAX_MEMORY, MEMORY_STEP));
            }
            return memory;
        }

        private Accelerator accelerator(MachineType machine) {
            String text = orElse(root.text("accelerator"), "auto");
            boolean isForeign = machine.architecture() != Architecture.X86_64;
            for (Accelerator accelerator : Accelerator.values()) {
                if (accelerator.key().equals(text)) {
                    if (isForeign && accelerator == Accelerator.KVM) {
                        root.refuse("accelerator", "'kvm' runs guests of this host's processor only: use tcg for virt");
                    }
                    return accelerator;
                }
            }
            if (!text.equals("auto")) {
                root.refuse("accelerator", StrictYaml.shown(text) + " is none of auto, kvm, tcg");
            }
            return isForeign ? Accelerator.TCG : facts.automaticAccelerator();
        }

        private String cpu(Accelerator accelerator, MachineType machine) {
            String cpu = root.text("cpu");
            if (cpu == null) {
                if (machine.architecture() == Architecture.ARM64) {
                    return ARM64_CPU;
                }
                return accelerator == Accelerator.KVM ? "host" : "max";
            }
            if (!CPU_MODEL.matcher(cpu).matches()) {
                root.refuse("cpu", StrictYaml.shown(cpu) + " is not a QEMU CPU model, such as max or qemu64,+aes");
            }
            return cpu;
        }

        private VmDefinition.@Nullable Boot boot() {
            StrictYaml boot = root.mapping("boot");
            if (boot == null) {
                return null;
            }
            if (!boot.has("kernel")) {
                boot.refuse("kernel", "missing: give the file of a Linux kernel");
            }
            @Nullable Path kernel = existingFile(boot, "kernel");
            @Nullable Path initrd = existingFile(boot, "initrd");
            String cmdline = orElse(boot.text("cmdline"), "");
            if (cmdline.length() > MAX_CMDLINE_CHARS || cmdline.chars().anyMatch(Character::isISOControl)) {
                boot.refuse(
                        "cmdline",
                        "%s is longer than %d characters or has control characters"
                                .formatted(StrictYaml.shown(cmdline), MAX_CMDLINE_CHARS));
            }
            boot.end();
            return kernel == null ? null : new VmDefinition.Boot(kernel, initrd, cmdline);
        }

        private @Nullable Path existingFile(StrictYaml yaml, String key) {
            @Nullable Path file = path(yaml, key);
            if (file == null) {
                return null;
            }
            if (!Files.isRegularFile(file) || !Files.isReadable(file)) {
                yaml.refuse(key, "'%s' is not a file that can be read".formatted(file));
                return null;
            }
            return file;
        }

        private @Nullable Path path(StrictYaml yaml, String key) {
            String text = yaml.text(key);
            if (text == null) {
                return null;
            }
            try {
                if (text.isBlank() || text.chars().anyMatch(Character::isISOControl)) {
                    throw new InvalidPathException(text, "empty, or with control characters");
                }
                return baseDirectory.resolve(text).normalize();
            } catch (InvalidPathException e) {
                yaml.refuse(key, "%s is not a path: %s".formatted(StrictYaml.shown(text), e.getReason()));
                return null;
            }
        }

        private List<VmDefinition.Disk> disks() {
            List<VmDefinition.Disk> disks = new ArrayList<>();
            Set<String> names = new HashSet<>();
            Set<Path> images = new HashSet<>();
            for (StrictYaml yaml : root.mappings("disks", QemuArguments.MAX_DISKS)) {
                @Nullable String name = diskName(yaml, names);
                @Nullable Path image = image(yaml, images);
                yaml.end();
                if (name != null && image != null) {
                    disks.add(new VmDefinition.Disk(name, image));
                }
            }
            return disks;
        }

        private static @Nullable String diskName(StrictYaml yaml, Set<String> seen) {
            if (!yaml.has("name")) {
                yaml.refuse("name", "missing: give the disk a name, such as root");
                return null;
            }
            String name = yaml.text("name");
            if (name == null) {
                return null;
            }
            if (!VmDefinition.Disk.NAME.matcher(name).matches()) {
                yaml.refuse("name", StrictYaml.shown(name) + " is not 1 to 20 characters of a-z, 0-9 and -");
            } else if (!seen.add(name)) {
                yaml.refuse("name", "'%s' is there twice".formatted(name));
            }
            return name;
        }

        private @Nullable Path image(StrictYaml yaml, Set<Path> seen) {
            if (!yaml.has("image")) {
                yaml.refuse("image", "missing: give the file of a raw image, such as root.raw");
                return null;
            }
            @Nullable Path file = path(yaml, "image");
            if (file == null) {
                return null;
            }
            try {
                // The same image by two names would be written by two disks.
                Path image = file.toRealPath();
                RawImage.open(image).close();
                if (!seen.add(image)) {
                    yaml.refuse("image", "'%s' is there twice".formatted(file));
                }
                return image;
            } catch (IOException e) {
                yaml.refuse("image", "'%s' is not a file that can be read".formatted(file));
            } catch (DiskException e) {
                yaml.refuse("image", String.valueOf(e.getMessage()));
            }
            return null;
        }

        private List<VmDefinition.Nic> nics() {
            List<VmDefinition.Nic> nics = new ArrayList<>();
            Set<String> macs = new HashSet<>();
            for (StrictYaml yaml : root.mappings("nics", QemuArguments.MAX_NICS)) {
                @Nullable String mac = mac(yaml, macs);
                @Nullable String bridge = bridge(yaml);
                yaml.end();
                if (mac != null && bridge != null) {
                    nics.add(new VmDefinition.Nic(mac, bridge));
                }
            }
            return nics;
        }

        private static @Nullable String mac(StrictYaml yaml, Set<String> seen) {
            if (!yaml.has("mac")) {
                yaml.refuse("mac", "missing: give an address of its own, such as \"52:54:00:12:34:56\"");
                return null;
            }
            String text = yaml.text("mac");
            if (text == null) {
                return null;
            }
            String mac = text.toLowerCase(Locale.ROOT);
            if (!VmDefinition.Nic.MAC.matcher(mac).matches() || mac.equals("00:00:00:00:00:00")) {
                yaml.refuse("mac", StrictYaml.shown(text) + " is not an address such as \"52:54:00:12:34:56\"");
            } else if ((Integer.parseInt(mac.substring(0, 2), 16) & 1) != 0) {
                yaml.refuse("mac", "'%s' is a multicast address: its first byte must be even".formatted(text));
            } else if (!seen.add(mac)) {
                yaml.refuse("mac", "'%s' is there twice".formatted(text));
            }
            return mac;
        }

        private @Nullable String bridge(StrictYaml yaml) {
            if (!yaml.has("bridge")) {
                yaml.refuse("bridge", "missing: give the bridge that the interface joins, such as br0");
                return null;
            }
            String bridge = yaml.text("bridge");
            if (bridge == null) {
                return null;
            }
            if (!VmDefinition.Nic.BRIDGE.matcher(bridge).matches()) {
                yaml.refuse("bridge", StrictYaml.shown(bridge) + " is not the name of a network device");
            } else if (!facts.hasBridge(bridge)) {
                yaml.refuse(
                        "bridge",
                        "'%s' is not a bridge of this host: make it with 'ip link add %s type bridge'"
                                .formatted(bridge, bridge));
            }
            return bridge;
        }

        private @Nullable Path console(VmDefinition.@Nullable Boot boot, List<VmDefinition.Disk> disks) {
            @Nullable Path console = path(root, "console");
            if (console == null) {
                return null;
            }
            @Nullable Path directory = console.getParent();
            if (directory == null || !Files.isDirectory(directory) || Files.isDirectory(console)) {
                root.refuse("console", "'%s' is not a file in a directory that exists".formatted(console));
            } else if (boot != null && (console.equals(boot.kernel()) || console.equals(boot.initrd()))) {
                root.refuse("console", "'%s' is what the VM boots from: it would be overwritten".formatted(console));
            } else if (disks.stream().anyMatch(disk -> disk.image().equals(console))) {
                root.refuse("console", "'%s' is a disk's image: it would be overwritten".formatted(console));
            }
            return console;
        }

        private static <T> T orElse(@Nullable T value, T otherwise) {
            return value == null ? otherwise : value;
        }
    }
}
