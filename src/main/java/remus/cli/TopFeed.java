package remus.cli;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import remus.api.Event;
import remus.api.HostStatus;

/**
 * Keeps what is known of a host up to date: asks for its status again and again, and follows its events. A host that does
 * not answer is asked on, and what it said last stays.
 *
 * <p>Both questions have a thread of their own, for an answer may be long in coming while a person presses keys;
 * {@link #state} may be asked on any. Limits: {@link #EVENTS} are kept, an answer is waited for {@link #ANSWER_TIMEOUT}.
 */
final class TopFeed implements AutoCloseable {
    /** More than a screen has rows. */
    static final int EVENTS = 200;

    /** A host that lives answers for its VMs within a part of a second. */
    static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(5);

    /** Before a stream of events that has ended is asked for again. */
    private static final Duration EVENTS_RETRY = Duration.ofSeconds(1);

    private final ApiClient client;
    private final Duration interval;
    private final AtomicReference<TopState> state;
    private final List<Thread> threads;
    private volatile boolean closed;

    TopFeed(ApiClient client, String address, Duration interval) {
        this.client = client;
        this.interval = interval;
        state = new AtomicReference<>(TopState.unknown(address));
        threads = List.of(
                Thread.ofVirtual().name("top-status").start(this::poll),
                Thread.ofVirtual().name("top-events").start(this::follow));
    }

    TopState state() {
        return state.get();
    }

    /** Asks once, and once more after {@code interval}, for there are no rates before that. */
    static TopState once(ApiClient client, String address, Duration interval) throws CommandException {
        List<Event> events = new ArrayList<>();
        TopState first = TopState.unknown(address).answered(ask(client));
        sleep(interval);
        client.events(false, events::add);
        return first.answered(ask(client)).with(events);
    }

    private static TopState.Poll ask(ApiClient client) throws CommandException {
        long asked = System.nanoTime();
        HostStatus status = client.get("/api/v1/status", HostStatus.class);
        // The host looked at its VMs somewhere between: in the middle, as far as anyone can tell.
        return new TopState.Poll(status, asked + (System.nanoTime() - asked) / 2, Instant.now());
    }

    private static boolean sleep(Duration time) {
        try {
            Thread.sleep(time);
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private void poll() {
        do {
            try {
                TopState.Poll next = ask(client);
                state.updateAndGet(known -> known.answered(next));
            } catch (CommandException e) {
                state.updateAndGet(known -> known.unanswered(String.valueOf(e.getMessage())));
            }
        } while (!closed && sleep(interval));
    }

    private void follow() {
        do {
            Deque<Event> newest = new ArrayDeque<>();
            try {
                client.events(true, event -> {
                    if (newest.size() == EVENTS) {
                        newest.removeFirst();
                    }
                    newest.addLast(event);
                    List<Event> shown = List.copyOf(newest);
                    state.updateAndGet(known -> known.with(shown));
                    return !closed;
                });
            } catch (CommandException e) {
                // The status is asked for all the time, too, and its answer tells of the same trouble.
            }
        } while (!closed && sleep(EVENTS_RETRY));
    }

    /** Ends both threads; what they wait for is given up. */
    @Override
    public void close() {
        closed = true;
        threads.forEach(Thread::interrupt);
    }
}
