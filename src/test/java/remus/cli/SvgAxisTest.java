package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import remus.cli.SvgAxis.Scale;

class SvgAxisTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "0   | 480   | 0, 100, 200, 300, 400",
                "0   | 1     | 0.0, 0.2, 0.4, 0.6, 0.8, 1.0",
                "0   | 0.12  | 0.00, 0.05, 0.10",
                "-30 | 12000 | 0, 5,000, 10,000",
                "0   | 6.06  | 0, 2, 4, 6"
            })
    void ticksAreRoundValuesWithAsManyPlacesAsTheyNeed(double from, double to, String labels) {
        SvgAxis axis = new SvgAxis(Scale.LINEAR, from, to, 0, 100);
        assertEquals(
                labels, String.join(", ", axis.ticks().stream().map(axis::label).toList()));
    }

    @Test
    void aLogarithmicAxisBeginsAtOneAndEndsAtAPowerOfTen() {
        SvgAxis axis = SvgAxis.upTo(Scale.LOGARITHMIC, 40_321, 100, 0);
        assertEquals(
                "1, 10, 100, 1,000, 10,000, 100,000",
                String.join(", ", axis.ticks().stream().map(axis::label).toList()));
        assertEquals(60, axis.pixel(100), 1e-9);
        assertEquals(100, axis.pixel(0), 1e-9);
    }

    @Test
    void aLinearAxisEndsAtARoundValue() {
        assertEquals(40_000, SvgAxis.upTo(Scale.LINEAR, 32_165, 0, 1).to(), 1e-9);
        assertEquals(1, SvgAxis.upTo(Scale.LINEAR, 0, 0, 1).to(), 1e-9);
    }

    @Test
    void anAxisWithoutARangeIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> new SvgAxis(Scale.LINEAR, 1, 1, 0, 100));
        assertThrows(IllegalArgumentException.class, () -> new SvgAxis(Scale.LOGARITHMIC, 0, 10, 0, 100));
    }
}
