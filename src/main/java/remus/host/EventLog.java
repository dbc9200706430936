package remus.host;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.Event;
import remus.api.EventType;
import remus.api.Json;
import remus.base.EpochId;
import remus.base.Term;
import remus.base.Time;

/**
 * What happened to this host's VMs: the recent past in memory, everything in a file of JSON lines, and subscribers.
 *
 * <p>Invariants: all see the events in one order; {@link #publish} never waits for a disk or a subscriber, so the
 * agents of running VMs may call it. A subscriber that falls {@link #SUBSCRIPTION_EVENTS} behind loses its
 * subscription and is told so; a file that can't be written is reported once and costs only the file. Safe for many
 * threads; the file is written by a thread of its own.
 *
 * <p>Limits: {@link #RECENT_EVENTS} in memory, {@link #SUBSCRIPTIONS} subscribers, two files of
 * {@link #FILE_BYTES} at most: {@code events.jsonl} and the one before it, {@code events.1.jsonl}.
 */
public final class EventLog implements AutoCloseable {
    /** Events that a new subscriber can still see. */
    public static final int RECENT_EVENTS = 1_000;

    /** Events that may wait for one subscriber; more than it can get at once when it begins. */
    static final int SUBSCRIPTION_EVENTS = 2 * RECENT_EVENTS;

    /** Subscribers at the same time. */
    static final int SUBSCRIPTIONS = 64;

    /** Events that may wait for the file. */
    static final int UNWRITTEN_EVENTS = 4_096;

    /** Size from which on the file is put aside and a new one begun. */
    static final long FILE_BYTES = 8L << 20;

    private static final Duration CLOSE_DEADLINE = Duration.ofSeconds(5);
    private static final Logger LOG = LoggerFactory.getLogger(EventLog.class);

    private final Path file;
    private final Path fileBefore;
    private final Time time;
    private final long rotateBytes;
    private final Thread writer;
    private final BlockingQueue<Event> unwritten = new ArrayBlockingQueue<>(UNWRITTEN_EVENTS);

    // Guarded by this; held for a few assignments only.
    private final Deque<Event> recent = new ArrayDeque<>();
    private final List<Subscription> subscriptions = new ArrayList<>();
    private long unwrittenLost;
    private volatile boolean closing;

    /** Begins the log in {@code stateDirectory}, which must exist. */
    public EventLog(Path stateDirectory, Time time) {
        this(stateDirectory, time, FILE_BYTES);
    }

    EventLog(Path stateDirectory, Time time, long rotateBytes) {
        this.file = stateDirectory.resolve("events.jsonl");
        this.fileBefore = stateDirectory.resolve("events.1.jsonl");
        this.time = time;
        this.rotateBytes = rotateBytes;
        this.writer = Thread.ofPlatform().name("event-log").daemon().start(this::writeUntilClosed);
    }

    /**
     * Reports an event.
     *
     * @param reason one line for people, or null
     */
    public Event publish(String vm, EventType type, @Nullable String reason, Term term, EpochId epoch) {
        LOG.info("{} {}{} term={} epoch={}", vm, type, reason == null ? "" : ": " + reason, term, epoch);
        synchronized (this) {
            Event event =
                    new Event(Instant.ofEpochMilli(time.wallMillis()), vm, type, reason, term.value(), epoch.value());
            if (recent.size() == RECENT_EVENTS) {
                recent.removeFirst();
            }
            recent.addLast(event);
            subscriptions.removeIf(subscription -> !subscription.offer(event));
            if (!unwritten.offer(event) && unwrittenLost++ == 0) {
                LOG.warn("{} can't be written as fast as events happen: some are missing there", file);
            }
            return event;
        }
    }

    /** The last {@link #RECENT_EVENTS} events, oldest first. */
    public synchronized List<Event> recent() {
        return List.copyOf(recent);
    }

    /**
     * Begins a subscription with the recent events, followed by all new ones without a gap.
     *
     * @throws OperationException when there are {@link #SUBSCRIPTIONS} already
     */
    public synchronized Subscription subscribe() throws OperationException {
        if (subscriptions.size() >= SUBSCRIPTIONS) {
            throw new OperationException(
                    OperationException.Kind.CONFLICT,
                    "events: %d subscribers are connected already, the most allowed".formatted(SUBSCRIPTIONS),
                    "end one of them");
        }
        Subscription subscription = new Subscription();
        recent.forEach(subscription::offer);
        subscriptions.add(subscription);
        return subscription;
    }

    /** Ends all subscriptions and waits until the file has everything, for 5 s at most. */
    @Override
    public void close() {
        synchronized (this) {
            closing = true;
            subscriptions.forEach(Subscription::end);
            subscriptions.clear();
        }
        writer.interrupt();
        try {
            if (!writer.join(CLOSE_DEADLINE)) {
                LOG.warn("{} lacks the last events: its disk did not take them within {}", file, CLOSE_DEADLINE);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** One reader's place in the stream of events; used by one thread, closed by it. */
    public final class Subscription implements AutoCloseable {
        private final BlockingQueue<Event> queue = new ArrayBlockingQueue<>(SUBSCRIPTION_EVENTS);
        private volatile boolean lost;
        private volatile boolean ended;

        private Subscription() {}

        private boolean offer(Event event) {
            lost = !queue.offer(event);
            return !lost;
        }

        private void end() {
            ended = true;
        }

        /** The next event, or null when none came within {@code patience}. */
        public @Nullable Event next(Duration patience) throws InterruptedException {
            return queue.poll(patience.toNanos(), TimeUnit.NANOSECONDS);
        }

        /** True when this reader was too slow: what it has not read yet is the last it gets. */
        public boolean isLost() {
            return lost && queue.isEmpty();
        }

        /** True when the log was closed and everything is read. */
        public boolean isEnded() {
            return ended && queue.isEmpty();
        }

        @Override
        public void close() {
            synchronized (EventLog.this) {
                subscriptions.remove(this);
            }
        }
    }

    private void writeUntilClosed() {
        boolean reported = false;
        while (true) {
            @Nullable Event event = nextUnwritten();
            if (event == null) {
                return;
            }
            try {
                append(event);
                reported = false;
            } catch (IOException e) {
                if (!reported) {
                    LOG.warn("events are not written: {}", e.toString());
                }
                reported = true;
            }
        }
    }

    /** Null when the log is closed and nothing is left. */
    private @Nullable Event nextUnwritten() {
        while (!closing) {
            try {
                return unwritten.take();
            } catch (InterruptedException e) {
                // Only close() interrupts; what is left is polled below.
                LOG.debug("event log closing");
            }
        }
        return unwritten.poll();
    }

    private void append(Event event) throws IOException {
        if (Files.exists(file) && Files.size(file) >= rotateBytes) {
            Files.move(file, fileBefore, StandardCopyOption.REPLACE_EXISTING);
        }
        // Opened for each event: they are rare, and whoever moves or removes the file does no harm.
        try (OutputStream out = Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
            out.write((Json.write(event) + "\n").getBytes(UTF_8));
        }
    }
}
