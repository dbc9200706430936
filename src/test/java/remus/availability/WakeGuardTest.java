package remus.availability;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class WakeGuardTest {
    private static final long DETECT = 1000;

    @Test
    void whoRunsOftenEnoughIsNeverLate() {
        WakeGuard guard = new WakeGuard(DETECT, 0);
        for (long now = 0; now < 20 * DETECT; now += DETECT - 1) {
            assertFalse(guard.wokeLate(now));
        }
    }

    @Test
    void whoWasAwayForTheDetectionTimeIsLateOnce() {
        WakeGuard guard = new WakeGuard(DETECT, 0);
        assertTrue(guard.wokeLate(DETECT));
        assertFalse(guard.wokeLate(DETECT));
        assertFalse(guard.wokeLate(2 * DETECT - 1));
        assertTrue(guard.wokeLate(100 * DETECT));
    }
}
