package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.Event;
import remus.api.EventType;
import remus.api.Json;
import remus.base.EpochId;
import remus.base.Term;

@Timeout(30)
class EventLogTest {
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    @TempDir
    private Path directory;

    private final SettableTime time = new SettableTime();

    private Event publish(EventLog log, long epoch) {
        return log.publish("shop", EventType.PROTECTED, "because", new Term(2), new EpochId(epoch));
    }

    @Test
    void aSubscriberSeesTheRecentPastAndThenWhatHappens() throws Exception {
        try (EventLog log = new EventLog(directory, time)) {
            Event before = publish(log, 1);
            try (EventLog.Subscription subscription = log.subscribe()) {
                Event after = publish(log, 2);
                assertEquals(before, subscription.next(PATIENCE));
                assertEquals(after, subscription.next(PATIENCE));
                assertNull(subscription.next(Duration.ZERO));
            }
        }
    }

    @Test
    void memoryHoldsABoundedNumberOfEvents() {
        try (EventLog log = new EventLog(directory, time)) {
            for (int epoch = 0; epoch < EventLog.RECENT_EVENTS + 5; epoch++) {
                publish(log, epoch);
            }
            List<Event> recent = log.recent();
            assertEquals(EventLog.RECENT_EVENTS, recent.size());
            assertEquals(5, recent.getFirst().epoch());
        }
    }

    @Test
    void aSlowSubscriberLosesItsSubscriptionAndIsToldSo() throws Exception {
        try (EventLog log = new EventLog(directory, time);
                EventLog.Subscription slow = log.subscribe()) {
            for (int epoch = 0; epoch <= EventLog.SUBSCRIPTION_EVENTS; epoch++) {
                publish(log, epoch);
            }
            publish(log, 9_999);
            assertFalse(slow.isLost(), "it first reads what it has");
            for (int epoch = 0; epoch < EventLog.SUBSCRIPTION_EVENTS; epoch++) {
                Event event = slow.next(PATIENCE);
                assertNotNull(event);
                assertEquals(epoch, event.epoch());
            }
            assertTrue(slow.isLost());
            assertNull(slow.next(Duration.ZERO), "nothing follows a gap");
        }
    }

    @Test
    void theNumberOfSubscribersIsBounded() throws Exception {
        try (EventLog log = new EventLog(directory, time)) {
            List<EventLog.Subscription> all = new ArrayList<>();
            for (int index = 0; index < EventLog.SUBSCRIPTIONS; index++) {
                all.add(log.subscribe());
            }
            assertThrows(OperationException.class, log::subscribe);
            all.getFirst().close();
            log.subscribe().close();
        }
    }

    @Test
    void everyEventIsALineOfTheFile() throws Exception {
        try (EventLog log = new EventLog(directory, time)) {
            for (int epoch = 0; epoch < 100; epoch++) {
                publish(log, epoch);
            }
        }
        List<String> lines = Files.readAllLines(directory.resolve("events.jsonl"));
        assertEquals(100, lines.size());
        assertEquals(
                "{\"time\":\"2027-01-15T08:00:00Z\",\"vm\":\"shop\",\"event\":\"PROTECTED\",\"reason\":\"because\","
                        + "\"term\":2,\"epoch\":0}",
                lines.getFirst());
        assertEquals(99, Json.read(lines.getLast(), Event.class).epoch());
    }

    @Test
    void theFileIsPutAsideWhenItIsLarge() throws Exception {
        try (EventLog log = new EventLog(directory, time, 500)) {
            for (int epoch = 0; epoch < 12; epoch++) {
                publish(log, epoch);
            }
        }
        assertTrue(Files.size(directory.resolve("events.jsonl")) < 700);
        assertTrue(Files.size(directory.resolve("events.1.jsonl")) < 700);
        try (var files = Files.list(directory)) {
            assertEquals(2, files.count());
        }
        List<String> lines = Files.readAllLines(directory.resolve("events.jsonl"));
        assertEquals(11, Json.read(lines.getLast(), Event.class).epoch());
    }

    @Test
    void aDirectoryThatCanNotBeWrittenCostsOnlyTheFile() throws Exception {
        try (EventLog log = new EventLog(directory.resolve("missing"), time);
                EventLog.Subscription subscription = log.subscribe()) {
            Event event = publish(log, 1);
            assertEquals(event, subscription.next(PATIENCE));
        }
    }

    @Test
    void closingEndsSubscriptionsAfterTheirLastEvent() throws Exception {
        EventLog log = new EventLog(directory, time);
        EventLog.Subscription subscription = log.subscribe();
        publish(log, 1);
        log.close();
        assertFalse(subscription.isEnded());
        assertNotNull(subscription.next(PATIENCE));
        assertTrue(subscription.isEnded());
    }
}
