package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.ToLongFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remus.cli.DemoTopology.Place;
import remus.host.HostLauncher;

/** The demo's scenarios of several hosts, in small, and that their leak check finds a leak. */
@Tag("system")
@Timeout(420)
class ScenarioSystemTest {
    private static final long SEED = 7;
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private final StringWriter shown = new StringWriter();
    private final StringWriter problems = new StringWriter();
    private DemoStage stage;

    @BeforeEach
    void open() throws Exception {
        PrintWriter out = new PrintWriter(shown, true);
        stage = new DemoStage(new Terminal(out, new PrintWriter(problems, true), false, false));
    }

    @AfterEach
    void close() throws Exception {
        Path directory = stage.directory();
        stage.close();
        System.err.println(shown);
        assertEquals("", problems.toString(), "cleaned up");
        assertFalse(Files.exists(directory), directory.toString());
        for (Place place : Place.values()) {
            Path memory = HostLauncher.guestMemory(directory.resolve(place.toString()));
            assertFalse(Files.exists(memory), memory.toString());
        }
    }

    private DemoDisplay display() {
        return new DemoDisplay(new PrintWriter(shown, true), "writes", false, true);
    }

    private static long sum(ScenarioReport report, int count, ToLongFunction<HostCount> figure) {
        return report.census().get(count).sum(figure);
    }

    @Test
    void oneBackupGoesOnWithTheVmsOfSeveralHostsThatDieTogetherAndAgain() throws Exception {
        ManyDemo.Plan plan =
                new ManyDemo.Plan(3, 2, 2, List.of(KillKind.PROCESS, KillKind.POWER), Duration.ofSeconds(1), SEED);
        ScenarioReport report = new ManyDemo(plan, display(), stage).run();
        assertNull(report.problem());
        assertTrue(report.passed(), report::toString);
        assertEquals(6, report.activations());
        assertEquals(
                List.of("process", "power", "process", "process", "power", "process"),
                report.failovers().stream().map(ScenarioReport.Failover::kill).toList());
        assertEquals(0, sum(report, 0, HostCount::qemus));
        assertEquals(6, sum(report, 1, HostCount::qemus));
        assertEquals(6, sum(report, 1, HostCount::taps));
        assertTrue(sum(report, 1, HostCount::mappedBytes) >= 6 * (128L << 20), report::toString);
        assertEquals(6, sum(report, 2, HostCount::qemus));
        assertEquals(0, sum(report, 3, HostCount::tmpfsFiles));
    }

    @Test
    void aVmGoesFromHostToHostAsTheyDieAndComesBack() throws Exception {
        ChainDemo.Plan plan =
                new ChainDemo.Plan(1, List.of(KillKind.PROCESS, KillKind.POWER), Duration.ofSeconds(1), SEED);
        ScenarioReport report = new ChainDemo(plan, display(), stage).run();
        assertNull(report.problem());
        assertTrue(report.passed(), report::toString);
        assertEquals("alpha", report.failovers().getLast().to());
        assertTrue(report.failovers().stream().allMatch(failover -> failover.protectedAgainBy() != null));
        assertEquals(2, sum(report, 1, HostCount::qemus));
        assertEquals(2, sum(report, 2, HostCount::qemus));
    }

    @Test
    void aLeakedQemuTapAndFileAreFound() throws Exception {
        DemoTopology topology = stage.own(DemoTopology.create());
        NamespaceThread inside = stage.own(new NamespaceThread(topology.namespaceFile(Place.CLIENT)));
        DemoHost alpha = stage.startCountedHost(topology, Place.ALPHA, inside, List.of());
        alpha.awaitUp();
        LeakCheck check = new LeakCheck(new HostCensus(stage.directory()));
        check.before("empty", () -> List.of(alpha));
        check.again("empty", () -> List.of(alpha));
        assertEquals(List.of(), check.leaks());

        IpSession.run(topology.namespace(Place.ALPHA), List.of("tuntap add remus7 mode tap"));
        Path file = Files.writeString(HostLauncher.guestMemory(alpha.state()).resolve("forgotten"), "x");
        Process qemu = new ProcessBuilder(topology.inside(
                        Place.ALPHA,
                        List.of("qemu-system-x86_64", "-S", "-nodefaults", "-display", "none", "-monitor", "stdio")))
                .redirectErrorStream(true)
                .start();
        try {
            awaitCommand(qemu, "qemu-system");
            check.again("empty", () -> List.of(alpha));
        } finally {
            qemu.destroyForcibly().waitFor();
            Files.delete(file);
        }
        assertEquals(
                List.of(
                        "empty: alpha: 1 QEMU processes, before 0",
                        "empty: alpha: 1 TAP devices, before 0",
                        "empty: alpha: 1 files on tmpfs, before 0"),
                check.leaks());
        assertEquals(3, check.census().size());
    }

    /** The process begins as another program, which becomes that one. */
    private static void awaitCommand(Process process, String name) throws Exception {
        Path comm = Path.of("/proc/" + process.pid() + "/comm");
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (!Files.readString(comm, StandardCharsets.ISO_8859_1).startsWith(name)) {
            assertTrue(process.isAlive() && System.nanoTime() < deadline, "becomes " + name);
            TimeUnit.MILLISECONDS.sleep(10);
        }
    }
}
