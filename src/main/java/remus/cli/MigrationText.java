package remus.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import remus.api.MigrationRound;
import remus.api.MigrationSettling;
import remus.api.MigrationStage;
import remus.api.MigrationStatus;
import remus.base.ByteSize;

/** A migration as people read it, within 80 columns. */
final class MigrationText {
    private static final int WIDTH = 80;

    /** What a terminal's line has left beside the bar. */
    private static final int PROGRESS_WIDTH = WIDTH - 24;

    private MigrationText() {}

    static boolean isEnd(MigrationStage stage) {
        return switch (stage) {
            case DONE, FAILED -> true;
            case CONNECTING, COPYING_DISKS, PUSHING, SETTLING, STOP_AND_COPY, HANDING_OVER -> false;
        };
    }

    static String reason(MigrationStatus status) {
        return Printable.line(Objects.requireNonNullElse(status.reason(), "see 'remus events'"));
    }

    /** What is going to happen. */
    static List<String> plan(MigrationStatus status) {
        List<String> lines = new ArrayList<>();
        lines.add(title(status));
        status.plan().forEach(sentence -> lines.addAll(wrapped(Printable.line(sentence), "  - ", "    ")));
        return lines;
    }

    static String title(MigrationStatus status) {
        return "Migration of VM %s from %s to %s, %s".formatted(status.vm(), status.from(), status.to(), status.mode());
    }

    /** How far it is, in one line. */
    static String progress(MigrationStatus status) {
        String text = switch (status.stage()) {
            case CONNECTING -> Objects.requireNonNullElse(status.reason(), "connecting to " + status.to());
            case COPYING_DISKS ->
                Objects.requireNonNullElse(
                        status.reason(), "copying disks: %s so far".formatted(new ByteSize(status.copiedDiskBytes())));
            case PUSHING ->
                status.rounds().isEmpty()
                        ? "copying memory"
                        : round(status.rounds().getLast());
            case SETTLING -> "the destination has all of it; a few checkpoints before the last one";
            case STOP_AND_COPY -> "the guest stands still, what is left is copied";
            case HANDING_OVER -> "the destination is to make it run";
            case DONE, FAILED -> status.stage().toString();
        };
        String line = Printable.line(text);
        return line.length() > PROGRESS_WIDTH ? line.substring(0, PROGRESS_WIDTH - 1) + "…" : line;
    }

    private static String round(MigrationRound round) {
        return "round %d: %d %% of %d pages%s%s"
                .formatted(
                        round.round(),
                        round.pages() == 0 ? 100 : Math.min(100, donePages(round) * 100 / round.pages()),
                        round.pages(),
                        round.bytes() == 0
                                ? ""
                                : ", %.0f MiB/s".formatted(mebibytesPerSecond(round.bytes(), round.micros())),
                        round.heldPercent() == 0 ? "" : ", held %d %%".formatted(round.heldPercent()));
    }

    /** Pages that a round need not look at any more. */
    static long donePages(MigrationRound round) {
        return round.pagesSent() + round.zeroPages() + round.skippedPages();
    }

    /** What it did: its rounds, and the figures below them. */
    static List<String> report(MigrationStatus status) {
        List<String> lines = new ArrayList<>();
        if (status.rounds().isEmpty() && !hasStopAndCopy(status)) {
            return lines;
        }
        lines.add("");
        lines.addAll(table(status));
        lines.add("");
        String ended = status.stopCondition();
        if (ended != null) {
            lines.addAll(figure("rounds ended", Printable.line(ended)));
        }
        MigrationSettling settling = status.settling();
        if (settling != null) {
            lines.addAll(figure("checkpoints", checkpoints(settling)));
        }
        lines.addAll(figure("downtime", downtime(status)));
        lines.addAll(figure(
                "total time",
                "%s, after %s of set-up".formatted(time(status.totalMicros()), time(status.setUpMicros()))));
        lines.addAll(figure("sent", sent(status)));
        if (status.copiedDiskBytes() > 0) {
            lines.addAll(figure("disks", new ByteSize(status.copiedDiskBytes()) + " copied"));
        }
        lines.addAll(figure("memory", compared(status)));
        if (status.stage() == MigrationStage.DONE) {
            lines.add("VM %s runs on %s".formatted(status.vm(), status.to()));
        }
        return lines;
    }

    private static String checkpoints(MigrationSettling settling) {
        return "%d before the last one, within %s; pauses of %s in all"
                .formatted(settling.checkpoints(), time(settling.micros()), time(settling.pauseMicros()));
    }

    private static String downtime(MigrationStatus status) {
        Long micros = status.downtimeMicros();
        Long output = status.outputMicros();
        if (micros != null) {
            return time(micros) + " (guest not running)"
                    + (output == null ? "" : "; %s until its output left there".formatted(time(output)));
        }
        return status.stopAndCopyPages() == 0 ? "none" : "not known: the destination did not say";
    }

