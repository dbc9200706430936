package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;

/** What a refusal looks like to a user: exit code 1, nothing on stdout, exactly one line on stderr. */
final class Refusals {
    private Refusals() {}

    /** @param line the line without the program's name, as a regular expression */
    static void expect(String line, TwoHosts.Outcome outcome) {
        List<String> lines = outcome.err().lines().toList();
        assertEquals(1, lines.size(), outcome.err());
        assertTrue(lines.getFirst().matches("remus: " + line), lines.getFirst());
        assertEquals(1, outcome.exitCode());
        assertEquals("", outcome.out());
    }
}
