package remus.availability;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class FailureDetectorTest {
    private static final long DETECT = 100_000;
    private static final long START = -50_000;

    private final FailureDetector detector = new FailureDetector(DETECT, START);

    @Test
    void silenceForTheDetectionTimeIsFailureAndNotANanosecondLess() {
        assertFalse(watch(START, START + DETECT - 1));
        assertTrue(detector.expired(START + DETECT));
        assertEquals(DETECT, detector.silentNanos(START + DETECT));
    }

    @Test
    void anyByteIsLife() {
        long now = START;
        for (int i = 0; i < 10; i++) {
            assertFalse(watch(now, now + DETECT - 1));
            now += DETECT - 1;
            detector.heard(now);
        }
        assertFalse(watch(now, now + DETECT - 1));
        assertTrue(detector.expired(now + DETECT));
    }

    /** Its own waiting times lead to a detection on time, however late the scheduler is within reason. */
    @Test
    void whoWaitsAsToldDetectsInTime() {
        for (long lateness : new long[] {0, 1, 1_000, DETECT / 5}) {
            FailureDetector other = new FailureDetector(DETECT, 0);
            long now = 0;
            int checks = 0;
            while (!other.expired(now)) {
                long wait = other.nanosUntilNextCheck(now);
                assertTrue(wait > 0 && wait <= DETECT, "lateness=" + lateness + " wait=" + wait);
                now += wait + lateness;
                assertTrue(++checks < 20, "lateness=" + lateness);
            }
            assertTrue(now >= DETECT && now <= DETECT + lateness, "lateness=" + lateness + " now=" + now);
            assertEquals(0, other.nanosUntilNextCheck(now));
        }
    }

    @Test
    void aBackupThatWasStoppedItselfBlamesNobody() {
        assertFalse(watch(START, START + DETECT / 2));
        long woken = START + 1000 * DETECT;
        assertFalse(detector.expired(woken));
        assertFalse(watch(woken, woken + DETECT - 1));
        assertTrue(detector.expired(woken + DETECT));
    }

    /** Stopped for less than the detection time it may have missed the primary's heartbeats just as well. */
    @Test
    void norDoesOneThatWasStoppedForMostOfTheDetectionTime() {
        assertFalse(watch(START, START + DETECT / 4));
        long woken = START + DETECT / 4 + DETECT * 9 / 10;
        assertFalse(detector.expired(woken));
        assertTrue(watch(woken, woken + DETECT));
    }

    /** Asks as often as it is told to; whether it ever expired up to {@code until}. */
    private boolean watch(long from, long until) {
        long now = from;
        while (true) {
            if (detector.expired(now)) {
                return true;
            }
            if (now == until) {
                return false;
            }
            now = Math.min(until, now + Math.max(1, detector.nanosUntilNextCheck(now)));
        }
    }
}
