package remus.base;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Sizes, durations and addresses as people write them. */
class UnitsTest {
    @ParameterizedTest
    @CsvSource({
        "256MiB, 268435456, 256 MiB",
        "4 GiB, 4294967296, 4 GiB",
        "65536B, 65536, 64 KiB",
        "1536MiB, 1610612736, 1.5 GiB",
        "1TiB, 1099511627776, 1 TiB",
        "0B, 0, 0 B",
        "1000B, 1000, 1000 B",
    })
    void aSizeIsReadAndShown(String text, long bytes, String shown) {
        assertEquals(new ByteSize(bytes), ByteSize.parse(text));
        assertEquals(shown, ByteSize.parse(text).toString());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "512", "MiB", "-1MiB", "1.5GiB", "12MB", "12mib", "9999999999999B", "9999999TiB", "٣MiB"})
    void aTextThatIsNoSizeIsRefusedByName(String text) {
        assertNames(text, assertThrows(IllegalArgumentException.class, () -> ByteSize.parse(text)));
    }

    @Test
    void numbersLookTheSameWhereverTheProgramRuns() {
        Locale before = Locale.getDefault();
        try {
            Locale.setDefault(Locale.forLanguageTag("ar-EG-u-nu-arab"));
            assertEquals("256 MiB", ByteSize.ofMebibytes(256).toString());
            assertEquals("1.5 GiB", ByteSize.ofMebibytes(1536).toString());
        } finally {
            Locale.setDefault(before);
        }
    }

    @ParameterizedTest
    @CsvSource({"25ms, 25000", "3s, 3000000", "500us, 500", "2min, 120000000", "0ms, 0", "1 s, 1000000"})
    void aDurationIsRead(String text, long micros) {
        assertEquals(Duration.ofNanos(micros * 1000), DurationText.parse(text));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "25", "ms", "-1ms", "1.5s", "1h", "25 MS", "99999999999999s", "999999999999min"})
    void aTextThatIsNoDurationIsRefusedByName(String text) {
        assertNames(text, assertThrows(IllegalArgumentException.class, () -> DurationText.parse(text)));
    }

    /** What is counted in nanoseconds must not overflow, whatever somebody writes. */
    @Test
    void theLongestDurationsAreCountedInNanoseconds() {
        assertTrue(DurationText.parse("999999999s").toNanos() > 0);
        IllegalArgumentException failure =
                assertThrows(IllegalArgumentException.class, () -> DurationText.parse("999999999min"));
        assertNames("999999999min", failure);
    }

    @Test
    void aDurationThatWasWrittenIsReadBack() {
        Random random = new Random(1);
        for (int i = 0; i < 10_000; i++) {
            long micros = random.nextLong(1L << (1 + random.nextInt(42)));
            micros = random.nextBoolean() ? micros / 1000 * 1000 : micros;
            Duration duration = Duration.ofNanos(micros * 1000);
            assertEquals(duration, DurationText.parse(DurationText.format(duration)), "seed=1 micros=" + micros);
        }
        assertEquals("0ms", DurationText.format(Duration.ZERO));
        assertEquals("120s", DurationText.format(Duration.ofMinutes(2)));
        assertEquals("1500us", DurationText.format(Duration.ofNanos(1_500_000)));
    }

    @ParameterizedTest
    @CsvSource({
        "192.0.2.7:7420, 192.0.2.7, 7420, 192.0.2.7:7420",
        "beta, beta, 7, beta:7",
        "beta:0, beta, 0, beta:0",
        "[2001:db8::1]:80, 2001:db8::1, 80, [2001:db8::1]:80",
        "[::1], ::1, 7, [::1]:7",
    })
    void anAddressIsReadAndShown(String text, String host, int port, String shown) {
        assertEquals(new HostAddress(host, port), HostAddress.parse(text, 7));
        assertEquals(shown, HostAddress.parse(text, 7).toString());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                ":",
                ":80",
                "beta:",
                "beta:x",
                "beta:-1",
                "beta:65536",
                "beta:+80",
                "[::1",
                "[]:80",
                "[::1]x80",
                "[::1]80",
                "[::1]:",
                "::1",
                "2001:db8::1",
                "beta:80:80",
                "be ta:80",
                "[beta]:80"
            })
    void aTextThatIsNoAddressIsRefusedByName(String text) {
        assertNames(text, assertThrows(IllegalArgumentException.class, () -> HostAddress.parse(text, 7)));
    }

    private static void assertNames(String text, IllegalArgumentException failure) {
        assertTrue(String.valueOf(failure.getMessage()).contains("'" + text + "'"), failure.toString());
    }
}
