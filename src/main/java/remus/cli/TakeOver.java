package remus.cli;

import java.time.Instant;
import java.util.List;
import java.util.Optional;
import remus.api.Event;
import remus.api.EventType;

/**
 * That a backup has taken a VM over, as its events tell it.
 *
 * @param activating when it began to
 * @param running when the VM ran there
 */
record TakeOver(Instant activating, Instant running) {
    /**
     * The first one since a moment of the wall clock that all of the demo shares, when the VM runs already.
     *
     * @param events of the backup, oldest first
     */
    static Optional<TakeOver> find(List<Event> events, String vm, Moment since) {
        Instant from = Instant.ofEpochMilli(since.wallMillis());
        List<Event> news = events.stream()
                .filter(event -> event.vm().equals(vm) && !event.time().isBefore(from))
                .toList();
        return first(news, EventType.ACTIVATED)
                .map(running -> new TakeOver(first(news, EventType.ACTIVATING).orElse(running), running));
    }

    private static Optional<Instant> first(List<Event> events, EventType type) {
        return events.stream()
                .filter(event -> event.event() == type)
                .map(Event::time)
                .findFirst();
    }
}
