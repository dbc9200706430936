package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import remus.api.CompressMode;
import remus.api.StandbyMode;
import remus.api.StartRequest;
import remus.api.WhenAlone;
import remus.base.ByteSize;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;
import remus.qemu.VmDefinition;

class VmDefinitionFileTest {
    private static final String GOOD = """
            name: shop
            machine: pc
            cpus: 2
            memory: 256MiB
            accelerator: tcg
            boot: {kernel: vmlinuz, initrd: initrd.img, cmdline: "console=ttyS0"}
            disks: [{name: root, image: root.raw}]
            nics: [{mac: "52:54:00:12:34:56", bridge: br0}]
            console: console.log
            cpu: qemu64
            protection: {backups: [beta], interval: 50ms, detect: 400ms, whenAlone: continue, syncRate: 40MiB, standby: cold}
            """;

    private static final HostFacts FACTS = new HostFacts() {
        @Override
        public Accelerator automaticAccelerator() {
            return Accelerator.KVM;
        }

        @Override
        public boolean hasKvm() {
            return true;
        }

        @Override
        public boolean hasBridge(String name) {
            return name.equals("br0");
        }
    };

    @TempDir
    private Path directory;

    @BeforeEach
    void files() throws IOException {
        Files.writeString(directory.resolve("vmlinuz"), "kernel");
        Files.writeString(directory.resolve("initrd.img"), "initrd");
        Files.write(directory.resolve("root.raw"), new byte[1 << 20]);
        Files.write(directory.resolve("data.raw"), new byte[1 << 20]);
        Files.write(directory.resolve("odd.raw"), new byte[1000]);
        Files.createSymbolicLink(directory.resolve("link.raw"), directory.resolve("root.raw"));
        Files.write(
                directory.resolve("root.qcow2"),
                Arrays.copyOf(new byte[] {'Q', 'F', 'I', (byte) 0xfb, 0, 0, 0, 3}, 1 << 16));
    }

    private VmDefinitionFile parse(String yaml) throws OperationException {
        return VmDefinitionFile.parse(yaml, directory, FACTS);
    }

    private String refusal(String yaml) {
        OperationException refusal = assertThrows(OperationException.class, () -> parse(yaml), yaml);
        assertEquals(OperationException.Kind.REFUSED, refusal.kind());
        String message = String.valueOf(refusal.getMessage());
        assertFalse(message.contains("\n"), message);
        return message;
    }

    @Test
    void everyKeyIsRead() throws Exception {
        VmDefinitionFile file = parse(GOOD);
        assertEquals(
                new VmDefinition(
                        "shop",
                        MachineType.PC,
                        2,
                        ByteSize.ofMebibytes(256),
                        Accelerator.TCG,
                        "qemu64",
                        new VmDefinition.Boot(
                                directory.resolve("vmlinuz"), directory.resolve("initrd.img"), "console=ttyS0"),
                        List.of(new VmDefinition.Disk(
                                "root", directory.resolve("root.raw").toRealPath())),
                        List.of(new VmDefinition.Nic("52:54:00:12:34:56", "br0")),
                        directory.resolve("console.log")),
                file.definition());
        assertEquals(
                new ProtectionSettings(
                        List.of("beta"),
                        Duration.ofMillis(50),
                        20,
                        Duration.ofMillis(400),
                        WhenAlone.CONTINUE,
                        true,
                        0,
                        ByteSize.ofMebibytes(40),
                        StandbyMode.COLD,
                        CompressMode.AUTO),
                file.protection());
    }

    @Test
    void whatIsLeftOutHasItsDefault() throws Exception {
        VmDefinitionFile file = parse("""
                name: shop
                memory: 256MiB
                boot: {kernel: vmlinuz}
                """);
        VmDefinition vm = file.definition();
        assertEquals(MachineType.Q35, vm.machine());
        assertEquals(1, vm.cpus());
        assertEquals(Accelerator.KVM, vm.accelerator(), "auto is what the host offers");
        assertEquals("host", vm.cpu());
        assertEquals(List.of(), vm.nics());
        assertNull(vm.console());
        assertNull(file.protection());
        assertEquals(
                "max", parse(GOOD.replace("cpu: qemu64\n", "")).definition().cpu());
    }

    @Test
    void protectionHasDefaultsOfItsOwn() throws Exception {
        String yaml = GOOD.replaceAll("(?m)^protection:.*$", "protection: {}");
        assertEquals(ProtectionSettings.DEFAULTS, parse(yaml).protection());
        assertEquals(Duration.ofMillis(25), ProtectionSettings.DEFAULTS.interval());
        assertEquals(Duration.ofMillis(300), ProtectionSettings.DEFAULTS.detect());
        assertEquals(WhenAlone.HOLD, ProtectionSettings.DEFAULTS.whenAlone());
    }

    @Test
    void protectionIsAcceptedAtItsBounds() throws Exception {
        parse(GOOD.replace("interval: 50ms, detect: 400ms", "interval: 25ms, detect: 50ms"));
        parse(GOOD.replace("interval: 50ms, detect: 400ms", "interval: 5ms, detect: 100ms"));
        parse(GOOD.replace("interval: 50ms, detect: 400ms", "interval: 10s, detect: 20s"));
    }

