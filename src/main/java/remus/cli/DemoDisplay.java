package remus.cli;

import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import remus.api.Percentiles;

/**
 * What a person sees of a demo while it runs: the steps of its set-up, a line that lives, a row for each kill, and the
 * verdict. On a terminal the living line is written over and colours tell good from bad; elsewhere there are plain
 * lines only, and the living line is left out. Confined to one thread.
 */
final class DemoDisplay {
    /** Answers that the living line draws. */
    static final int DRAWN_ANSWERS = 30;

    private static final int LINE_COLUMNS = 79;
    private static final String ERASE_LINE = "\r\u001b[2K";
    private static final String ROW = "%5s %-7s %9s %10s %12s %8s %9s %4s %6s";

    private enum Colour {
        GREEN("32"),
        RED("31;1"),
        YELLOW("33"),
        FAINT("2"),
        BOLD("1");

        private final String code;

        Colour(String code) {
            this.code = code;
        }
    }

    private final PrintWriter out;
    private final String writes;
    private final boolean terminal;
    private final boolean unicode;
    private @Nullable String step;
    private long stepBegan;
    private boolean headed;
    private boolean lineIsOpen;

    /**
     * @param writes what the client's writes are called
     * @param terminal whether a person's terminal shows it
     */
    DemoDisplay(PrintWriter out, String writes, boolean terminal) {
        this(out, writes, terminal, isUtf8(System.getenv()));
    }

    DemoDisplay(PrintWriter out, String writes, boolean terminal, boolean unicode) {
        this.out = out;
        this.writes = writes;
        this.terminal = terminal;
        this.unicode = unicode;
    }

    private static boolean isUtf8(Map<String, String> environment) {
        String locale = environment.getOrDefault(
                "LC_ALL", environment.getOrDefault("LC_CTYPE", environment.getOrDefault("LANG", "")));
        return locale.toUpperCase(Locale.ROOT).replace("-", "").endsWith("UTF8");
    }

    /** The first lines: what is about to happen. */
    void title(String title, String explanation) {
        line(coloured(Colour.BOLD, title));
        line(coloured(Colour.FAINT, explanation));
        line("");
    }

    /** A step of the set-up begins. */
    void begin(String name) {
        step = name;
        stepBegan = System.nanoTime();
        live("%s %-12s".formatted(unicode ? "…" : ".", name));
    }

    /** How far the step is. */
    void doing(String what) {
        live("%s %-12s %s".formatted(unicode ? "…" : ".", step == null ? "" : step, what));
    }

    /** The step is done. */
    void done(String result) {
        String name = step == null ? "" : step;
        double seconds = (System.nanoTime() - stepBegan) / 1e9;
        String tick = coloured(Colour.GREEN, unicode ? "✔" : "+");
        line(tick + String.format(Locale.ROOT, " %-12s %-54s %5.1f s", name, result, seconds));
        step = null;
    }

    /** What goes on in a round, for the living line. */
    void round(int number, int rounds, String phase, ClientLoad load) {
        if (!terminal) {
            return;
        }
        String picture = sparkline(load.answers().recentMicros(DRAWN_ANSWERS));
        Optional<Moment> last = load.answers().last();
        long agoMillis = last.isEmpty() ? 0 : (System.nanoTime() - last.get().nanos()) / 1_000_000;
        live("%d/%d  %-24s %,7d acknowledged  %4d ms %s"
                .formatted(number, rounds, phase, load.figures().acknowledged(), agoMillis, picture));
    }

    /** The same with many clients, for all of them together. */
    void round(int number, int rounds, String phase, List<? extends ClientLoad> loads) {
        long acknowledged = 0;
        long silentMillis = 0;
        for (ClientLoad load : loads) {
            acknowledged += load.figures().acknowledged();
            silentMillis = Math.max(
                    silentMillis,
                    load.answers()
                            .last()
                            .map(last -> (System.nanoTime() - last.nanos()) / 1_000_000)
                            .orElse(0L));
        }
        live("%d/%d  %-28s %,7d acknowledged  longest wait %5d ms"
                .formatted(number, rounds, phase, acknowledged, silentMillis));
    }

