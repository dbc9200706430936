package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import remus.api.VmState;
import remus.linux.WithoutSystemCall;

/**
 * Hosts that lack something: as a primary, as a backup, and for a daemon to start at all. The real command line says in
 * one line what is missing, and nothing is left behind. What is missing is taken away in the mount namespace that each
 * daemon has for itself, so that nothing outside notices.
 */
@Tag("system")
@Timeout(180)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class BadHostSystemTest {
    private static final String VM = DemoGuest.NAME;
    private static final String OWN_MEMORY = "mount -t tmpfs none /dev/shm";

    private Path directory;
    private TwoHosts hosts;

    @BeforeAll
    void open(@TempDir Path made) throws Exception {
        directory = made;
        hosts = TwoHosts.openApart(directory);
    }

    @AfterAll
    void close() {
        hosts.close();
    }

    private void expectNothingOn(DemoHost host) throws Exception {
        hosts.awaitNoVm(host);
        assertEquals(List.of(host.pid()), hosts.processesOn(host));
        assertEquals(List.of(), hosts.tapsOn(host));
        assertEquals(List.of(), hosts.memoryOn(host));
    }

    private void restart(DemoHost host, String commands) throws Exception {
        hosts.restartDaemon(host, TwoHosts.within(commands));
    }

    // ---- a primary

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            mount -t tmpfs none /dev/net              | VM shop can't be started: open\\(/dev/net/tun\\): ENOENT .*; .*modprobe tun.*
            mount --bind /dev/null /dev/net/tun       | VM shop can't be started: ioctl\\(TUNSETIFF, .*\\): ENOTTY .*; /dev/net/tun is not the TAP driver: restore it .*
            mount -t tmpfs -o size=64m none /dev/shm  | VM shop needs 256 MiB of guest memory but /dev/shm has 64 MiB left; .*enlarge the tmpfs.*
            while umount -l /dev/shm; do :; done 2> /dev/null; mount --bind @ /dev/shm | VM shop can't be started: /dev/shm/.* is on .*: guest RAM must lie on a tmpfs, .*
            """)
    void aPrimaryThatLacksSomethingStartsNoVm(String commands, String line) throws Exception {
        Path disk = Files.createTempDirectory(Path.of("/var/tmp"), "remus-test");
        try {
            String lacking = commands.replace("@", disk.toString());
            restart(hosts.alpha, lacking.contains("/dev/shm") ? lacking : OWN_MEMORY + " && " + lacking);
            expectNoStart(line);
        } finally {
            hosts.alpha.end();
            Files.delete(disk);
        }
    }

    private void expectNoStart(String line) throws Exception {
        Refusals.expect(line, hosts.remus(hosts.alpha, List.of(), "start", definition("br0")));
        expectNothingOn(hosts.alpha);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            323 | 38 | the memory of process \\d+ can't be tracked: .*userfaultfd.*ENOSYS.*; dirty-page tracking needs Linux 5.19 .*
            101 |  1 | the memory of process \\d+ can't be tracked: PTRACE_SEIZE.*EPERM.*; .*CAP_SYS_PTRACE.*
            """)
    void aVmThatCanNotBeTrackedRunsOnUnprotected(int call, int errno, String line) throws Exception {
        List<String> wrapper = new ArrayList<>(TwoHosts.within(OWN_MEMORY));
        wrapper.addAll(WithoutSystemCall.command(call, errno, List.of()));
        hosts.restartDaemon(hosts.alpha, wrapper);
        restart(hosts.beta, OWN_MEMORY);
        Long qemu = hosts.boot("remus.run=idle").qemuPid();
        Refusals.expect("VM shop can't be protected: " + line, protect());
        assertEquals(VmState.UNPROTECTED, hosts.alpha.status(VM).state());
        assertEquals(List.of(hosts.alpha.pid(), qemu), hosts.processesOn(hosts.alpha));
        expectNothingOn(hosts.beta);
        hosts.alpha.post(VmPath.verb(VM, "stop"));
        expectNothingOn(hosts.alpha);
    }

    // ---- a backup

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            mount -t tmpfs -o size=64m none /dev/shm | host beta: the standby of VM shop needs 256 MiB of guest memory but /dev/shm has 64 MiB left; .*
            mount -t tmpfs none /dev/net             | .*open\\(/dev/net/tun\\): ENOENT .*
            PATH=@/version:$PATH                     | this host can't be its backup: QEMU 8.0.0 here, 7.2.* on the primary
            PATH=@/machine:$PATH                     | this host can't be its backup: on this host, QEMU 7.2.* has no machine type pc-q35-7.2, which .*
            """)
    void aBackupThatLacksSomethingRefusesAndTheVmRunsOn(String commands, String line) throws Exception {
        fakeQemu("version", "if [ \"$1\" = --version ]; then echo QEMU emulator version 8.0.0; exit; fi");
        fakeQemu("machine", "if [ \"$*\" = '-machine help' ]; then \"$real\" -machine help | grep -v q35; exit; fi");
        restart(hosts.alpha, OWN_MEMORY);
        String lacking = commands.replace("@", directory.toString()).replace("PATH=", "export PATH=");
        restart(hosts.beta, lacking.contains("/dev/shm") ? lacking : OWN_MEMORY + " && " + lacking);
        hosts.boot("remus.run=idle");
        expectNotProtected(line);
        expectNothingOn(hosts.beta);
        restart(hosts.beta, OWN_MEMORY);
        hosts.protect(hosts.alpha, hosts.beta, TwoHosts.NO_TAKE_OVER, remus.api.WhenAlone.HOLD);
        hosts.alpha.post(VmPath.verb(VM, "stop"));
        expectNothingOn(hosts.alpha);
        expectNothingOn(hosts.beta);
    }

    @Test
    void aBackupWithoutTheBridgeRefuses() throws Exception {
        restart(hosts.alpha, OWN_MEMORY + " && ip link add br1 type bridge");
        restart(hosts.beta, OWN_MEMORY);
        TwoHosts.Outcome started = hosts.remus(hosts.alpha, List.of(), "start", definition("br1"));
        assertEquals(0, started.exitCode(), started.err());
        expectNotProtected("this host can't be its backup: host beta has no bridge br1");
        expectNothingOn(hosts.beta);
        hosts.alpha.post(VmPath.verb(VM, "stop"));
    }

    /** The third one's figures count what the first two may still come to fill. */
    @Test
    void aBackupWithRoomForTwoVmsRefusesTheThirdAndGoesOnBackingTheOthers() throws Exception {
        restart(hosts.alpha, OWN_MEMORY);
        restart(hosts.beta, "mount -t tmpfs -o size=600m none /dev/shm");
        List<String> vms = List.of(VM, "mail", "wiki");
        for (int number = 0; number < vms.size(); number++) {
            hosts.start(hosts.guest
                    .definition("remus.run=idle")
                    .replace("name: " + VM, "name: " + vms.get(number))
                    .replace("52:54:00:12:34:56", "52:54:00:12:34:5" + number)
                    .replace("console.log", vms.get(number) + ".log"));
        }
        for (String vm : vms.subList(0, 2)) {
            assertEquals(0, protect(vm).exitCode());
        }
        TwoHosts.Outcome refused = protect("wiki");
        assertEquals(1, refused.exitCode());
        Refusals.expect(
                "VM 'wiki' could not be protected, it is UNPROTECTED: host beta: the standby of VM wiki needs 256 MiB of"
                        + " guest memory but /dev/shm has 8[78]([.]\\d)? MiB left; .*",
                new TwoHosts.Outcome(
                        1, refused.out(), refused.err().lines().toList().getLast()));
        for (String vm : vms.subList(0, 2)) {
            long committed = hosts.alpha.status(vm).committedEpoch();
            hosts.alpha.await(
                    vm,
                    status -> status.state() == VmState.PROTECTED && status.committedEpoch() > committed + 10,
                    TwoHosts.LIMIT,
                    "committing epochs");
        }
        assertEquals(2, hosts.beta.status().vms().size());
        for (String vm : vms) {
            hosts.alpha.post(VmPath.verb(vm, "stop"));
        }
        expectNothingOn(hosts.alpha);
        expectNothingOn(hosts.beta);
    }

    private TwoHosts.Outcome protect() throws Exception {
        return protect(VM);
    }

    private TwoHosts.Outcome protect(String vm) throws Exception {
        return hosts.remus(
                hosts.alpha,
                List.of(),
                "protect",
                vm,
                "--backup",
                hosts.beta.replicationAddress().toString(),
                "--detect",
                TwoHosts.NO_TAKE_OVER);
    }

    /** The command shows its progress before the line that counts. */
    private void expectNotProtected(String why) throws Exception {
        TwoHosts.Outcome outcome = protect();
        String last = outcome.err().lines().toList().getLast();
        Refusals.expect(
                "VM 'shop' could not be protected, it is UNPROTECTED: %s; mend that and try again".formatted(why),
                new TwoHosts.Outcome(outcome.exitCode(), outcome.out(), last));
        assertEquals(VmState.UNPROTECTED, hosts.alpha.status(VM).state());
        assertEquals(2, hosts.processesOn(hosts.alpha).size());
    }

    private String definition(String bridge) throws Exception {
        String text = hosts.guest.definition("remus.run=idle").replace("bridge: br0", "bridge: " + bridge);
        return Files.writeString(directory.resolve("shop.yaml"), text).toString();
    }

    /** A QEMU that does something else first, in a directory of its own. */
    private void fakeQemu(String name, String first) throws IOException {
        program(name, "qemu-system-x86_64", "real=/usr/bin/qemu-system-x86_64\n" + first + "\nexec \"$real\" \"$@\"");
    }

    private void program(String where, String name, String script) throws IOException {
        Path file = Files.createDirectories(directory.resolve(where)).resolve(name);
        Files.writeString(file, "#!/bin/sh\n" + script + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    // ---- a daemon that can't start

    /** Whatever is in /dev/shm afterwards is shown on stdout, where nothing is expected. */
    private TwoHosts.Outcome host(String commands, String... changed) throws Exception {
        List<String> wrapper = List.of(
                "sh",
                "-c",
                OWN_MEMORY + "; " + commands.replace("@", directory.toString())
                        + "; \"$@\"; code=$?; /bin/ls -A /dev/shm; exit $code",
                "sh");
        List<String> arguments = new ArrayList<>(List.of("host", "--name", "gamma"));
        List<String> given = List.of(changed);
        for (String option : List.of("--state", "--listen", "--api")) {
            if (!given.contains(option)) {
                arguments.add(option);
                arguments.add(
                        option.equals("--state") ? directory.resolve("gamma").toString() : "127.0.0.1:0");
            }
        }
        arguments.addAll(given);
        return hosts.remus(hosts.beta, wrapper, arguments.toArray(String[]::new));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            PATH=@/none   | the program qemu-system-x86_64 is not installed; install it with: apt-get install qemu-system-x86
            PATH=@/only   | the program setsid is not installed; install it with: apt-get install util-linux
            mount -t tmpfs none /usr/share/seabios | the firmware .*bios-256k.bin is not installed; install it with: apt-get install seabios
            PATH=@/old:$PATH | QEMU 5.2.0 .* is too old: at least 7.2 is needed.*
            PATH=@/broken:$PATH | .*qemu-system-x86_64 --version failed with exit code 127: .*no such library.*
            mount -t tmpfs -o ro none /dev/shm | /dev/shm/remus-.*, where guests' memory lies, can't be used: .*Read-only file system; see that a tmpfs is mounted at /dev/shm, .*
            """)
    void aDaemonWithoutWhatItNeedsDoesNotStart(String commands, String line) throws Exception {
        fakeQemu("only", "");
        fakeQemu("old", "if [ \"$1\" = --version ]; then echo QEMU emulator version 5.2.0; exit; fi");
        fakeQemu("broken", "echo 'no such library' >&2; exit 127");
        Refusals.expect(line, host(commands));
    }

    @Test
    void aStateDirectoryThatCanNotBeUsedIsRefused() throws Exception {
        Refusals.expect(
                "state: another host daemon uses .*/beta; stop it, or give this one a directory of its own by --state",
                host(":", "--state", hosts.beta.state().toString()));
        Path file = Files.writeString(directory.resolve("file"), "");
        Refusals.expect(
                "state: .*/file/gamma can't be used: .*; choose a directory that can be written",
                host(":", "--state", file.resolve("gamma").toString()));
        Path readOnly = Files.createDirectories(directory.resolve("read-only"));
        Refusals.expect(
                "state: .*/read-only can't be used: .*Read-only file system; choose a directory that can be written",
                host("mount -t tmpfs -o ro none @/read-only", "--state", readOnly.toString()));
    }

    @Test
    void portsInUseAndForeignAddressesAreRefused() throws Exception {
        Refusals.expect(
                ".*10.77.0.12:7420.*in use.*; .*--listen.*",
                host(":", "--listen", hosts.beta.replicationAddress().toString()));
        Refusals.expect(
                "api: can't listen on 10.77.0.12:7421: .*in use; end what uses that port, or .*--api ADDR:PORT",
                host(":", "--api", hosts.beta.apiAddress().toString()));
        Refusals.expect(".*192.0.2.1:7420.*annot assign.*; .*--listen.*", host(":", "--listen", "192.0.2.1:7420"));
        Refusals.expect("api: can't listen on 192.0.2.1:7421: .*annot assign.*", host(":", "--api", "192.0.2.1:7421"));
        expectNothingOn(hosts.beta);
    }
}
