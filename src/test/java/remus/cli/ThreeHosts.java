package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import remus.api.Event;
import remus.api.EventType;
import remus.api.StartRequest;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.base.CloseStack;
import remus.base.RemusException;

/** Three real daemons that know each other, in network namespaces of their own, and a client beside them. */
final class ThreeHosts implements AutoCloseable {
    static final String VM = DemoGuest.NAME;
    static final Duration LIMIT = Duration.ofMinutes(2);
    private static final String PEERS = "alpha=10.77.0.11:7420,beta=10.77.0.12:7420,gamma=10.77.0.13:7420";
    private static final Duration POLL = Duration.ofMillis(20);

    final DemoHost alpha;
    final DemoHost beta;
    final DemoHost gamma;
    final Path directory;
    final DemoGuest guest;
    final NamespaceThread inside;
    private final DemoTopology topology;
    private final List<String> jvmOptions;
    private final CloseStack all = new CloseStack();

    ThreeHosts(Path directory) throws Exception {
        this(directory, List.of());
    }

    /** @param moreJvmOptions of the daemons */
    ThreeHosts(Path directory, List<String> moreJvmOptions) throws Exception {
        this.directory = directory;
        jvmOptions = Stream.concat(TwoHosts.DAEMON_OPTIONS.stream(), moreJvmOptions.stream())
                .toList();
        guest = DemoGuest.make();
        topology = DemoTopology.create();
        all.push(() -> closed(topology));
        inside = all.push(new NamespaceThread(topology.namespaceFile(DemoTopology.Place.CLIENT)));
        alpha = host(DemoTopology.Place.ALPHA);
        beta = host(DemoTopology.Place.BETA);
        gamma = host(DemoTopology.Place.GAMMA);
    }

    private DemoHost host(DemoTopology.Place place) {
        DemoHost host = new DemoHost(
                topology,
                place,
                inside,
                directory,
                TestInstallation.with(jvmOptions),
                List.of("--arbiter", "none", "--peers", PEERS));
        all.push(() -> closed(host));
        return host;
    }

    List<DemoHost> hosts() {
        return List.of(alpha, beta, gamma);
    }

    static void start(DemoHost... hosts) throws Exception {
        for (DemoHost host : hosts) {
            host.start();
        }
        for (DemoHost host : hosts) {
            host.awaitUp();
        }
    }

    /** Boots a guest with Redis on alpha, and waits until it answers. */
    void boot(String protection) throws Exception {
        alpha.post(
                "/api/v1/vms",
                new StartRequest(guest.definition("remus.run=redis") + protection, directory.toString(), null));
        DemoGuest.awaitRedis(inside, LIMIT);
    }

    RedisClientLoad load() throws CommandException {
        return DemoGuest.connect(inside, 1);
    }

    TwoHosts.Outcome remus(DemoHost on, String... arguments) throws Exception {
        return TwoHosts.remus(topology, directory, on, List.of(), arguments);
    }

    static VmStatus awaitProtected(DemoHost primary, DemoHost... backups) throws Exception {
        List<String> wanted = List.of(backups).stream()
                .map(backup -> backup.replicationAddress().toString())
                .toList();
        return primary.await(
                VM,
                status -> status.state() == VmState.PROTECTED && wanted.contains(String.valueOf(status.peer())),
                LIMIT,
                "protected by one of " + wanted);
    }

    static VmStatus awaitReason(DemoHost host, String part) throws Exception {
        return host.await(VM, status -> String.valueOf(status.reason()).contains(part), LIMIT, part);
    }

    static void awaitEvent(DemoHost host, EventType type) throws Exception {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (events(host).stream().noneMatch(event -> event.event() == type)) {
            assertTrue(System.nanoTime() < deadline, () -> "no " + type + ": " + events(host));
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        }
    }

    static List<Event> events(DemoHost host) {
        try {
            return host.events();
        } catch (RemusException e) {
            throw new AssertionError(e);
        }
    }

    static void awaitAnswers(RedisClientLoad load) throws InterruptedException {
        long target = load.figures().acknowledged() + 20;
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (load.figures().acknowledged() < target) {
            assertTrue(load.isRunning() && System.nanoTime() < deadline, () -> "no answers: " + load.figures());
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        }
    }

    static void expectNothingLost(RedisClientLoad load) throws Exception {
        ClientLoad.Figures figures = load.finish();
        assertNull(figures.problem());
        assertEquals(0, figures.lost(), "acknowledged writes lost");
        assertEquals(0, figures.resets(), "connections reset");
    }

    /** As if the power failed. */
    static void kill(DemoHost host) throws Exception {
        host.kill(host.status(VM).qemuPid());
    }

    private static void closed(AutoCloseable resource) {
        try {
            resource.close();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void close() {
        all.close();
    }
}
