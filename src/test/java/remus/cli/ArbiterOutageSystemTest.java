package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
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
import remus.api.VmState;
import remus.api.VmStatus;
import remus.api.WhenAlone;
import remus.base.RemusException;

/**
 * All servers of the arbiter are away: a protected VM notices nothing, and a failover waits for them. By
 * {@code -Dremus.outage.seconds} longer than here.
 */
@Tag("system")
@Timeout(600)
class ArbiterOutageSystemTest {
    /** Longer than a client's session and each of its calls may take. */
    private static final Duration OUTAGE = Duration.ofSeconds(Integer.getInteger("remus.outage.seconds", 8));

    /** Of a failover; the client gives up after {@link RedisClientLoad#ANSWER_TIMEOUT}. */
    private static final Duration WAIT = Duration.ofSeconds(Math.min(30, OUTAGE.toSeconds()));

    /** A busy machine must not be taken for a dead one; a killed one is noticed at once by its port. */
    private static final String DETECT = "5s";

    private static final long POLL_MILLIS = 20;

    @TempDir
    private Path directory;

    @Test
    void aProtectedVmNoticesNothingAndAFailoverWaitsForTheArbiter() throws Exception {
        try (TwoHosts hosts = TwoHosts.openWithArbiter(directory)) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, DETECT, WhenAlone.HOLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                hosts.servers().stopAll();
                expectNothingHappens(hosts, load);
                hosts.servers().heal();
                awaitReachable(hosts.alpha, true);
                awaitReachable(hosts.beta, true);

                hosts.servers().killAll();
                awaitReachable(hosts.beta, false);
                hosts.alpha.kill(hosts.qemuPid(hosts.alpha));
                awaitQuestion(hosts);
                expectNoTakeover(hosts);
                hosts.servers().heal();
                hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
                hosts.awaitAnswers(load, 50);
                expectAsTold(hosts.beta);
                ClientLoad.Figures figures = load.finish();
                assertNull(figures.problem());
                assertEquals(0, figures.lost());
                assertEquals(0, figures.resets());
            }
        }
    }

    private static void awaitQuestion(TwoHosts hosts) throws Exception {
        hosts.awaitEvent(
                hosts.beta,
                event -> String.valueOf(event.reason()).contains("asking to take over"),
                "question of beta");
    }

    @Test
    void aPrimaryThatIsHeardAgainBeforeTheArbiterCanBeAskedIsNotReplaced() throws Exception {
        try (TwoHosts hosts = TwoHosts.openWithArbiter(directory)) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, "2s", WhenAlone.HOLD);
            DemoSwitch bridge = new DemoSwitch(hosts.topology);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                hosts.servers().stopAll();
                bridge.cut(hosts.alpha.place(), hosts.beta.place());
                awaitQuestion(hosts);
                bridge.heal();
                hosts.beta.await(
                        DemoGuest.NAME,
                        status -> status.state() == VmState.STANDBY && status.reason() == null,
                        TwoHosts.LIMIT,
                        "standing by again");
                hosts.awaitAnswers(load, 20);
                hosts.servers().heal();
                awaitReachable(hosts.beta, true);
                hosts.awaitAnswers(load, 100);
                assertFalse(TwoHosts.happened(hosts.beta, EventType.ACTIVATING), () -> "" + events(hosts.beta));
                hosts.awaitEvent(hosts.beta, EventType.RECONNECTED);
                assertEquals(
                        VmState.PROTECTED, hosts.alpha.status(DemoGuest.NAME).state());
                assertEquals(0, load.finish().lost());
            }
        }
    }

    private static void expectNothingHappens(TwoHosts hosts, RedisClientLoad load) throws Exception {
        awaitReachable(hosts.alpha, false);
        awaitReachable(hosts.beta, false);
        int alphasEvents = eventsBut(hosts.alpha, EventType.ARBITER);
        int betasEvents = eventsBut(hosts.beta, EventType.ARBITER);
        long end = System.nanoTime() + OUTAGE.toNanos();
        while (System.nanoTime() < end) {
            hosts.awaitAnswers(load, 1);
            TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
        }
        assertEquals(VmState.PROTECTED, hosts.alpha.status(DemoGuest.NAME).state());
        assertEquals(VmState.STANDBY, hosts.beta.status(DemoGuest.NAME).state());
        assertEquals(alphasEvents, eventsBut(hosts.alpha, EventType.ARBITER), () -> "" + events(hosts.alpha));
        assertEquals(betasEvents, eventsBut(hosts.beta, EventType.ARBITER), () -> "" + events(hosts.beta));
    }

    private static void expectNoTakeover(TwoHosts hosts) throws Exception {
        hosts.countFrames(hosts.beta);
        long end = System.nanoTime() + WAIT.toNanos();
        while (System.nanoTime() < end) {
            assertFalse(TwoHosts.happened(hosts.beta, EventType.ACTIVATED));
            VmStatus status = hosts.beta.status(DemoGuest.NAME);
            assertEquals(VmState.STANDBY, status.state());
            assertTrue(String.valueOf(status.reason()).contains("asking"), status.reason());
            TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
        }
        assertEquals(0, hosts.framesFrom(hosts.beta), "frames of a VM that nobody owns");
    }

    private static void expectAsTold(DemoHost host) throws Exception {
        List<EventType> told = host.events().stream().map(Event::event).toList();
        int away = told.lastIndexOf(EventType.ARBITER);
        assertTrue(told.indexOf(EventType.ACTIVATING) < told.indexOf(EventType.ACTIVATED), () -> "" + told);
        assertTrue(away > told.indexOf(EventType.STANDBY_READY), () -> "" + told);
    }

    private static void awaitReachable(DemoHost host, boolean reachable) throws Exception {
        long deadline = System.nanoTime() + TwoHosts.LIMIT.toNanos();
        while (host.status().arbiter().reachable() != reachable) {
            assertTrue(System.nanoTime() < deadline, () -> "reachable: " + !reachable + " " + events(host));
            TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
        }
    }

    private static int eventsBut(DemoHost host, EventType type) throws RemusException {
        return (int)
                host.events().stream().filter(event -> event.event() != type).count();
    }

    private static List<Event> events(DemoHost host) {
        try {
            return host.events();
        } catch (RemusException e) {
            throw new AssertionError(e);
        }
    }
}
