package remus.cli;

import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What came of a soak: a document for programs, and a text for people.
 *
 * @param minutes how long it was to last
 * @param seed what happened, and how long each took, was drawn from it; not when
 * @param vms their number
 * @param events what happened, in the order of {@link SoakEvent}; not what never did
 * @param failovers take-overs but for those by command
 * @param falseTakeOvers of these, those that nothing called for: on a busy machine a host can be silent for as long as a dead one
 * @param switchovers take-overs by command
 * @param reprotections how often a VM was protected after the first time
 * @param acknowledged writes that the clients were told are done
 * @param lost of them, those that the servers did not know any more
 * @param resets clients whose connection broke
 * @param leaks what hosts without VMs had at the end and not at the beginning, a line each
 * @param daemons of each host the daemon that lived longest
 * @param problems what was wrong besides; empty when all is well
 */
record SoakReport(
        long minutes,
        long seed,
        int vms,
        List<Kind> events,
        long failovers,
        List<FalseTakeOver> falseTakeOvers,
        long switchovers,
        long reprotections,
        long acknowledged,
        long lost,
        long resets,
        List<String> leaks,
        List<DaemonLife> daemons,
        List<String> problems) {

    SoakReport {
        events = List.copyOf(events);
        falseTakeOvers = List.copyOf(falseTakeOvers);
        leaks = List.copyOf(leaks);
        daemons = List.copyOf(daemons);
        problems = List.copyOf(problems);
    }

    /** One event. */
    record Happened(SoakEvent event, double stallMillis, double protectedMillis) {}

    /**
     * All events of one kind.
     *
     * @param stallMillis the longest time without an answer for any client
     * @param protectedMillis until all VMs were protected again and all clients answered
     */
    record Kind(String event, int count, Times stallMillis, Times protectedMillis) {}

    /**
     * A VM was taken over by a host although nothing was done to the one that it ran on, or once more than that calls for.
     *
     * @param after what had been done last
     */
    record FalseTakeOver(Instant time, String vm, String host, String after) {}

    record Times(long p50, long p90, long max) {
        static Times of(double[] millis) {
            double[] sorted = millis.clone();
            Arrays.sort(sorted);
            return new Times(at(sorted, 50), at(sorted, 90), at(sorted, 100));
        }

        private static long at(double[] sorted, int percent) {
            return Math.round(sorted[(int) Math.ceil(sorted.length * percent / 100.0) - 1]);
        }
    }

    /** What a daemon had with all VMs protected, after its first and its last event. */
    record DaemonLife(String host, long pid, long lifeSeconds, int looks, Look first, Look last) {}

    /**
     * A daemon at one moment.
     *
     * @param ownBytes resident memory of its own: heap and off-heap, without guests' memory
     * @param descriptors open files
     */
    record Look(long ownBytes, long descriptors) {}

    /** All that is to be told of the events. */
    static List<Kind> kinds(List<Happened> all) {
        List<Kind> kinds = new ArrayList<>();
        for (SoakEvent event : SoakEvent.values()) {
            List<Happened> these =
                    all.stream().filter(one -> one.event() == event).toList();
            if (!these.isEmpty()) {
                kinds.add(new Kind(
                        event.toString(),
                        these.size(),
                        Times.of(these.stream()
                                .mapToDouble(Happened::stallMillis)
                                .toArray()),
                        Times.of(these.stream()
                                .mapToDouble(Happened::protectedMillis)
                                .toArray())));
            }
        }
        return kinds;
    }

    /** All that must not be, or null. */
    @Nullable
    String verdict() {
        List<String> wrong = new ArrayList<>();
        if (lost != 0 || resets != 0) {
            wrong.add("%d writes lost, %d connections reset".formatted(lost, resets));
        }
        wrong.addAll(leaks);
        wrong.addAll(problems);
        return wrong.isEmpty() ? null : "seed %d: %s".formatted(seed, String.join("; ", wrong));
    }

    String text() {
        List<String> lines = new ArrayList<>();
        lines.add("soak of %d minutes, seed %d, %d VMs on three hosts with an arbiter".formatted(minutes, seed, vms));
        lines.add("%-17s %5s  %-27s %s".formatted("event", "times", "stall p50/p90/max ms", "until all protected"));
        for (Kind kind : events) {
            lines.add("%-17s %5d  %-27s %s"
                    .formatted(
                            kind.event(),
                            kind.count(),
                            text(kind.stallMillis()),
                            text(kind.protectedMillis()) + " ms"));
        }
        lines.add("%d failovers, %d switchovers, protected again %d times"
                .formatted(failovers, switchovers, reprotections));
        lines.add("%d take-overs that nothing called for".formatted(falseTakeOvers.size()));
        falseTakeOvers.forEach(
                one -> lines.add("   %s %s by %s, after: %s".formatted(one.time(), one.vm(), one.host(), one.after())));
        lines.add("%d writes acknowledged, %d lost, %d connections reset".formatted(acknowledged, lost, resets));
        for (DaemonLife daemon : daemons) {
            lines.add("daemon of %-5s (%d s): %.1f to %.1f MiB of its own, %d to %d descriptors"
                    .formatted(
                            daemon.host(),
                            daemon.lifeSeconds(),
                            daemon.first().ownBytes() / 1048576.0,
                            daemon.last().ownBytes() / 1048576.0,
                            daemon.first().descriptors(),
                            daemon.last().descriptors()));
        }
        lines.add(leaks.isEmpty() ? "no leaks" : "leaks: " + String.join("; ", leaks));
        problems.forEach(problem -> lines.add("PROBLEM: " + problem));
        return String.join(System.lineSeparator(), lines);
    }

    private static String text(Times times) {
        return "%d/%d/%d".formatted(times.p50(), times.p90(), times.max());
    }
}
