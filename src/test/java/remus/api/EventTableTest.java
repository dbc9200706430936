package remus.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** docs/OPERATING.md says of every event what it means and what is to be done. */
class EventTableTest {
    private static final Pattern ROW = Pattern.compile("(?m)^\\| `([A-Z_]+)` \\|(.*)\\|$");
    private static final int COLUMNS = 4;

    private static List<MatchResult> rows() throws Exception {
        return ROW.matcher(Files.readString(Path.of("docs/OPERATING.md")))
                .results()
                .toList();
    }

    @Test
    void everyEventIsExplainedOnce() throws Exception {
        List<String> explained =
                rows().stream().map(row -> row.group(1)).sorted().toList();
        assertEquals(
                Arrays.stream(EventType.values()).map(EventType::name).sorted().toList(), explained);
    }

    @Test
    void everyRowSaysWhereItHappensWhatItMeansAndWhatToDo() throws Exception {
        for (MatchResult row : rows()) {
            String[] cells = row.group(2).split("\\|", -1);
            assertEquals(COLUMNS, cells.length, row.group());
            assertTrue(!cells[0].isBlank() && !cells[1].isBlank() && !cells[3].isBlank(), row.group());
        }
    }

    @Test
    void everyStateIsLedToByAnEvent() throws Exception {
        String led =
                rows().stream().map(row -> row.group(2).split("\\|", -1)[2]).collect(Collectors.joining());
        TreeSet<String> states = Pattern.compile("`([A-Z]+)`")
                .matcher(led)
                .results()
                .map(state -> state.group(1))
                .collect(Collectors.toCollection(TreeSet::new));
        assertEquals(
                Arrays.stream(VmState.values()).map(VmState::name).collect(Collectors.toCollection(TreeSet::new)),
                states);
    }
}
