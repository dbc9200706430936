package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
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
import remus.api.DoctorReport;
import remus.api.Json;
import remus.linux.Errno;
import remus.linux.WithoutSystemCall;

/**
 * The real command on one of two real hosts, each in a network namespace of its own: what it finds there, what it says when
 * something is taken away from it, and that it leaves nothing behind.
 */
@Tag("system")
@Timeout(180)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DoctorSystemTest {
    private static final int USERFAULTFD = 323;
    private static final int PTRACE = 101;

    private Path directory;
    private TwoHosts hosts;

    @BeforeAll
    void open(@TempDir Path made) throws Exception {
        directory = made;
        hosts = TwoHosts.open(directory);
    }

    @AfterAll
    void close() {
        hosts.close();
    }

    @AfterEach
    void nothingIsLeft() throws Exception {
        for (DemoHost host : List.of(hosts.alpha, hosts.beta)) {
            assertEquals(List.of(host.pid()), hosts.processesOn(host));
            assertEquals(List.of(), hosts.tapsOn(host));
        }
        try (Stream<Path> files = Files.list(Path.of("/dev/shm"))) {
            assertEquals(
                    List.of(),
                    files.filter(file -> file.getFileName().toString().startsWith("remus-doctor-"))
                            .toList());
        }
    }

    private TwoHosts.Outcome doctor(List<String> wrapper, String... options) throws Exception {
        List<String> arguments = new ArrayList<>(List.of("doctor"));
        arguments.addAll(List.of(options));
        return hosts.remus(hosts.alpha, wrapper, arguments.toArray(String[]::new));
    }

    private DoctorReport report(List<String> wrapper, String... options) throws Exception {
        List<String> arguments = new ArrayList<>(List.of(options));
        arguments.add("--json");
        TwoHosts.Outcome outcome = doctor(wrapper, arguments.toArray(String[]::new));
        assertEquals(1, outcome.out().lines().count(), outcome.toString());
        DoctorReport report = Json.read(outcome.out(), DoctorReport.class);
        assertEquals(report.verdict().equals("failure") ? 1 : 0, outcome.exitCode(), outcome.toString());
        return report;
    }

    private static DoctorReport.Check check(DoctorReport report, String name) {
        return report.checks().stream()
                .filter(check -> check.check().equals(name))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no " + name + " in " + report));
    }

    private static void assertFound(String verdict, String foundPattern, DoctorReport.Check check) {
        assertEquals(verdict, check.verdict(), check.toString());
        assertTrue(check.found().matches(foundPattern), check.toString());
    }

    @Test
    void aPairThatWorksIsFoundToWork() throws Exception {
        DoctorReport report = report(
                List.of(),
                "--peer",
                hosts.beta.replicationAddress().toString(),
                "--state",
                hosts.alpha.state().toString());
        assertNotEquals("failure", report.verdict(), report.toString());
        assertFound("ok", "host beta at 10.77.0.12:7420: Remus .*, protocol \\d+, Linux .*", check(report, "peer"));
        assertFound("ok", "QEMU 7.2.* on both", check(report, "peer qemu"));
        assertFound("ok", "pc-q35-7.2, .* on both", check(report, "peer machines"));
        assertFound("ok", "\\d+ models run on both: .*", check(report, "peer cpu"));
        assertFound("ok", "host alpha runs already, on 10.77.0.11:7420", check(report, "port 7420"));
        assertFound("ok", "host alpha runs already, on 10.77.0.11:7421", check(report, "port 7421"));
        assertFound("ok", "br0", check(report, "bridges"));
        assertFound("ok", "a TAP was made and removed", check(report, "tun"));
        assertFound("ok", "a paused QEMU was attached to and scanned, .*", check(report, "tracking"));
        assertFound("ok", hosts.alpha.state() + ", .* free", check(report, "state"));
        DoctorReport.LinkEstimate link = Objects.requireNonNull(report.link());
        assertTrue(link.bytesPerSecond() > 0 && link.roundTripMicros().p50() > 0, link.toString());
        assertEquals(25, link.intervals().getFirst().intervalMillis());
    }

    @Test
    void aPersonReadsItIn80Columns() throws Exception {
        TwoHosts.Outcome outcome =
                doctor(List.of(), "--peer", hosts.beta.replicationAddress().toString());
        assertEquals(0, outcome.exitCode(), outcome.toString());
        assertTrue(outcome.out().lines().allMatch(line -> line.length() <= 80), outcome.out());
        assertTrue(outcome.out().contains("\nok       peer qemu      QEMU 7.2"), outcome.out());
        assertTrue(outcome.out().lines().toList().getLast().matches("\\d+ checks: .*, 0 failed"), outcome.out());
    }

    @Test
    void aLinkThatIsTooSlowForTheDefaultsIsToldWithWhatItAllows() throws Exception {
        traffic("add", "tbf", "rate", "100mbit", "burst", "128k", "latency", "50ms");
        try {
            DoctorReport report =
                    report(List.of(), "--peer", hosts.beta.replicationAddress().toString());
            DoctorReport.LinkEstimate link = Objects.requireNonNull(report.link());
            // The link lets no more through; what its bucket holds at the beginning comes on top.
            assertTrue(link.bytesPerSecond() < 14_000_000, link.toString());
            Long interval = link.recommendedIntervalMillis();
            assertTrue(interval == null || interval > 25, link.toString());
            assertEquals(
                    interval == null ? "failure" : "warning",
                    check(report, "bandwidth").verdict());
            assertEquals(
                    interval == null ? "failure" : "warning",
                    check(report, "interval").verdict());
        } finally {
            traffic("del");
        }
    }

    /** Shapes what leaves alpha for the others. */
    private void traffic(String verb, String... discipline) throws Exception {
        List<String> command = new ArrayList<>(List.of("tc", "qdisc", verb, "dev", "up0", "root"));
        command.addAll(List.of(discipline));
        Process process = new ProcessBuilder(hosts.topology.inside(hosts.alpha.place(), command))
                .inheritIO()
                .start();
        assertTrue(process.waitFor(10, TimeUnit.SECONDS));
        assertEquals(0, process.exitValue());
    }

    // ---- what is taken away

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            mount -t tmpfs none /dev/net             | tun      | open\\(/dev/net/tun\\): ENOENT .*       | .*load the kernel's 'tun' module .*
            mount --bind /dev/null /dev/net/tun      | tun      | ioctl\\(TUNSETIFF, remus%d\\): ENOTTY .* | .*mknod.*
            mount -t tmpfs -o size=64m none /dev/shm | memory   | .*64 MiB of 64 MiB free in /dev/shm.*    | enlarge the tmpfs: .*
            export PATH=@                            | qemu     | the program qemu-system-x86_64 is not installed | install it with: apt-get install qemu-system-x86
            mount -t tmpfs none /usr/share/seabios   | qemu     | the firmware .* is not installed         | install it with: apt-get install seabios
            ulimit -n 200                            | descriptors | 200 open files allowed, enough for about 2 VMs | raise it: .*
            """)
    void whatIsMissingIsAFailureWithItsRemedy(String commands, String name, String found, String remedy)
            throws Exception {
        DoctorReport report = report(TwoHosts.within(commands.replace("@", directory.toString())));
        DoctorReport.Check check = check(report, name);
        assertFound("failure", found, check);
        assertTrue(String.valueOf(check.remedy()).matches(remedy), check.toString());
    }

    @Test
    void withoutUserfaultfdNothingCanBeTracked() throws Exception {
        DoctorReport report = report(WithoutSystemCall.command(USERFAULTFD, Errno.ENOSYS, List.of()));
        assertFound("failure", "this kernel has none", check(report, "userfaultfd"));
        assertFound("failure", "the memory of process \\d+ can't be tracked: .*ENOSYS.*", check(report, "tracking"));
    }

    @Test
    void whatTheKernelHasIsNotTakenForWhatThisProcessMayDo() throws Exception {
        DoctorReport report = report(WithoutSystemCall.command(PTRACE, Errno.EPERM, List.of()));
        assertNotEquals("failure", check(report, "userfaultfd").verdict());
        assertFound("failure", "the memory of process \\d+ can't be tracked: .*EPERM.*", check(report, "tracking"));
        assertTrue(String.valueOf(check(report, "tracking").remedy()).contains("CAP_SYS_PTRACE"));
    }

    @Test
    void aPeerThatIsNoneIsToldApart() throws Exception {
        String nobody = hosts.beta.place().address() + ":7999";
        assertFound("failure", nobody + ": Connection refused.*", check(report(List.of(), "--peer", nobody), "peer"));
        String api = hosts.beta.apiAddress().toString();
        assertEquals("failure", check(report(List.of(), "--peer", api), "peer").verdict());
        String self = hosts.alpha.replicationAddress().toString();
        assertFound(
                "failure",
                "host alpha .*: its name is that of this host",
                check(report(List.of(), "--peer", self), "peer"));
        DoctorReport alone = report(List.of());
        assertNull(alone.link());
        assertTrue(alone.checks().stream().noneMatch(check -> check.check().startsWith("peer")), alone.toString());
    }

    @Test
    void anArbiterThatDoesNotAnswerIsAFailureAndTheLastLineNamesIt() throws Exception {
        TwoHosts.Outcome outcome = doctor(List.of(), "--arbiter", "zookeeper:127.0.0.1:2999");
        assertEquals(1, outcome.exitCode(), outcome.toString());
        assertTrue(
                outcome.err().lines().toList().getLast().matches("remus: 1 of \\d+ checks failed \\(arbiter\\): .*"),
                outcome.err());
        assertTrue(
                outcome.out().contains("failure  arbiter        zookeeper:127.0.0.1:2999/remus does not answer:"),
                outcome.out());
    }
}
