package remus.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class GuestClockTest {
    private final GuestClock clock = new GuestClock();

    @Test
    void itLosesTheTimeForWhichTheGuestStandsStill() {
        assertEquals(0, clock.lagNanos(100));
        clock.stands(100);
        assertEquals(7, clock.lagNanos(107));
        clock.runs(110);
        assertEquals(10, clock.lagNanos(200));
        clock.stands(200);
        clock.runs(205);
        assertEquals(15, clock.lagNanos(300));
    }

    @Test
    void aSecondReasonToStandStillCostsNothingMore() {
        clock.stands(100);
        clock.stands(150);
        clock.runs(160);
        clock.runs(170);
        assertEquals(60, clock.lagNanos(1_000));
    }

    @Test
    void afterAFailoverItIsBehindByWhatItWasAndTheOutage() {
        clock.isBehind(500, 1_000);
        assertEquals(500, clock.lagNanos(1_050));
        clock.stands(1_100);
        clock.runs(1_101);
        assertEquals(501, clock.lagNanos(2_000));
    }

    @Test
    void aGuestThatIsActivatedPausedLosesTimeFromThenOn() {
        clock.stands(900);
        clock.isBehind(500, 1_000);
        assertEquals(520, clock.lagNanos(1_020));
        clock.runs(1_030);
        assertEquals(530, clock.lagNanos(2_000));
    }

    @Test
    void aGuestThatBootsAnewTakesTheTimeFromItsHost() {
        clock.stands(100);
        clock.runs(200);
        clock.isBehind(0, 300);
        assertEquals(0, clock.lagNanos(400));
    }
}
