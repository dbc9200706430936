package remus.cli;

import java.util.ArrayList;
import java.util.List;
import remus.api.DoctorReport;

/** What the doctor found as people read it, within 80 columns. */
final class DoctorText {
    private static final int WIDTH = 80;
    private static final String INDENT = " ".repeat(24);
    private static final String REMEDY = "-> ";

    private DoctorText() {}

    /** A line for each check, wrapped where it is longer, with its remedy below it. */
    static String table(DoctorReport report) {
        List<String> lines = new ArrayList<>();
        for (DoctorReport.Check check : report.checks()) {
            List<String> found = wrapped(check.found());
            lines.add("%-7s  %-13s  %s".formatted(check.verdict(), check.check(), found.getFirst()));
            found.stream().skip(1).forEach(line -> lines.add(INDENT + line));
            String remedy = check.remedy();
            if (remedy != null) {
                wrapped(REMEDY + remedy).forEach(line -> lines.add(INDENT + line));
            }
        }
        lines.add("%d checks: %d ok, %d with a warning, %d failed"
                .formatted(
                        report.checks().size(),
                        count(report, "ok"),
                        count(report, "warning"),
                        count(report, "failure")));
        return String.join(System.lineSeparator(), lines);
    }

    private static long count(DoctorReport report, String verdict) {
        return report.checks().stream()
                .filter(check -> check.verdict().equals(verdict))
                .count();
    }

    /** What ends a command that has found failures. */
    static String failures(DoctorReport report) {
        List<String> names = report.checks().stream()
                .filter(check -> check.verdict().equals("failure"))
                .map(DoctorReport.Check::check)
                .toList();
        return "%d of %d checks failed (%s): do what is said there, and run it again"
                .formatted(names.size(), report.checks().size(), String.join(", ", names));
    }

    /** A word that is longer than a line has one to itself, cut where the line ends. */
    private static List<String> wrapped(String text) {
        int columns = WIDTH - INDENT.length();
        List<String> lines = new ArrayList<>();
        StringBuilder line = new StringBuilder();
        for (String word : text.strip().split("\\s+", -1)) {
            if (!line.isEmpty() && line.length() + 1 + word.length() > columns) {
                lines.add(line.toString());
                line.setLength(0);
            }
            line.append(line.isEmpty() ? "" : " ").append(word);
            while (line.length() > columns) {
                lines.add(line.substring(0, columns));
                line.delete(0, columns);
            }
        }
        lines.add(line.toString());
        return lines;
    }
}
