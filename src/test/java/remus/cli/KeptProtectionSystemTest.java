package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.Event;
import remus.api.EventType;
import remus.api.StartRequest;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.base.CloseStack;
import remus.base.RemusException;

/** Protection is kept up: by whichever host of the definition is there, and nobody types anything. */
@Tag("system")
@Timeout(420)
class KeptProtectionSystemTest {
    private static final String VM = DemoGuest.NAME;
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final String PEERS = "alpha=10.77.0.11:7420,beta=10.77.0.12:7420,gamma=10.77.0.13:7420";
    private static final String PROTECTION =
            "protection: {backups: [beta, gamma], interval: 50ms, detect: 2s, whenAlone: continue}\n";

    @TempDir
    private Path directory;

    private DemoHost host(DemoTopology topology, DemoTopology.Place place, NamespaceThread inside) {
        return new DemoHost(
                topology,
                place,
                inside,
                directory,
                TwoHosts.DAEMON_OPTIONS,
                List.of("--arbiter", "none", "--peers", PEERS));
    }

    private static void start(DemoHost... hosts) throws Exception {
        for (DemoHost host : hosts) {
            host.start();
        }
        for (DemoHost host : hosts) {
            host.awaitUp();
        }
    }

    private static VmStatus awaitProtected(DemoHost primary, DemoHost... backups) throws Exception {
        List<String> wanted = List.of(backups).stream()
                .map(backup -> backup.replicationAddress().toString())
                .toList();
        return primary.await(
                VM,
                status -> status.state() == VmState.PROTECTED && wanted.contains(String.valueOf(status.peer())),
                LIMIT,
                "protected by one of " + wanted);
    }

    private static void awaitActivated(DemoHost host) throws Exception {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (host.events().stream().noneMatch(event -> event.event() == EventType.ACTIVATED)) {
            assertTrue(System.nanoTime() < deadline, () -> "not activated: " + events(host));
            TimeUnit.MILLISECONDS.sleep(20);
        }
    }

    private static List<Event> events(DemoHost host) {
        try {
            return host.events();
        } catch (RemusException e) {
            throw new AssertionError(e);
        }
    }

    private static void awaitAnswers(RedisClientLoad load) throws InterruptedException {
        long target = load.figures().acknowledged() + 20;
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (load.figures().acknowledged() < target) {
            assertTrue(load.isRunning() && System.nanoTime() < deadline, () -> "no answers: " + load.figures());
            TimeUnit.MILLISECONDS.sleep(20);
        }
    }

    private static void kill(DemoHost host) throws Exception {
        host.kill(host.status(VM).qemuPid());
    }

    @Test
    void aVmIsProtectedAgainAfterEachLossByWhoeverIsThere() throws Exception {
        DemoGuest guest = DemoGuest.make();
        try (CloseStack all = new CloseStack()) {
            DemoTopology topology = DemoTopology.create();
            all.push(() -> closed(topology));
            NamespaceThread inside = all.push(new NamespaceThread(topology.namespaceFile(DemoTopology.Place.CLIENT)));
            DemoHost alpha = host(topology, DemoTopology.Place.ALPHA, inside);
            DemoHost beta = host(topology, DemoTopology.Place.BETA, inside);
            DemoHost gamma = host(topology, DemoTopology.Place.GAMMA, inside);
            for (DemoHost host : List.of(alpha, beta, gamma)) {
                all.push(() -> closed(host));
            }
            start(alpha, beta, gamma);
            alpha.post(
                    "/api/v1/vms",
                    new StartRequest(guest.definition("remus.run=redis") + PROTECTION, directory.toString(), null));
            DemoGuest.awaitRedis(inside, LIMIT);
            awaitProtected(alpha, beta);
            try (RedisClientLoad load = DemoGuest.connect(inside, 1)) {
                awaitAnswers(load);

                kill(beta);
                awaitProtected(alpha, gamma);
                awaitAnswers(load);
                Event again = alpha.events().reversed().stream()
                        .filter(event -> event.event() == EventType.PROTECTING)
                        .findFirst()
                        .orElseThrow();
                assertTrue(
                        String.valueOf(again.reason()).startsWith("to 10.77.0.13:7420, every 50 ms: "), again.reason());

                kill(alpha);
                awaitActivated(gamma);
                awaitAnswers(load);
                VmStatus alone = gamma.await(
                        VM, status -> String.valueOf(status.reason()).contains("next try in"), LIMIT, "waiting");
                assertTrue(String.valueOf(alone.reason()).contains("10.77.0.12:7420"), alone.reason());
                assertTrue(String.valueOf(alone.reason()).contains("10.77.0.11:7420"), alone.reason());

                start(alpha, beta);
                awaitProtected(gamma, alpha, beta);
                awaitAnswers(load);
                ClientLoad.Figures figures = load.finish();
                assertNull(figures.problem());
                assertEquals(0, figures.lost(), "acknowledged writes lost");
                assertEquals(0, figures.resets(), "connections reset");
            }
        }
    }

    private static void closed(AutoCloseable resource) {
        try {
            resource.close();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }
}
