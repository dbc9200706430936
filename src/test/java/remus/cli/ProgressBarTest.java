package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ProgressBarTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "copying disk root: 43 % of 2 GiB, 12 s left | [########------------] copying disk root: 43 % of 2 GiB, 12 s left",
                "round 2: 100% of 512 pages                  | [####################] round 2: 100% of 512 pages",
                "round 1: 0% of 9 pages                      | [--------------------] round 1: 0% of 9 pages",
                "connecting to 192.0.2.2:7420                | connecting to 192.0.2.2:7420"
            })
    void aPercentageIsDrawnBesideWhatSaysIt(String text, String shown) {
        assertEquals(shown, ProgressBar.beside(text));
    }
}
