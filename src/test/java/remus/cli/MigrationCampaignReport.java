package remus.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import remus.api.MigrationRound;

/**
 * What came of a migration campaign: a document for programs, and a text for people.
 *
 * @param rounds as asked
 * @param seed they were drawn from it
 * @param migrations VMs that run on another host since
 * @param aborted VMs that stayed where they were, as ordered
 * @param whileProtected rounds with a VM that had a backup, and has one again
 * @param memoriesEqual migrations whose memory was compared while the guest stood still, and equal on both hosts
 * @param acknowledged writes that the clients were told are done
 * @param lost of them, those that the guests did not know any more
 * @param resets connections that broke
 * @param workloads their figures, in the order of their names
 * @param problem what ended the campaign early; null: nothing
 * @param hops all of them in order
 */
record MigrationCampaignReport(
        int rounds,
        long seed,
        int migrations,
        int aborted,
        int whileProtected,
        int memoriesEqual,
        long acknowledged,
        long lost,
        long resets,
        List<Workload> workloads,
        @Nullable String problem,
        List<Hop> hops) {

    /**
     * One round.
     *
     * @param workload the guest, or {@code stop-the-world}: that has downtimes of its own
     * @param order guest and options
     * @param ending which condition ended the rounds
     * @param stopCondition the same in the report's words, with its numbers
     * @param downtimeMillis null: it stayed where it was
     * @param stallMillis the longest time for which one of the guest's two clients got no answer
     */
    record Hop(
            String workload,
            String order,
            boolean isProtected,
            String from,
            String to,
            boolean moved,
            String ending,
            String stopCondition,
            List<MigrationRound> rounds,
            double totalMillis,
            @Nullable Double downtimeMillis,
            double stallMillis,
            boolean memoryEqual,
            long acknowledged,
            long lost,
            long resets) {

        String text() {
            return "%s to %s: %s, %.0f ms, downtime %s ms, stall %.0f ms; %s"
                    .formatted(
                            from,
                            to,
                            moved ? "moved" : "stayed",
                            totalMillis,
                            downtimeMillis == null ? "0" : "%.1f".formatted(downtimeMillis),
                            stallMillis,
                            stopCondition);
        }
    }

    /**
     * All rounds of a kind.
     *
     * @param endings how many migrations, and attempts that were aborted, each condition has ended
     */
    record Workload(
            String workload,
            int migrations,
            int aborted,
            SortedMap<String, Integer> endings,
            @Nullable Spread totalMillis,
            @Nullable Spread downtimeMillis,
            @Nullable Spread stallMillis) {}

    /** Of a figure of all migrations of a guest. */
    record Spread(double p50, double max) {
        static @Nullable Spread of(List<Double> figures) {
            if (figures.isEmpty()) {
                return null;
            }
            double[] sorted =
                    figures.stream().mapToDouble(Double::doubleValue).sorted().toArray();
            return new Spread(sorted[(sorted.length - 1) / 2], sorted[sorted.length - 1]);
        }
    }

    MigrationCampaignReport {
        workloads = List.copyOf(workloads);
        hops = List.copyOf(hops);
    }

    static MigrationCampaignReport of(int rounds, long seed, List<Hop> hops, @Nullable String problem) {
        return new MigrationCampaignReport(
                rounds,
                seed,
                (int) hops.stream().filter(Hop::moved).count(),
                (int) hops.stream().filter(hop -> !hop.moved()).count(),
                (int) hops.stream().filter(Hop::isProtected).count(),
                (int) hops.stream().filter(Hop::memoryEqual).count(),
                hops.stream().mapToLong(Hop::acknowledged).sum(),
                hops.stream().mapToLong(Hop::lost).sum(),
                hops.stream().mapToLong(Hop::resets).sum(),
                workloads(hops),
                problem,
                hops);
    }

    private static List<Workload> workloads(List<Hop> hops) {
        SortedMap<String, List<Hop>> byName = new TreeMap<>();
        hops.forEach(hop -> byName.computeIfAbsent(hop.workload(), unseen -> new ArrayList<>())
                .add(hop));
        return byName.values().stream().map(MigrationCampaignReport::workload).toList();
    }

    private static Workload workload(List<Hop> all) {
        List<Hop> moved = all.stream().filter(Hop::moved).toList();
        SortedMap<String, Integer> endings = new TreeMap<>();
        all.forEach(hop -> endings.merge(hop.ending(), 1, Integer::sum));
        return new Workload(
                all.getFirst().workload(),
                moved.size(),
                all.size() - moved.size(),
                endings,
                spread(moved, Hop::totalMillis),
                spread(moved, Hop::downtimeMillis),
                spread(moved, Hop::stallMillis));
    }

    private static @Nullable Spread spread(List<Hop> hops, Function<Hop, @Nullable Double> figure) {
        List<Double> figures = new ArrayList<>();
        for (Hop hop : hops) {
            Double value = figure.apply(hop);
            if (value != null) {
                figures.add(value);
            }
        }
        return Spread.of(figures);
    }

    String text() {
        List<String> lines = new ArrayList<>();
        lines.add("%d of %d rounds, seed %d: %d migrations, %d aborted as ordered, %d while protected"
                .formatted(hops.size(), rounds, seed, migrations, aborted, whileProtected));
        lines.add("%d memories compared and equal; %,d writes acknowledged, %d lost, %d connections reset"
                .formatted(memoriesEqual, acknowledged, lost, resets));
        lines.add("p50/max in ms, memory compared in the downtime:");
        lines.add(row("guest", "moved", "aborted", "total", "downtime", "stall", "rounds ended by"));
        for (Workload one : workloads) {
            lines.add(row(
                    one.workload(),
                    one.migrations(),
                    one.aborted(),
                    text(one.totalMillis()),
                    text(one.downtimeMillis()),
                    text(one.stallMillis()),
                    one.endings()));
        }
        if (problem != null) {
            lines.add("PROBLEM: " + problem);
        }
        return String.join(System.lineSeparator(), lines);
    }

    private static String row(Object... cells) {
        return "%-16s %5s %7s %12s %12s %12s  %s".formatted(cells);
    }

    private static String text(@Nullable Spread spread) {
        return spread == null ? "-" : "%.0f/%.0f".formatted(spread.p50(), spread.max());
    }
}
