package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class LineWriterTest {
    @Test
    void whatIsWrittenIsHandedOnLineByLine() throws Exception {
        List<String> lines = new ArrayList<>();
        try (LineWriter writer = new LineWriter(lines::add)) {
            writer.write("one\n\n  tw");
            writer.write("o  \nthree");
            assertEquals(List.of("one", "two"), lines);
        }
        assertEquals(List.of("one", "two", "three"), lines);
    }
}