    /** What the columns of the rows that follow are. */
    void columns(String names) {
        line("");
        line(coloured(Colour.FAINT, names));
    }

    /** A row of a table with columns of its own. */
    void row(String text, boolean good) {
        line(good ? text : coloured(Colour.RED, text));
    }

    /** A row of the table of kills; {@code writes} are those acknowledged up to now. */
    void row(DemoRound round, ClientLoad.Figures client) {
        if (!headed) {
            headed = true;
            line("");
            line(coloured(
                    Colour.FAINT,
                    ROW.formatted(
                            "round",
                            "kill",
                            "detection",
                            "activation",
                            "first answer",
                            "= stall",
                            writes,
                            "lost",
                            "resets")));
        }
        boolean good = round.activated() && client.lost() == 0 && client.resets() == 0;
        String row = ROW.formatted(
                round.number(),
                round.kill(),
                millis(round, round.detectionMillis()),
                millis(round, round.activationMillis()),
                millis(round, round.firstAnswerMillis()),
                millis(round, round.stallMillis()),
                "%,d".formatted(client.acknowledged()),
                client.lost(),
                client.resets());
        line(good ? row : coloured(Colour.RED, row));
    }

    private static String millis(DemoRound round, long millis) {
        return round.activated() ? millis + " ms" : "-";
    }

    /** Something that a person should know, between the rows. */
    void note(String text) {
        line(coloured(Colour.YELLOW, text));
    }

    /** What the next lines are about. */
    void heading(String text) {
        line(coloured(Colour.BOLD, text));
    }

    /** What a host has said, so long after the heading; {@code host} is empty where it is the demo itself. */
    void told(long millis, String host, String text) {
        line(String.format(Locale.ROOT, "%9.2f s  %-7s %s", millis / 1e3, host, text));
    }

    /** What came of it. */
    void outcome(String text, boolean good) {
        line(coloured(good ? Colour.GREEN : Colour.RED, (unicode ? "             → " : "             > ") + text));
    }

    /** The last lines. */
    void verdict(PartitionReport report) {
        line("");
        long good = report.cuts().stream()
                .filter(PartitionReport.Round::hadOneOwner)
                .count();
        String figures = "%d of %d partitions with one owner; one TCP connection, %,d acknowledged %s, %s"
                .formatted(
                        good,
                        report.rounds(),
                        report.acknowledged(),
                        writes,
                        report.lost() == 0 ? "none lost." : report.lost() + " lost.");
        line(
                report.passed()
                        ? coloured(Colour.GREEN, figures)
                        : coloured(
                                Colour.RED,
                                "FAILED: " + figures + (report.problem() == null ? "" : " " + report.problem())));
    }

    /** The last lines. */
    void verdict(ScenarioReport report) {
        line("");
        String figures = "%d of %d failovers: %,d acknowledged %s, %s lost, %s, %s."
                .formatted(
                        report.activations(),
                        report.kills(),
                        report.acknowledged(),
                        writes,
                        orNo("none", report.lost()),
                        orNo("no", report.resets()) + " reset",
                        orNo("no", report.leaks().size()) + " leak");
        String problem = report.problem();
        line(
                report.passed()
                        ? coloured(Colour.GREEN, figures)
                        : coloured(Colour.RED, "FAILED: " + figures + (problem == null ? "" : " " + problem)));
        report.leaks().forEach(leak -> line(coloured(Colour.RED, "leaked: " + leak)));
        line("");
        fact("client stall", stall(report.stallMillis(), report.stallMillisP90()));
        fact("  detection", millis(report.detectionMillis()));
        fact("  activation", millis(report.activationMillis()));
        fact("checkpoints", "%,d".formatted(report.checkpoints()));
        pause(report.pauseMicros());
        fact("  dirty pages", figures(report.dirtyPages(), ""));
        report.census().forEach(this::census);
    }

    private static String orNo(String no, long count) {
        return count == 0 ? no : Long.toString(count);
    }