    /** One wrong line in an otherwise good file; the message names key and value, and says what is right. */
    @ParameterizedTest(name = "{0}: {1}")
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            name        | name: Shop                              | name: 'Shop' is not 1 to 40 characters
            name        | name: ''                                | name: '' is not
            name        | name: ../../etc                         | name: '../../etc' is not
            name        | name: a2345678901234567890123456789012345678901 | is not 1 to 40 characters
            name        | name: 17                                | name: '17' is not text
            name        | name: [shop]                            | name: '["shop"]' is not text
            name        | name:                                   | name: has no value
            name        | #                                       | name: missing
            machine     | machine: arm                            | machine: 'arm' is not a machine: use q35, pc, microvm or virt
            machine     | machine: i440fx                         | machine: 'i440fx' is not a machine: use q35
            cpus        | cpus: 0                                 | cpus: '0' is not a whole number from 1 to 64
            cpus        | cpus: 65                                | cpus: '65' is not a whole number
            cpus        | cpus: two                               | cpus: 'two' is not a whole number
            cpus        | cpus: 1.5                               | cpus: '1.5' is not a whole number
            cpus        | cpus: 99999999999999999999              | is not a whole number
            memory      | memory: 256                             | memory: '256' is not a size: write
            memory      | memory: 256MB                           | memory: '256MB' is not a size
            memory      | memory: 14MiB                           | memory: '14 MiB' is not from 16 MiB
            memory      | memory: 17MiB                           | in steps of 2 MiB
            memory      | memory: 5TiB                            | memory: '5 TiB' is not from
            memory      | memory: {a: 1}                          | is not a single value
            memory      | #                                       | memory: missing
            accelerator | accelerator: xen                        | accelerator: 'xen' is none of auto, kvm, tcg
            boot        | boot: {kernel: bzImage}                 | bzImage' is not a file that can be read
            boot        | boot: {kernel: .}                       | is not a file that can be read
            boot        | boot: {kernel: vmlinuz, initrd: none}   | boot.initrd: '
            boot        | boot: {initrd: initrd.img}              | boot.kernel: missing
            boot        | boot: {kernel: vmlinuz, append: quiet}  | boot.append: unknown key: the keys here are
            boot        | boot: vmlinuz                           | boot: 'vmlinuz' is not a mapping
            boot        | boot: {kernel: "a\\0b"}                 | is not a path
            boot        | boot: {kernel: vmlinuz, cmdline: "a\\nb"} | boot.cmdline:
            console     | console: logs/console.log               | is not a file in a directory that exists
            console     | console: initrd.img                     | would be overwritten
            cpu         | cpu: "max,-cpu foo"                     | cpu: 'max,-cpu foo' is not a QEMU CPU model
            nics        | nics: [{mac: "53:54:00:12:34:56", bridge: br0}] | nics[0].mac: '53:54:00:12:34:56' is a multicast
            nics        | nics: [{mac: "52:54:00:12:34", bridge: br0}] | nics[0].mac: '52:54:00:12:34' is not an address
            nics        | nics: [{mac: "00:00:00:00:00:00", bridge: br0}] | is not an address
            nics        | nics: [{bridge: br0}]                   | nics[0].mac: missing
            nics        | nics: [{mac: "52:54:00:12:34:56"}]      | nics[0].bridge: missing
            nics        | nics: [{mac: "52:54:00:12:34:56", bridge: br7}] | nics[0].bridge: 'br7' is not a bridge of this host
            nics        | nics: [{mac: "52:54:00:12:34:56", bridge: "a/b"}] | is not the name of a network device
            nics        | nics: [{mac: "52:54:00:aa:34:56", bridge: br0}, {mac: "52:54:00:AA:34:56", bridge: br0}] | nics[1].mac: '52:54:00:AA:34:56' is there twice
            nics        | nics: [br0]                             | nics[0]: 'br0' is not a mapping
            nics        | nics: br0                               | nics: 'br0' is not a list
            protection  | protection: {interval: 25}              | protection.interval: '25' is not a duration
            protection  | protection: {interval: 4ms}             | protection.interval: 4ms is not from 5ms to 10s
            protection  | protection: {interval: 11s}             | protection.interval: 11s is not from
            protection  | protection: {interval: 5500us}          | in whole milliseconds
            protection  | protection: {detect: 49ms}              | protection.detect: 49ms is not from 50ms
            protection  | protection: {interval: 200ms}           | detect: 300ms is less than twice the interval of 200ms: use 400ms
            protection  | protection: {whenAlone: panic}          | protection.whenAlone: 'panic' is neither hold nor continue
            protection  | protection: {backups: beta}             | protection.backups: 'beta' is not a list
            protection  | protection: {backups: [1]}              | protection.backups: '1' is not text
            protection  | protection: {detcet: 1s}                | protection.detcet: unknown key
            protection  | protection: on                          | protection: 'on' is not a mapping
            protection  | protection: {standby: hot}              | protection.standby: 'hot' is neither warm nor cold
            protection  | protection: {syncRate: 10KiB}           | protection.syncRate: 10 KiB is less than 1 MiB
            disks       | disks: [{image: root.raw}]              | disks[0].name: missing: give the disk a name
            disks       | disks: [{name: Root, image: root.raw}]  | disks[0].name: 'Root' is not 1 to 20 characters
            disks       | disks: [{name: root}]                   | disks[0].image: missing: give the file of a raw image
            disks       | disks: [{name: root, image: no.raw}]    | no.raw' is not a file that can be read
            disks       | disks: [{name: root, image: odd.raw}]   | odd.raw
            disks       | disks: [{name: a, image: root.raw}, {name: a, image: data.raw}]  | disks[1].name: 'a' is there twice
            disks       | disks: [{name: a, image: root.raw}, {name: b, image: link.raw}]  | link.raw' is there twice
            console     | console: root.raw                       | root.raw' is a disk's image: it would be overwritten
            protection  | colour: red                             | colour: unknown key: the keys here are accelerator
            """)
    void oneWrongValueIsRefusedByName(String key, String line, String expected) {
        String yaml = GOOD.replaceAll("(?m)^" + key + ":.*$", java.util.regex.Matcher.quoteReplacement(line));
        String message = refusal(yaml);
        assertTrue(message.startsWith("VM definition: "), message);
        assertTrue(message.contains(expected), message);
        assertFalse(message.contains("; "), "one problem, one complaint: " + message);
    }

    @Test
    void aVmBootsAKernelOrADisk() throws Exception {
        String noBoot = GOOD.replaceAll("(?m)^boot:.*$", "#");
        assertNull(parse(noBoot).definition().boot());
        String neither = refusal(noBoot.replaceAll("(?m)^disks:.*$", "#"));
        assertTrue(neither.contains("boot: missing: give {kernel: vmlinuz, initrd: initrd.img}, or disks"), neither);
        for (String machine : List.of("microvm", "virt")) {
            String refused = refusal(noBoot.replace("machine: pc", "machine: " + machine));
            assertTrue(refused.contains("boot: missing: a machine %s boots a kernel only".formatted(machine)), refused);
        }
    }

    @Test
    void aGuestForAnotherProcessorIsEmulated() throws Exception {
        String arm = GOOD.replace("machine: pc", "machine: virt").replaceAll("(?m)^(accelerator|cpu):.*$", "#");
        VmDefinition definition = parse(arm).definition();
        assertEquals(Accelerator.TCG, definition.accelerator());
        assertEquals("max,pauth-impdef=on", definition.cpu());
        String refused = refusal(arm + "accelerator: kvm\n");
        assertTrue(refused.contains("accelerator: 'kvm' runs guests of this host's processor only"), refused);
    }

    @Test
    void anImageOfAnotherFormatIsRefusedWithTheCommandThatConvertsIt() {
        String message = refusal(GOOD.replace("image: root.raw", "image: root.qcow2"));
        assertTrue(message.contains("run: qemu-img convert -f qcow2 -O raw " + directory), message);
    }

    @Test
    void allProblemsAreNamedAtOnce() {
        String message = refusal(GOOD.replace("memory: 256MiB", "memory: 256")
                .replace("cpus: 2", "cpus: 0")
                .replace("bridge: br0", "bridge: br7")
                .replace("detect: 400ms", "detect: soon"));
        for (String key : new String[] {"memory: ", "cpus: ", "nics[0].bridge: ", "protection.detect: "}) {
            assertTrue(message.contains(key), message);
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            name: shop\\nname: shop        | not valid YAML: line 2
            name: [                        | line 1, column 8: while parsing a flow node, expected the node content
            - name                         | not a mapping
            ``                             | not a mapping
            shop                           | not a mapping
            name: shop\\n---\\nname: shop  | not valid YAML
            """)
    void whatIsNoMappingIsRefused(String yaml, String expected) {
        String message = refusal(yaml.replace("\\n", "\n"));
        assertTrue(message.contains(expected), message);
    }

    @Test
    void hostileFilesAreRefusedWithoutEffort() {
        assertTrue(refusal("#".repeat(StartRequest.MAX_DEFINITION_CHARS + 1)).contains("are allowed"));
        refusal("[".repeat(10_000));
        refusal("{a: ".repeat(5_000));
        StringBuilder bomb = new StringBuilder("a0: &a0 [x, x]\n");
        for (int level = 1; level < 60; level++) {
            bomb.append("a%d: &a%d [*a%d, *a%d]\n".formatted(level, level, level - 1, level - 1));
        }
        refusal(bomb.toString());
        refusal(GOOD + "nics2: [" + "{},".repeat(20_000) + "]\n");
        assertTrue(refusal(GOOD.replaceAll("(?m)^nics:.*$", "nics: [" + "{},".repeat(1_000) + "]"))
                .contains("1000 entries"));
    }

    @Test
    void valuesInErrorsAreShortened() {
        assertTrue(refusal(GOOD.replace("name: shop", "name: " + "x".repeat(10_000)))
                        .length()
                < 200);
    }
}
