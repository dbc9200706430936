package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.Event;
import remus.api.EventType;
import remus.api.FailoverRequest;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.api.WhenAlone;

/** The events of both hosts tell a VM's life in full and without repetition, and lead to the states that status shows. */
@Tag("system")
@Timeout(300)
class StorySystemTest {
    /** The state that each type leads to, of those that always lead to the same one. */
    private static final Map<EventType, VmState> LEADS_TO = new EnumMap<>(Map.ofEntries(
            Map.entry(EventType.STARTED, VmState.UNPROTECTED),
            Map.entry(EventType.PROTECTING, VmState.SYNCHRONIZING),
            Map.entry(EventType.PROTECTED, VmState.PROTECTED),
            Map.entry(EventType.BACKUP_LOST, VmState.DEGRADED),
            Map.entry(EventType.DEGRADED, VmState.DEGRADED),
            Map.entry(EventType.FENCED, VmState.FENCED),
            Map.entry(EventType.UNPROTECTED, VmState.UNPROTECTED),
            Map.entry(EventType.BACKING_UP, VmState.SYNCHRONIZING),
            Map.entry(EventType.STANDBY_READY, VmState.STANDBY),
            Map.entry(EventType.ACTIVATING, VmState.ACTIVATING),
            Map.entry(EventType.ACTIVATED, VmState.UNPROTECTED)));

    /** Longer than this machine is ever too busy for. */
    private static final String DETECT = "10s";

    @TempDir
    private Path directory;

    private final List<EventType> ofAlpha = new ArrayList<>();
    private final List<EventType> ofBeta = new ArrayList<>();

    /** The host goes on with exactly these events, and its status says what the last of them leads to. */
    private static void expect(DemoHost host, List<EventType> told, EventType... next) throws Exception {
        told.addAll(List.of(next));
        List<Event> events = awaitCount(host, told);
        assertEquals(told, events.stream().map(Event::event).toList(), () -> host.name() + ": " + events);
        assertTrue(events.stream().allMatch(event -> event.reason() != null), events::toString);
        EventType last = told.stream()
                .filter(LEADS_TO::containsKey)
                .reduce((one, other) -> other)
                .orElseThrow();
        for (VmStatus vm : host.status().vms()) {
            // A backup that is none any more is gone in a moment.
            boolean isLeaving = vm.role() == VmRole.BACKUP && last == EventType.UNPROTECTED;
            assertEquals(isLeaving ? vm.state() : LEADS_TO.get(last), vm.state(), events::toString);
        }
    }

    private static List<Event> awaitCount(DemoHost host, List<EventType> told) throws Exception {
        long deadline = System.nanoTime() + TwoHosts.LIMIT.toNanos();
        List<Event> events = host.events();
        while (events.size() < told.size() && System.nanoTime() - deadline < 0) {
            TimeUnit.MILLISECONDS.sleep(20);
            events = host.events();
        }
        return events;
    }

    private static String lastReason(DemoHost host, EventType type) throws Exception {
        return Objects.requireNonNull(host.events().reversed().stream()
                .filter(event -> event.event() == type)
                .findFirst()
                .orElseThrow()
                .reason());
    }

    @Test
    void aLifeOfAVmIsToldOnBothHosts() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            expect(hosts.alpha, ofAlpha, EventType.STARTED);
            hosts.protect(hosts.alpha, hosts.beta, DETECT, WhenAlone.HOLD);
            expect(hosts.alpha, ofAlpha, EventType.PROTECTING, EventType.PROTECTED);
            expect(hosts.beta, ofBeta, EventType.BACKING_UP, EventType.STANDBY_READY);

            hosts.beta.post(VmPath.verb(DemoGuest.NAME, "failover"), new FailoverRequest(false));
            // From where it is now it is protected by itself; to ask for the same changes nothing.
            hosts.protect(hosts.beta, hosts.alpha, DETECT, WhenAlone.HOLD);
            expect(
                    hosts.beta,
                    ofBeta,
                    EventType.OWNERSHIP,
                    EventType.ACTIVATING,
                    EventType.ACTIVATED,
                    EventType.PROTECTING,
                    EventType.PROTECTED);
            expect(
                    hosts.alpha,
                    ofAlpha,
                    EventType.FENCED,
                    EventType.OWNERSHIP,
                    EventType.BACKING_UP,
                    EventType.STANDBY_READY);
            assertTrue(lastReason(hosts.alpha, EventType.FENCED).contains("by command"));

            TwoHosts.signal("KILL", hosts.qemuPid(hosts.beta));
            hosts.awaitEvent(hosts.alpha, EventType.ACTIVATED);
            hosts.protect(hosts.alpha, hosts.beta, DETECT, WhenAlone.HOLD);
            expect(
                    hosts.alpha,
                    ofAlpha,
                    EventType.PRIMARY_LOST,
                    EventType.ACTIVATING,
                    EventType.ACTIVATED,
                    EventType.PROTECTING,
                    EventType.PROTECTED);
            String why = lastReason(hosts.alpha, EventType.ACTIVATING);
            assertTrue(why.contains("reports that its QEMU is dead"), why);
            expect(
                    hosts.beta,
                    ofBeta,
                    EventType.GUEST_DEAD,
                    EventType.FENCED,
                    EventType.BACKING_UP,
                    EventType.STANDBY_READY);

            hosts.alpha.post(VmPath.verb(DemoGuest.NAME, "unprotect"));
            expect(hosts.alpha, ofAlpha, EventType.OWNERSHIP, EventType.UNPROTECTED);
            assertEquals("protection ended by command", lastReason(hosts.alpha, EventType.UNPROTECTED));
            expect(hosts.beta, ofBeta, EventType.UNPROTECTED);

            hosts.alpha.post(VmPath.verb(DemoGuest.NAME, "stop"));
            hosts.awaitNoVm(hosts.alpha);
            expect(hosts.alpha, ofAlpha, EventType.STOPPED);
            assertEquals("stopped by command", lastReason(hosts.alpha, EventType.STOPPED));
        }
    }
}