    /** What each client came to; after the verdict. */
    void clients(ScenarioReport report) {
        fact("each client", "stall: p50/p90/max");
        for (ScenarioReport.Vm vm : report.vms()) {
            fact(
                    vm.vm(),
                    "%d of %d failovers, %,d %s, %d lost, %d reset, stall %d/%d/%d ms"
                            .formatted(
                                    vm.activations(),
                                    vm.kills(),
                                    vm.acknowledged(),
                                    writes,
                                    vm.lost(),
                                    vm.resets(),
                                    vm.stallMillis().p50(),
                                    vm.stallMillisP90(),
                                    vm.stallMillis().max()));
        }
    }

    private static String stall(Percentiles millis, long p90) {
        return "p50 %d ms   p90 %d ms   max %d ms".formatted(millis.p50(), p90, millis.max());
    }

    private void census(Census census) {
        fact(
                census.state(),
                "%d QEMUs, %d TAPs, %d files on tmpfs, %d fds, %d MiB off heap"
                        .formatted(
                                census.sum(HostCount::qemus),
                                census.sum(HostCount::taps),
                                census.sum(HostCount::tmpfsFiles),
                                census.sum(HostCount::descriptors),
                                census.sum(HostCount::offHeapBytes) >> 20));
    }

    private void pause(Percentiles micros) {
        fact(
                "  pause",
                "p50 %s ms   p99 %s ms   max %s ms"
                        .formatted(
                                StatusText.millis(micros.p50()),
                                StatusText.millis(micros.p99()),
                                StatusText.millis(micros.max())));
    }

    /** The last lines. */
    void verdict(DemoReport report, @Nullable String problem) {
        line("");
        if (report.passed()) {
            line(coloured(
                    Colour.GREEN,
                    "%d of %d kills survived: one TCP connection, %,d acknowledged %s, none lost."
                            .formatted(report.activations(), report.rounds(), report.acknowledged(), writes)));
        } else {
            line(coloured(
                    Colour.RED,
                    "FAILED: %d of %d kills survived, %,d acknowledged %s, %d lost, %d connections reset%s"
                            .formatted(
                                    report.activations(),
                                    report.rounds(),
                                    report.acknowledged(),
                                    writes,
                                    report.lost(),
                                    report.resets(),
                                    problem == null ? "" : ": " + problem)));
        }
        line("");
        fact("client stall", millis(report.stallMillis()));
        fact("  detection", millis(report.detectionMillis()));
        fact("  activation", millis(report.activationMillis()));
        fact("checkpoints", "%,d".formatted(report.checkpoints()));
        pause(report.pauseMicros());
        fact("  dirty pages", figures(report.dirtyPages(), ""));
    }

    private static String millis(Percentiles percentiles) {
        return figures(percentiles, " ms");
    }

    private static String figures(Percentiles percentiles, String unit) {
        return "p50 %d%s   p99 %d%s   max %d%s"
                .formatted(percentiles.p50(), unit, percentiles.p99(), unit, percentiles.max(), unit);
    }

    private void fact(String name, String value) {
        line("  %-14s %s".formatted(name, value));
    }

    /** How long each answer took, as a picture: from a few milliseconds to a quarter of a second. */
    String sparkline(long[] micros) {
        String levels = unicode ? "▁▂▃▄▅▆▇█" : ".:-=+*#@";
        StringBuilder picture = new StringBuilder();
        for (long value : micros) {
            // Each level is twice as long as the one before; the first one ends at 2 ms.
            int level = 64 - Long.numberOfLeadingZeros(Math.max(0, value) / 2_000);
            picture.append(levels.charAt(Math.min(level, levels.length() - 1)));
        }
        return picture.toString();
    }

    private void live(String text) {
        if (terminal) {
            out.print(ERASE_LINE + (text.length() <= LINE_COLUMNS ? text : text.substring(0, LINE_COLUMNS)));
            out.flush();
            lineIsOpen = true;
        }
    }

    private void line(String text) {
        if (lineIsOpen) {
            out.print(ERASE_LINE);
            lineIsOpen = false;
        }
        out.println(text);
        out.flush();
    }

    private String coloured(Colour colour, String text) {
        return terminal && !text.isEmpty() ? "\u001b[" + colour.code + "m" + text + "\u001b[0m" : text;
    }
}
