package remus.cli;

import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jline.utils.AttributedString;
import org.jline.utils.AttributedStringBuilder;
import org.jline.utils.AttributedStyle;
import org.jspecify.annotations.Nullable;
import remus.api.ArbiterView;
import remus.api.Event;
import remus.api.HostMemory;
import remus.api.HostStatus;
import remus.api.VmStatus;

/**
 * What {@code remus top} shows, as a pure function of what is known, the size and the mode: the host, its VMs, the last
 * events, the keys. On a small screen the lines below the VMs' rows go first, then events, then VMs, and it says so.
 * No line is wider than the screen, and there are no more lines than rows.
 */
final class TopView {
    /** Ends what was cut off. */
    static final String CUT = "~";

    /** Columns and rows of a terminal. */
    record Size(int columns, int rows) {}

    /** What the screen shows: the live view, the same standing still since a moment, or the help. */
    sealed interface Mode {
        record Live() implements Mode {}

        record Paused(Instant since) implements Mode {}

        /** @param behind what comes back after it */
        record Help(Mode behind) implements Mode {}

        /** Whether nothing new is to be shown. */
        default boolean isStill() {
            return switch (this) {
                case Live() -> false;
                case Paused _ -> true;
                case Help(Mode behind) -> behind.isStill();
            };
        }
    }

    /** Events that keep their place as long as each VM has its row. */
    private static final int MIN_EVENTS = 4;

    /** Events of a plain view, which has no end of rows. */
    private static final int PLAIN_EVENTS = 10;

    private static final int PLAIN_ROWS = Integer.MAX_VALUE;
    private static final int EVENT_NAME_COLUMNS = 12;
    private static final String INDENT = "  ";
    private static final AttributedStyle ALARM = AttributedStyle.BOLD.foreground(AttributedStyle.RED);
    private static final AttributedStyle FAINT = AttributedStyle.DEFAULT.faint();
    private static final List<String> HELP = List.of(
            "q, Ctrl-C  quit     p  stand still, and go on     ?  this help",
            "",
            "TERM      generation of ownership; grows with each change of it",
            "EP/S      epochs per second, between the last two looks",
            "PAUSE     how long the guest stands still for a checkpoint: p50/p99",
            "DIRTY     memory pages of 4 KiB in a checkpoint, p50",
            "COMMIT    ms until the backup has acknowledged a checkpoint, p50",
            "HELD      output that waits for its epoch's commit",
            "DISK      writes on their way to the backup's images, or % copied yet",
            "CLOCK     how far its pauses have put the guest's clock behind",
            "PEER      the other host's replication address",
            "",
            "remus status VM shows one VM in detail, remus events all events.");

    private final Size size;
    private final DateTimeFormatter time;
    private final String interval;

    /** @param interval how often it is asked, as people read it */
    TopView(Size size, ZoneId zone, String interval) {
        this.size = size;
        time = DateTimeFormatter.ofPattern("HH:mm:ss", Locale.ROOT).withZone(zone);
        this.interval = interval;
    }

    /** Everything there is to be shown, without keys, for whatever is no terminal. */
    static List<AttributedString> plain(TopState state, int columns, ZoneId zone, String interval) {
        TopView view = new TopView(new Size(columns, PLAIN_ROWS), zone, interval);
        List<AttributedString> lines = new ArrayList<>(view.host(state));
        TopState.Poll last = state.last();
        if (last != null) {
            lines.addAll(view.vms(state, last, PLAIN_ROWS));
        }
        lines.addAll(view.events(state, PLAIN_EVENTS + 2));
        return lines.stream().map(view::fit).toList();
    }

    /** The lines of a screen, from its top on. */
    List<AttributedString> lines(TopState state, Mode mode) {
        List<AttributedString> lines = new ArrayList<>(host(state));
        int rows = Math.max(0, size.rows() - 1);
        if (mode instanceof Mode.Help) {
            lines.add(AttributedString.EMPTY);
            HELP.forEach(line -> lines.add(new AttributedString(line)));
        } else {
            int free = rows - lines.size();
            TopState.Poll last = state.last();
            if (last != null && free > 0) {
                int forEvents = free < 3 * MIN_EVENTS
                        ? 0
                        : Math.min(MIN_EVENTS, state.events().size()) + 2;
                lines.addAll(vms(state, last, free - forEvents));
            }
            lines.addAll(events(state, rows - lines.size()));
        }
        while (lines.size() < rows) {
            lines.add(AttributedString.EMPTY);
        }
        List<AttributedString> shown = new ArrayList<>(lines.subList(0, Math.min(rows, lines.size())));
        if (size.rows() > 0) {
            shown.add(keys(state, mode));
        }
        return shown.stream().map(this::fit).toList();
    }

    private AttributedString fit(AttributedString line) {
        if (line.columnLength() <= size.columns()) {
            return line;
        }
        AttributedStringBuilder cut = new AttributedStringBuilder();
        cut.append(line.columnSubSequence(0, Math.max(0, size.columns() - 1)));
        return size.columns() > 0 ? cut.append(CUT).toAttributedString() : AttributedString.EMPTY;
    }

    // ---- the host

