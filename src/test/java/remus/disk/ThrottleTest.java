package remus.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ThrottleTest {
    private static final long SECOND = 1_000_000_000L;

    @Test
    void withoutALimitNothingEverWaits() {
        Throttle throttle = new Throttle(Throttle.NONE);
        throttle.take(Long.MAX_VALUE / 2, 0);
        assertEquals(0, throttle.nanosToWait(0));
    }

    @Test
    void overAnyTimeTheRateIsKept() {
        long rate = 10_000_000;
        Throttle throttle = new Throttle(rate);
        long now = -5 * SECOND;
        long begin = now;
        long taken = 0;
        while (taken < 20 * rate) {
            throttle.take(1 << 20, now);
            taken += 1 << 20;
            now += Math.max(0, throttle.nanosToWait(now));
        }
        double seconds = (now - begin) / (double) SECOND;
        assertEquals((double) taken / rate - Throttle.BURST_NANOS / (double) SECOND, seconds, 0.001);
    }

    @Test
    void idlingSavesUpNoMoreThanABurst() {
        Throttle throttle = new Throttle(1000);
        throttle.take(100, 0);
        throttle.take(1000, 3600 * SECOND);
        assertEquals(SECOND - Throttle.BURST_NANOS, throttle.nanosToWait(3600 * SECOND));
        assertTrue(throttle.nanosToWait(3602 * SECOND) <= 0);
    }

    @Test
    void aNegativeRateIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> new Throttle(-1));
    }

    @Test
    void theReportedRateFollowsWhatHappensOfLate() {
        SyncRate rate = new SyncRate(0);
        assertEquals(0, rate.secondsFor(100));
        rate.sample(1000, SECOND);
        assertEquals(1000, rate.bytesPerSecond());
        assertEquals(2, rate.secondsFor(1001));
        for (int second = 2; second < 60; second++) {
            rate.sample(1000 + 10L * (second - 1), second * SECOND);
        }
        assertEquals(10.0, (double) rate.bytesPerSecond(), 1.0);
    }
}
