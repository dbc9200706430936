package remus.migration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import remus.base.ByteSize;

class RateLimitTest {
    private static final long MEBIBYTE = 1 << 20;
    private static final ByteSize NONE = new ByteSize(0);

    private static RateLimit limit(long minMebibytes, long maxMebibytes) {
        return new RateLimit(
                ByteSize.ofMebibytes(minMebibytes), ByteSize.ofMebibytes(maxMebibytes), ByteSize.ofMebibytes(6));
    }

    @Test
    void withoutLimitsThereIsNone() {
        assertEquals(0, RateLimit.NONE.first());
        assertEquals(0, RateLimit.NONE.next(Long.MAX_VALUE));
        assertFalse(RateLimit.NONE.isPassedBy(Long.MAX_VALUE));
    }

    @Test
    void aMaximumAloneOrOneEqualToTheMinimumIsTheRateOfAllRounds() {
        for (RateLimit constant : new RateLimit[] {limit(0, 50), limit(50, 50)}) {
            assertEquals(50 * MEBIBYTE, constant.first());
            assertEquals(50 * MEBIBYTE, constant.next(0));
            assertEquals(50 * MEBIBYTE, constant.next(Long.MAX_VALUE));
            assertFalse(constant.isPassedBy(Long.MAX_VALUE));
        }
    }

    @Test
    void eachRoundHasTheRateAtWhichTheGuestWroteAndAStepMoreWithinBothLimits() {
        RateLimit limit = limit(10, 100);
        assertEquals(10 * MEBIBYTE, limit.first());
        assertEquals(10 * MEBIBYTE, limit.next(MEBIBYTE));
        assertEquals(46 * MEBIBYTE, limit.next(40 * MEBIBYTE));
        assertEquals(100 * MEBIBYTE, limit.next(94 * MEBIBYTE));
        assertFalse(limit.isPassedBy(94 * MEBIBYTE));
        assertEquals(100 * MEBIBYTE, limit.next(95 * MEBIBYTE));
        assertTrue(limit.isPassedBy(95 * MEBIBYTE));
        assertTrue(limit.isPassedBy(Long.MAX_VALUE));
    }

    @Test
    void aMinimumAloneFollowsTheGuestHoweverFastItWrites() {
        RateLimit limit = limit(10, 0);
        assertEquals(506 * MEBIBYTE, limit.next(500 * MEBIBYTE));
        assertFalse(limit.isPassedBy(Long.MAX_VALUE));
    }

    @Test
    void ratesThatCanNotBeAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> limit(100, 50));
        assertThrows(
                IllegalArgumentException.class, () -> new RateLimit(NONE, new ByteSize(1), RateLimit.DEFAULT_STEP));
        assertThrows(IllegalArgumentException.class, () -> new RateLimit(NONE, NONE, NONE));
        assertThrows(IllegalArgumentException.class, () -> limit(0, 2 << 20));
    }
}