    private static List<String> table(MigrationStatus status) {
        List<MigrationRound> rounds = status.rounds();
        boolean held = rounds.stream().anyMatch(round -> round.heldPercent() > 0);
        List<String> lines = new ArrayList<>();
        lines.add(row("", "pages", "zero", "", "", "time", "", "pages", held ? "held" : ""));
        lines.add(row("round", "sent", "pages", "skipped", "MiB", "ms", "MiB/s", "written", held ? "%" : ""));
        for (MigrationRound round : rounds) {
            lines.add(row(
                    round.round(),
                    round.pagesSent(),
                    round.zeroPages(),
                    round.skippedPages(),
                    mebibytes(round.bytes()),
                    StatusText.millis(round.micros()),
                    decimal(mebibytesPerSecond(round.bytes(), round.micros())),
                    round.dirtiedPages(),
                    held ? round.heldPercent() : ""));
        }
        MigrationSettling settling = status.settling();
        if (settling != null) {
            lines.add(row(
                    "check",
                    settling.pages(),
                    "-",
                    "-",
                    mebibytes(settling.bytes()),
                    StatusText.millis(settling.micros()),
                    decimal(mebibytesPerSecond(settling.bytes(), settling.micros())),
                    "-",
                    ""));
        }
        if (hasStopAndCopy(status)) {
            long bytes = stopAndCopyBytes(status);
            long micros = stopAndCopyMicros(status);
            lines.add(row(
                    "stop",
                    status.stopAndCopyPages(),
                    "-",
                    "-",
                    mebibytes(bytes),
                    StatusText.millis(micros),
                    decimal(mebibytesPerSecond(bytes, micros)),
                    "-",
                    held ? 100 : ""));
        }
        return lines;
    }

    private static String row(Object... cells) {
        return "%5s %9s %9s %8s %9s %9s %8s %10s%5s".formatted(cells).stripTrailing();
    }

    static boolean hasStopAndCopy(MigrationStatus status) {
        return status.downtimeMicros() != null || status.stopAndCopyPages() > 0;
    }

    /** Of the time in which the guest stood still, what came after the rounds: stop-the-world has one of those in it. */
    static long stopAndCopyMicros(MigrationStatus status) {
        long ofRounds =
                status.rounds().stream().mapToLong(MigrationRound::micros).sum();
        MigrationSettling settling = status.settling();
        long rest = Math.max(0, status.totalMicros() - ofRounds - (settling == null ? 0 : settling.micros()));
        Long downtime = status.downtimeMicros();
        return downtime == null ? rest : Math.min(downtime, rest);
    }

    /** Page data and device state sent after the rounds. */
    static long stopAndCopyBytes(MigrationStatus status) {
        long ofRounds =
                status.rounds().stream().mapToLong(MigrationRound::bytes).sum();
        MigrationSettling settling = status.settling();
        return Math.max(0, status.bytesSent() - ofRounds - (settling == null ? 0 : settling.bytes()));
    }

    private static String sent(MigrationStatus status) {
        String data = new ByteSize(status.bytesSent()).toString();
        return status.memoryBytes() == 0
                ? data
                : "%s, %.2f times the guest's memory (%s)"
                        .formatted(
                                data,
                                (double) status.bytesSent() / status.memoryBytes(),
                                new ByteSize(status.memoryBytes()));
    }

    private static String compared(MigrationStatus status) {
        Boolean equal = status.memoryEqual();
        if (equal == null) {
            return "not compared (--verify does that)";
        }
        return equal ? "compared: equal on both hosts" : "compared: NOT EQUAL on both hosts";
    }

    private static List<String> figure(String label, String value) {
        String indent = " ".repeat(14);
        return wrapped(value, "%-14s".formatted(label), indent);
    }

    /** Why the command fails; empty: it does not. Memory that differs is a failure whatever the stage says. */
    static List<String> problems(MigrationStatus status) {
        if (status.stage() == MigrationStage.FAILED) {
            return List.of("VM '%s' was not moved to %s: %s; see 'remus status %s' on %s, where it was"
                    .formatted(status.vm(), status.to(), reason(status), status.vm(), status.from()));
        }
        return Boolean.FALSE.equals(status.memoryEqual())
                ? List.of(
                        "VM '%s' runs on %s, but its memory differed from that on %s: do not trust it, and report this"
                                .formatted(status.vm(), status.to(), status.from()))
                : List.of();
    }

    /** {@code 0.25 ms}, {@code 21 ms}, {@code 1.23 s}. */
    static String time(long micros) {
        return micros < 1_000_000
                ? StatusText.millis(micros) + " ms"
                : String.format(Locale.ROOT, "%.2f s", micros / 1e6);
    }

    static double mebibytesPerSecond(long bytes, long micros) {
        return micros <= 0 ? 0 : bytes / (double) (1 << 20) / (micros / 1e6);
    }

    private static String mebibytes(long bytes) {
        return decimal(bytes / (double) (1 << 20));
    }

    private static String decimal(double value) {
        return String.format(Locale.ROOT, "%.1f", value);
    }

    private static List<String> wrapped(String text, String first, String indent) {
        List<String> lines = new ArrayList<>();
        StringBuilder line = new StringBuilder(first);
        boolean empty = true;
        for (String word : text.split(" ", -1)) {
            if (!empty && line.length() + 1 + word.length() > WIDTH) {
                lines.add(line.toString());
                line.setLength(0);
                line.append(indent);
                empty = true;
            }
            line.append(empty ? "" : " ").append(word);
            empty = false;
        }
        lines.add(line.toString());
        return lines;
    }
}
