package remus.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import remus.base.Invariant.InvariantViolation;

/** When epochs end, in milliseconds that are written as nanoseconds. */
class EpochPaceTest {
    private static final long MILLI = 1_000_000;
    private static final long USUAL = 25 * MILLI;
    private static final long LONGEST = 100 * MILLI;
    private static final int BUSY_PAGES = EpochPace.QUIET_PAGES;
    private static final int FEW_PAGES = EpochPace.QUIET_PAGES - 1;

    private final EpochPace pace = new EpochPace(new EpochLengths(USUAL, LONGEST, 20));

    private static void pause(EpochPace pace, long fromMillis, long toMillis, long pages) {
        pace.suspended(fromMillis * MILLI);
        pace.resumed(toMillis * MILLI);
        pace.taken(pages);
    }

    @Test
    void anEpochWithOutputEndsWhenPausesHaveTheirShareOfTheTime() {
        pause(pace, 100, 102, BUSY_PAGES);
        assertEquals(125 * MILLI, pace.dueNanos(false));
        assertEquals(110 * MILLI, pace.dueNanos(true), "2 ms of pause, 8 of guest: a fifth");
    }

    @Test
    void anEpochWithOutputNeverEndsLaterThanOneWithout() {
        pause(pace, 100, 107, BUSY_PAGES);
        assertEquals(125 * MILLI, pace.dueNanos(true), "7 ms of pause would want 28 of guest");
        pause(pace, 200, 250, BUSY_PAGES);
        assertEquals(262_500_000, pace.dueNanos(true), "after a long pause, half of an interval is the guest's own");
        assertEquals(262_500_000, pace.dueNanos(false));
    }

    @Test
    void theGuestRunsForAMomentHoweverShortItsPausesAre() {
        pace.suspended(100 * MILLI);
        pace.resumed(100 * MILLI + 1_000);
        assertEquals(100 * MILLI + 1_000 + EpochPace.SHORTEST_RUN_NANOS, pace.dueNanos(true));
    }

    @Test
    void aQuietGuestsEpochIsStretchedUntilItSendsSomething() {
        pause(pace, 100, 102, FEW_PAGES);
        assertEquals(200 * MILLI, pace.dueNanos(false));
        assertEquals(110 * MILLI, pace.dueNanos(true));
        pause(pace, 200, 202, BUSY_PAGES);
        assertEquals(225 * MILLI, pace.dueNanos(false));
    }

    @Test
    void fixedEpochsAreAsLongWhateverTheGuestDoes() {
        EpochPace fixed = new EpochPace(EpochLengths.fixed(USUAL));
        pause(fixed, 100, 102, FEW_PAGES);
        assertEquals(125 * MILLI, fixed.dueNanos(false));
        assertEquals(125 * MILLI, fixed.dueNanos(true));
    }

    @Test
    void aGuestMayNotStandStillForMoreThanHalfOfTheTime() {
        assertThrows(InvariantViolation.class, () -> new EpochLengths(USUAL, USUAL, 51));
        assertThrows(InvariantViolation.class, () -> new EpochLengths(USUAL, USUAL, -1));
        assertThrows(InvariantViolation.class, () -> new EpochLengths(USUAL, USUAL - 1, 20));
    }
}