    private List<AttributedString> host(TopState state) {
        List<AttributedString> lines = new ArrayList<>();
        TopState.Poll last = state.last();
        AttributedStringBuilder line = new AttributedStringBuilder();
        if (last == null) {
            line.append("Host at ").append(state.address(), AttributedStyle.BOLD);
        } else {
            describe(line, last.status());
        }
        lines.add(line.toAttributedString());
        String trouble = state.trouble();
        if (trouble != null) {
            wrapped(Printable.line(trouble), "").forEach(text -> lines.add(new AttributedString(text, ALARM)));
            lines.add(new AttributedString(
                    last == null
                            ? "asking again every " + interval
                            : "asking again every %s; below is what it said at %s"
                                    .formatted(interval, time.format(last.time())),
                    ALARM));
        } else if (last == null) {
            lines.add(new AttributedString("asking it ..."));
        }
        lines.add(AttributedString.EMPTY);
        return lines;
    }

    private static void describe(AttributedStringBuilder line, HostStatus host) {
        int vms = host.vms().size();
        line.append("Host ").append(Printable.line(host.host()), AttributedStyle.BOLD);
        line.append(vms == 1 ? "   1 VM" : "   " + vms + " VMs");
        if (host.draining() != null) {
            line.append("   DRAINING", ALARM);
        }
        HostMemory memory = host.memory();
        if (memory != null) {
            line.append("   memory %s free of %s, guests %s"
                    .formatted(
                            TopNumbers.bytes(memory.availableBytes()),
                            TopNumbers.bytes(memory.totalBytes()),
                            TopNumbers.bytes(memory.guestBytes())));
        }
        ArbiterView arbiter = host.arbiter();
        line.append("   arbiter ");
        if (!arbiter.reachable()) {
            line.append("CAN'T BE ASKED ", ALARM);
        }
        line.append(Printable.line(arbiter.name()));
    }

    private List<String> wrapped(String text, String indent) {
        List<String> lines = new ArrayList<>();
        StringBuilder line = new StringBuilder(indent);
        for (String word : text.split(" ", -1)) {
            if (line.length() > indent.length() && line.length() + 1 + word.length() > size.columns()) {
                lines.add(line.toString());
                line.setLength(indent.length());
            }
            line.append(line.length() == indent.length() ? "" : " ").append(word);
        }
        lines.add(line.toString());
        return lines;
    }

    // ---- its VMs

    /** How much is said of each VM. */
    private enum Detail {
        ALL,
        REASONS,
        ROWS
    }

    private List<AttributedString> vms(TopState state, TopState.Poll last, int rows) {
        List<VmStatus> vms = last.status().vms();
        if (vms.isEmpty()) {
            return List.of(new AttributedString("no VMs here; boot one with 'remus start VM.yaml'"));
        }
        TopTable table = new TopTable(last, state.before(), size.columns());
        List<AttributedString> lines = List.of();
        for (Detail detail : Detail.values()) {
            lines = new ArrayList<>(List.of(table.head()));
            for (VmStatus vm : vms) {
                lines.addAll(block(table, vm, detail));
            }
            if (lines.size() <= rows) {
                return lines;
            }
        }
        int shown = Math.max(0, rows - 2);
        List<AttributedString> cut = new ArrayList<>(lines.subList(0, shown + 1));
        cut.add(new AttributedString("and %d more: they need a taller window".formatted(vms.size() - shown), ALARM));
        return cut;
    }

    private List<AttributedString> block(TopTable table, VmStatus vm, Detail detail) {
        List<AttributedString> lines = new ArrayList<>();
        lines.add(table.row(vm));
        String besides = table.besides(vm);
        if (detail == Detail.ALL && !besides.isEmpty()) {
            lines.add(new AttributedString(INDENT + besides));
        }
        String reason = TopTable.reason(vm);
        if (detail != Detail.ROWS && !reason.isEmpty()) {
            List<String> text = detail == Detail.ALL ? wrapped(reason, INDENT) : List.of(INDENT + reason);
            text.forEach(line -> lines.add(new AttributedString(line, TopTable.style(vm.state()))));
        }
        return lines;
    }

    // ---- what happened, and what can be done

    /** A heading and the newest events, the last one at the bottom; nothing where not even one has room. */
    private List<AttributedString> events(TopState state, int rows) {
        List<Event> events = state.events();
        if (rows < 3 || events.isEmpty()) {
            return List.of();
        }
        List<AttributedString> lines = new ArrayList<>();
        lines.add(AttributedString.EMPTY);
        lines.add(new AttributedString("LAST EVENTS", AttributedStyle.BOLD));
        events.subList(Math.max(0, events.size() - (rows - 2)), events.size())
                .forEach(event -> lines.add(new AttributedString(line(event))));
        return lines;
    }

    private String line(Event event) {
        String name = Printable.line(event.vm());
        String shown = name.length() <= EVENT_NAME_COLUMNS ? name : name.substring(0, EVENT_NAME_COLUMNS - 1) + CUT;
        return "%s %-12s %-14s %s"
                .formatted(time.format(event.time()), shown, event.event(), reason(event.reason()))
                .stripTrailing();
    }

    private static String reason(@Nullable String reason) {
        return reason == null ? "" : Printable.line(reason);
    }

    private AttributedString keys(TopState state, Mode mode) {
        TopState.Poll last = state.last();
        return switch (mode) {
            case Mode.Help _ -> new AttributedString("any key: back", FAINT);
            case Mode.Paused(Instant since) ->
                new AttributedString(
                        "stands still since %s; p goes on, q quits".formatted(time.format(since)),
                        AttributedStyle.BOLD);
            case Mode.Live() ->
                new AttributedString(
                        "q quit   p stand still   ? help   every %s%s"
                                .formatted(interval, last == null ? "" : "   " + time.format(last.time())),
                        FAINT);
        };
    }
}
