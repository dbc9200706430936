package remus.migration;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class LinkRateTest {
    private static final long MEBIBYTE = 1 << 20;
    private static final long SECOND = 1_000_000_000;

    private final LinkRate rate = new LinkRate();

    private void assertMebibytes(long expected) {
        assertEquals((double) (expected * MEBIBYTE), rate.bytesPerSecond());
    }

    @Test
    void nothingIsKnownBeforeAnythingWasSent() {
        assertMebibytes(0);
        rate.add(0, SECOND, 0);
        assertMebibytes(0);
    }

    @Test
    void theBestOfTheLastThreeRoundsThatMeasuredCounts() {
        rate.add(100 * MEBIBYTE, SECOND, 0);
        rate.add(40 * MEBIBYTE, SECOND, 0);
        assertMebibytes(100);
        rate.add(30 * MEBIBYTE, SECOND, 0);
        assertMebibytes(100);
        rate.add(20 * MEBIBYTE, SECOND, 0);
        assertMebibytes(40);
    }

    @Test
    void aRoundThatItsLimitHeldBackNeverLowersWhatWasMeasured() {
        rate.add(100 * MEBIBYTE, SECOND, 0);
        for (int round = 0; round < 5; round++) {
            rate.add(10 * MEBIBYTE, SECOND, 10 * MEBIBYTE);
        }
        assertMebibytes(100);
        rate.add(150 * MEBIBYTE, SECOND, 150 * MEBIBYTE);
        assertMebibytes(150);
        rate.add(50 * MEBIBYTE, SECOND, 50 * MEBIBYTE);
        assertMebibytes(150);
    }

    @Test
    void aRoundThatStaysFarBelowItsLimitMeasuresTheLink() {
        rate.add(150 * MEBIBYTE, SECOND, 150 * MEBIBYTE);
        rate.add(50 * MEBIBYTE, SECOND, 200 * MEBIBYTE);
        assertMebibytes(50);
    }

    @Test
    void smallRoundsCountOnlyWhileThereIsNothingBetter() {
        rate.add(MEBIBYTE / 2, SECOND, 0);
        rate.add(MEBIBYTE / 2, SECOND, 0);
        assertEquals(MEBIBYTE / 2.0, rate.bytesPerSecond());
        rate.add(100 * MEBIBYTE, SECOND, 0);
        assertMebibytes(100);
        rate.add(MEBIBYTE / 2, SECOND / 1000, 0);
        assertMebibytes(100);
    }
}
