package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import remus.api.EventType;
import remus.api.ProtectRequest;
import remus.api.VmState;
import remus.api.WhenAlone;
import remus.base.HostAddress;
import remus.base.RemusException;
import remus.disk.RawImage;

/**
 * What can't be done is refused by the real command line in one line that says what, why and what to do, and both hosts
 * are then as they were: the VM runs on alpha, and beta has nothing.
 */
@Tag("system")
@Timeout(180)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class BadInputSystemTest {
    private static final long SEED = 7;
    private static final int HOSTILE_CONNECTIONS = 400;
    private static final String VM = DemoGuest.NAME;

    private Path directory;
    private TwoHosts hosts;
    private long qemu;
    private RawImage used;

    @BeforeAll
    void bootOne(@TempDir Path made) throws Exception {
        directory = made;
        hosts = TwoHosts.openApart(directory);
        qemu = TwoHosts.qemuPid(hosts.alpha, hosts.boot("remus.run=idle"));
        used = RawImage.create(directory.resolve("used.raw"), 1 << 20);
        Files.write(directory.resolve("odd.raw"), new byte[1000]);
        Path qcow2 = directory.resolve("root.qcow2");
        Process qemuImg = new ProcessBuilder("qemu-img", "create", "-q", "-f", "qcow2", qcow2.toString(), "10M")
                .inheritIO()
                .start();
        assertEquals(0, qemuImg.waitFor());
    }

    @AfterAll
    void close() {
        used.close();
        hosts.close();
    }

    @AfterEach
    void bothHostsAreAsTheyWere() throws Exception {
        assertEquals(VmState.UNPROTECTED, hosts.alpha.status(VM).state());
        hosts.awaitNoVm(hosts.beta);
        assertEquals(List.of(hosts.alpha.pid(), qemu), hosts.processesOn(hosts.alpha));
        assertEquals(List.of(hosts.beta.pid()), hosts.processesOn(hosts.beta));
        assertEquals(List.of("remus0"), hosts.tapsOn(hosts.alpha));
        assertEquals(List.of(), hosts.tapsOn(hosts.beta));
        assertEquals(List.of(VM + ".1"), hosts.memoryOn(hosts.alpha));
        assertEquals(List.of(), hosts.memoryOn(hosts.beta));
    }

    private void expectRefusal(DemoHost on, String line, String... arguments) throws Exception {
        Refusals.expect(line, hosts.remus(on, List.of(), arguments));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            10.77.0.12:9999 | the backup 10.77.0.12:9999 can't be reached: its port refuses: .*Connection refused; start .*
            10.77.0.99      | `the backup 10.77.0.99:7420 can't be reached: .*(did not answer within 5000 ms|No route to host); .*address and firewall`
            10.99.0.1       | the backup 10.99.0.1:7420 can't be reached: .*Network is unreachable; .*
            10.77.0.11      | protect: the backup 10.77.0.11:7420 is this host itself; name another host
            10.77.0.12:7421 | the backup 10.77.0.12:7421 can't be reached: .* took the connection but did not answer .*; start .*
            gamma           | backup: 'gamma' is neither an address nor a peer of host alpha; write ADDR:PORT, or .*--peers.*
            """)
    void aBackupThatIsNoneIsRefused(String backup, String line) throws Exception {
        expectRefusal(hosts.alpha, line, "protect", VM, "--backup", backup);
    }

    @Test
    void aRateThatIsNoneIsRefused() throws Exception {
        String backup = hosts.beta.replicationAddress().toString();
        expectRefusal(
                hosts.alpha,
                "protect: syncRate: 4 KiB is less than 1 MiB \\(0B means no limit\\)",
                "protect",
                VM,
                "--backup",
                backup,
                "--sync-rate",
                "4KiB");
        TwoHosts.Outcome outcome =
                hosts.remus(hosts.alpha, "protect", VM, "--backup", backup, "--sync-rate", "as fast as it goes");
        assertEquals(2, outcome.exitCode());
        assertTrue(outcome.err().matches("remus protect: .*'as fast as it goes' is not a size: .*\n"), outcome.err());
    }

    @Test
    void verbsThatDoNotFitTheVmAreRefused() throws Exception {
        expectRefusal(hosts.alpha, "protect: no backup is named, .*; use --backup ADDR:PORT", "protect", VM);
        expectRefusal(hosts.alpha, "VM shop is not protected; see remus status shop", "unprotect", VM);
        expectRefusal(hosts.alpha, "failover: VM shop runs on host alpha already; ask its backup", "failover", VM);
        for (String verb : List.of("protect", "unprotect", "stop", "failover", "status")) {
            expectRefusal(hosts.beta, "host beta has no VM named 'shop'; see remus status", verb, VM);
        }
    }

    @Test
    void verbsThatDoNotFitAProtectedVmAreRefused() throws Exception {
        String backup = hosts.beta.replicationAddress().toString();
        hosts.protect(hosts.alpha, hosts.beta, TwoHosts.NO_TAKE_OVER, WhenAlone.HOLD);
        expectRefusal(
                hosts.alpha,
                "VM shop is protected already, by 10.77.0.12:7420; end that first: remus unprotect shop",
                "protect",
                VM,
                "--backup",
                "10.77.0.13:7420");
        assertEquals(
                0,
                hosts.remus(hosts.alpha, "protect", VM, "--backup", backup).exitCode(),
                "what is so already is no error");
        for (String verb : List.of("protect", "unprotect", "stop")) {
            expectRefusal(
                    hosts.beta,
                    verb + ": host beta is the backup of VM shop, not its primary; ask its primary",
                    verb,
                    VM);
        }
        expectRefusal(hosts.beta, "name: 'shop' is in use on this host; .*", "start", definition("", ""));
        assertEquals(VmState.PROTECTED, hosts.alpha.status(VM).state());
        hosts.alpha.post(VmPath.verb(VM, "unprotect"));
    }

    @Test
    void aBackupWithoutAWholeCheckpointDoesNotTakeOver() throws Exception {
        hosts.nft(DemoTopology.Place.ALPHA, """
                table netdev slow {
                  chain out {
                    type filter hook egress device "up0" priority 0
                    limit rate over 100 kbytes/second burst 20 kbytes drop
                  }
                }
                """);
        hosts.alpha.post(
                VmPath.verb(VM, "protect"),
                new ProtectRequest(
                        hosts.beta.replicationAddress().toString(),
                        null,
                        null,
                        TwoHosts.NO_TAKE_OVER,
                        null,
                        null,
                        WhenAlone.HOLD,
                        null,
                        null,
                        null));
        hosts.awaitEvent(hosts.beta, EventType.BACKING_UP);
        expectRefusal(
                hosts.beta,
                "VM shop has no whole checkpoint here yet, so there is nothing to activate; wait until .*STANDBY",
                "failover",
                VM);
        hosts.nft(DemoTopology.Place.ALPHA, "delete table netdev slow");
        hosts.alpha.post(VmPath.verb(VM, "unprotect"));
    }

    /** A file with the guest's definition, changed. */
    private String definition(String what, String by) throws Exception {
        String text = hosts.guest.definition("remus.run=idle").replaceFirst(what, by);
        return Files.writeString(directory.resolve("changed.yaml"), text).toString();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            cpus|cpus| name: 'shop' is in use on this host; choose another name, or end that VM: remus stop shop
            shop|Sh_op| VM definition: name: 'Sh_op' is not 1 to 40 characters of a-z, 0-9 and -
            shop|two\\ncolour: red| VM definition: colour: unknown key: the keys here are accelerator, .*, protection
            bridge: br0|bridge: br9| VM definition: nics\\[0\\].bridge: 'br9' is not a bridge of this host: make it with 'ip link add br9 .*'
            bridge: br0|bridge: up0| VM definition: nics\\[0\\].bridge: 'up0' is not a bridge of this host: .*
            kernel: [^,]*|kernel: nothing| VM definition: boot.kernel: '.*/nothing' is not a file that can be read
            initrd: [^,]*|initrd: /proc| VM definition: boot.initrd: '/proc' is not a file that can be read
            256MiB|256| VM definition: memory: '256' is not a size: write a whole number with a unit, such as 256MiB .*
            256MiB|1000 MB| VM definition: memory: '1000 MB' is not a size: .*
            256MiB|3TiB| VM shop2 needs 3 TiB of guest memory but /dev/shm has .* left; give it less memory, or .*
            tcg|hvf| VM definition: accelerator: 'hvf' is none of auto, kvm, tcg
            tcg|tcg\\ncpu: i286| VM shop2 can't be started: QEMU did not start: QEMU ended with exit code 1: unable to find CPU model 'i286'; mend the definition, or see .*/vms/shop2/qemu.log
            kernel: [^,]*|kernel: /etc/passwd| VM shop2 can't be started: QEMU did not start: QEMU ended with exit code 1: .*kernel too old.*
            machine: q35|machine: arm| VM definition: machine: 'arm' is not a machine: use q35, pc, microvm or virt \\(arm64\\)
            console.log|no/console.log| VM definition: console: '.*/no/console.log' is not a file in a directory that exists
            console: |disks: [{name: root, image: none.raw}]\\nconsole: | VM definition: disks\\[0\\].image: '.*/none.raw' is not a file that can be read
            console: |disks: [{name: root, image: root.qcow2}]\\nconsole: | VM definition: disks\\[0\\].image: image .*/root.qcow2 is qcow2, a disk must be raw; run: qemu-img convert -f qcow2 -O raw .*/root.qcow2 .*/root.qcow2.raw
            console: |disks: [{name: root, image: used.raw}]\\nconsole: | VM definition: disks\\[0\\].image: image .*/used.raw is in use by another VM or process: .*
            console: |disks: [{name: root, image: odd.raw}]\\nconsole: | VM definition: disks\\[0\\].image: image .*/odd.raw has 1000 bytes: .*truncate --size=%512 mends it.*
            boot: [^\\n]*|cpus: 1| VM definition: boot: missing: give \\{kernel: .*\\}, or disks to boot from
            name: shop|name: [| VM definition: it is not valid YAML: line 3, column 8: while parsing a flow sequence, expected .*
            (?s).*|just text| VM definition: it is not a mapping of keys to values
            """)
    void aDefinitionThatCanNotBeRunIsRefused(String what, String by, String line) throws Exception {
        String other = line.contains("shop2") ? "name: shop2\n" : "";
        String file = definition(other.isEmpty() ? "$^" : "name: shop\n", other);
        Path path = Path.of(file);
        Files.writeString(path, Files.readString(path).replaceFirst(what, by.replace("\\n", "\n")));
        expectRefusal(hosts.alpha, line, "start", file);
    }

    @Test
    void garbageOnTheReplicationPortsDisturbsNoProtection() throws Exception {
        hosts.protect(hosts.alpha, hosts.beta, TwoHosts.NO_TAKE_OVER, WhenAlone.HOLD);
        long term = hosts.alpha.status(VM).term();
        Random random = new Random(SEED);
        for (int i = 0; i < HOSTILE_CONNECTIONS; i++) {
            sendGarbage(random.nextBoolean() ? hosts.alpha : hosts.beta, random);
        }
        long epoch = hosts.alpha.status(VM).committedEpoch();
        hosts.alpha.await(VM, status -> status.committedEpoch() > epoch + 20, TwoHosts.LIMIT, "checkpointed further");
        assertEquals(VmState.PROTECTED, hosts.alpha.status(VM).state());
        assertEquals(term, hosts.alpha.status(VM).term(), "the session is still the first one");
        hosts.alpha.post(VmPath.verb(VM, "unprotect"));
    }

    private void sendGarbage(DemoHost to, Random random) throws RemusException, IOException {
        HostAddress port = to.replicationAddress();
        byte[] bytes = new byte[random.nextInt(20_000)];
        random.nextBytes(bytes);
        try (Socket socket = hosts.inside.connect(port.host(), port.port())) {
            socket.setSoTimeout(8_000);
            socket.getOutputStream().write(bytes);
            socket.shutdownOutput();
            socket.getInputStream().readAllBytes();
        } catch (SocketException e) {
            assertTrue(e.getMessage() != null); // closed on us with our bytes unread, as it should be
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"start", "protect", "unprotect", "stop", "status", "failover", "events", "host", "demo"})
    void wrongUsageIsOneLineToo(String command) throws Exception {
        TwoHosts.Outcome outcome = hosts.remus(hosts.alpha, List.of(), command, "--frobnicate");
        assertEquals(2, outcome.exitCode());
        assertTrue(
                outcome.err().matches("remus " + command + ": .*; see 'remus " + command + " --help'\n"),
                outcome.err());
    }
}
