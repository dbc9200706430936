package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import remus.availability.ArbiterChoice;
import remus.base.DurationText;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;
import remus.qemu.QemuArguments;

/** The samples in packaging: each key that is read is in them, with the right default and range. */
class SampleFilesTest {
    private static final Path PACKAGING = Path.of("packaging");

    /** A setting that is commented out, as against prose, which begins after a space. */
    private static final Pattern DEFAULT = Pattern.compile("(?m)^(\\s*)#(\\w+:)");

    private static final Pattern KEYS = Pattern.compile("(\\S*)unknown: unknown key: the keys here are ([^;]+)");

    private static final HostFacts FACTS = new HostFacts() {
        @Override
        public Accelerator automaticAccelerator() {
            return Accelerator.TCG;
        }

        @Override
        public boolean hasKvm() {
            return false;
        }

        @Override
        public boolean hasBridge(String name) {
            return name.equals("br0");
        }
    };

    @TempDir
    private Path directory;

    private static String sample(String name) throws IOException {
        return Files.readString(PACKAGING.resolve(name));
    }

    /** With every setting as the sample has it. */
    private static String inFull(String sample) {
        return DEFAULT.matcher(sample).replaceAll("$1$2");
    }

    private VmDefinitionFile vm(String text) throws Exception {
        for (String file : List.of("vmlinuz", "initrd.img", "root.raw")) {
            Files.write(directory.resolve(file), new byte[512]);
        }
        return VmDefinitionFile.parse(text, directory, FACTS);
    }

    /** What the parser says that it knows, at the place where it found the key {@code unknown}. */
    private static Set<String> knownKeys(OperationException refusal, String place) {
        Matcher matcher = KEYS.matcher(String.valueOf(refusal.getMessage()));
        while (matcher.find()) {
            if (matcher.group(1).equals(place)) {
                return new TreeSet<>(List.of(matcher.group(2).split(", ", -1)));
            }
        }
        throw new AssertionError(refusal);
    }

    private static Set<String> keys(String yaml, String indentation) {
        return Pattern.compile("(?m)^" + indentation + "(\\w+):")
                .matcher(yaml)
                .results()
                .map(key -> key.group(1))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    @Test
    void theHostsSampleIsReadAsItIsAndHasTheDefaultsThatItShows() throws Exception {
        HostConfiguration asItIs =
                HostSettings.parse(sample("host.yaml"), Path.of("/etc/remus")).complete();
        assertEquals(
                HostSettings.parse("name: alpha\nstate: /var/lib/remus\n", Path.of("/etc/remus"))
                        .complete(),
                asItIs);
        HostSettings full = HostSettings.parse(inFull(sample("host.yaml")), Path.of("/etc/remus"));
        assertEquals(HostConfiguration.DEFAULT_LISTEN, full.listen());
        assertEquals(HostConfiguration.DEFAULT_API, full.api());
        assertEquals(false, full.keepVms());
        assertEquals(new ArbiterChoice.None(), ArbiterChoice.parse(Objects.requireNonNull(full.arbiter())));
    }

    @Test
    void theHostsSampleHasEveryKey() throws Exception {
        String full = inFull(sample("host.yaml"));
        OperationException refusal = assertThrows(
                OperationException.class, () -> HostSettings.parse(full + "\nunknown: 1\n", Path.of("/etc/remus")));
        assertEquals(knownKeys(refusal, ""), keys(full, ""));
    }

    @Test
    void theVmsSampleIsReadAsItIsAndHasTheDefaultsThatItShows() throws Exception {
        var asItIs = vm(sample("vm.yaml")).definition();
        VmDefinitionFile full = vm(inFull(sample("vm.yaml")));
        assertEquals(MachineType.Q35, full.definition().machine());
        assertEquals(asItIs.machine(), full.definition().machine());
        assertEquals(asItIs.cpus(), full.definition().cpus());
        assertEquals(asItIs.cpu(), full.definition().cpu());
        assertEquals(asItIs.accelerator(), full.definition().accelerator());
        assertNotNull(full.definition().boot());
        assertEquals(1, full.definition().disks().size());
        ProtectionSettings shown = Objects.requireNonNull(full.protection());
        assertEquals(List.of("beta"), shown.backups());
        ProtectionSettings defaults = ProtectionSettings.DEFAULTS;
        assertEquals(defaults.interval(), shown.interval());
        assertEquals(defaults.detect(), shown.detect());
        assertEquals(defaults.whenAlone(), shown.whenAlone());
        assertEquals(defaults.syncRate(), shown.syncRate());
    }

    @Test
    void theVmsSampleHasEveryKey() throws Exception {
        String full = inFull(sample("vm.yaml"));
        String strange = full.replace("boot: {", "boot: {unknown: 1, ")
                        .replace("disks: [{", "disks: [{unknown: 1, ")
                        .replace("nics: [{", "nics: [{unknown: 1, ")
                + "  unknown: 1\nunknown: 1\n";
        OperationException refusal = assertThrows(OperationException.class, () -> vm(strange));
        assertEquals(knownKeys(refusal, ""), keys(full, ""));
        assertEquals(knownKeys(refusal, "protection."), keys(full, "  "));
        for (String place : List.of("boot.", "disks[0].", "nics[0].")) {
            for (String key : knownKeys(refusal, place)) {
                assertTrue(
                        full.contains("{" + key + ": ") || full.contains(", " + key + ": "),
                        place + key + " is missing");
            }
        }
    }

    @Test
    void theVmsSampleTellsTheRangesThatAreChecked() throws Exception {
        String sample = sample("vm.yaml");
        for (String range : List.of(
                "1 to " + VmDefinitionFile.MAX_CPUS + ".",
                "%s to %s in steps of %s"
                        .formatted(
                                VmDefinitionFile.MIN_MEMORY, VmDefinitionFile.MAX_MEMORY, VmDefinitionFile.MEMORY_STEP),
                "at most %d\n# characters".formatted(VmDefinitionFile.MAX_CMDLINE_CHARS),
                "at most %d (on a microvm %d together"
                        .formatted(QemuArguments.MAX_DISKS, QemuArguments.MAX_MICROVM_DEVICES),
                "interfaces, at most " + QemuArguments.MAX_NICS,
                "preferred, at most " + ProtectionSettings.MAX_BACKUPS,
                range(ProtectionSettings.MIN_INTERVAL, ProtectionSettings.MAX_INTERVAL),
                range(ProtectionSettings.MIN_DETECT, ProtectionSettings.MAX_DETECT))) {
            assertTrue(sample.contains(range), range);
        }
    }

    private static String range(Duration from, Duration to) {
        return DurationText.format(from) + " to " + DurationText.format(to);
    }
}
