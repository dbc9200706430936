package remus.cli;

import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import remus.api.Event;

/** An event as people read it. */
final class EventText {
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss.SSS", Locale.ROOT).withZone(ZoneId.systemDefault());

    private EventText() {}

    static String line(Event event) {
        String why = event.reason();
        String reason = why == null ? "" : Printable.line(why) + " ";
        return "%s  %-12s %-14s %s(term %d, epoch %d)"
                .formatted(TIME.format(event.time()), event.vm(), event.event(), reason, event.term(), event.epoch());
    }
}
