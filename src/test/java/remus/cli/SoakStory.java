package remus.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import remus.api.Event;
import remus.api.EventType;
import remus.api.Json;

/**
 * What the hosts of a soak have told, read from the files of their events, which outlive the daemons: counted, judged, and
 * written down for whoever has to find out. It must be read at least once while a host writes 8 MiB of events, for older ones
 * are gone then. Used by one thread.
 */
final class SoakStory {
    /** Lines of what was told last, when something went wrong. */
    private static final int LAST_LINES = 200;

    /** Of each VM; a disk's redo log is none of them. */
    private static final Set<String> QEMU_LOGS = Set.of("qemu.log", "console.log");

    private final Map<String, Set<Event>> known = new HashMap<>();
    private final Map<EventType, Long> counts = new EnumMap<>(EventType.class);
    private final List<Line> lines = new ArrayList<>();
    private final List<SoakReport.FalseTakeOver> falseTakeOvers = new ArrayList<>();

    private record Line(Instant time, String text) {}

    private record Told(String host, Event event) {}

    /** Something that was done to the hosts, for the story alone. */
    void add(String done) {
        lines.add(new Line(Instant.now(), "==== " + done));
    }

    /**
     * Reads what was told since the last time.
     *
     * @param done what was done to the hosts in that time
     * @param mayMove VMs that it may have moved to another host, once each; all else is a false alarm
     */
    void read(List<DemoHost> hosts, String done, Set<String> mayMove) throws IOException {
        Map<String, List<Event>> told = new LinkedHashMap<>();
        for (DemoHost host : hosts) {
            told.put(host.name(), events(host));
        }
        take(told, done, mayMove);
    }

    /** @param all of each host what it has told until now, which may lack what was taken before */
    void take(Map<String, List<Event>> all, String done, Set<String> mayMove) {
        List<Told> news = new ArrayList<>();
        all.forEach((host, events) -> {
            Set<Event> before = known.getOrDefault(host, Set.of());
            events.stream().filter(event -> !before.contains(event)).forEach(event -> news.add(new Told(host, event)));
            known.put(host, new HashSet<>(events));
        });
        news.sort(Comparator.comparing(told -> told.event().time()));
        Set<String> notYetMoved = new HashSet<>(mayMove);
        for (Told told : news) {
            Event event = told.event();
            counts.merge(event.event(), 1L, Long::sum);
            lines.add(new Line(event.time(), "%-5s %s".formatted(told.host(), EventText.line(event))));
            if (event.event() == EventType.ACTIVATED && !notYetMoved.remove(event.vm())) {
                falseTakeOvers.add(new SoakReport.FalseTakeOver(event.time(), event.vm(), told.host(), done));
            }
        }
    }

    private static List<Event> events(DemoHost host) throws IOException {
        List<Event> events = new ArrayList<>();
        try (Stream<Path> files = Files.list(host.state())) {
            for (Path file :
                    files.filter(path -> path.toString().endsWith(".jsonl")).toList()) {
                for (String line : Files.readAllLines(file)) {
                    events.add(Json.read(line, Event.class));
                }
            }
        }
        return events;
    }

    /** How often all hosts have told this. */
    long count(EventType type) {
        return counts.getOrDefault(type, 0L);
    }

    List<SoakReport.FalseTakeOver> falseTakeOvers() {
        return List.copyOf(falseTakeOvers);
    }

    /** The end of the story, a line for each event. */
    String last() {
        List<String> all = inOrder();
        return String.join("\n", all.subList(Math.max(0, all.size() - LAST_LINES), all.size()));
    }

    /** Keeps all of it, and what daemons and QEMUs wrote, in a directory that is made. */
    void keep(Path directory, List<DemoHost> hosts) throws IOException {
        Files.createDirectories(directory);
        Files.write(directory.resolve("story.txt"), inOrder());
        for (DemoHost host : hosts) {
            keep(host.log(), directory.resolve(host.name() + ".log"));
            Path vms = host.state().resolve("vms");
            try (Stream<Path> files = Files.walk(vms)) {
                for (Path log : files.filter(file -> QEMU_LOGS.contains(String.valueOf(file.getFileName())))
                        .toList()) {
                    String name = vms.relativize(log).toString().replace('/', '-');
                    keep(log, directory.resolve(host.name() + "-" + name));
                }
            }
        }
    }

    private static void keep(Path file, Path to) throws IOException {
        Files.copy(file, to, StandardCopyOption.REPLACE_EXISTING);
    }

    private List<String> inOrder() {
        return lines.stream()
                .sorted(Comparator.comparing(Line::time))
                .map(Line::text)
                .toList();
    }
}
