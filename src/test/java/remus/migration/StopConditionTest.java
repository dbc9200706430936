package remus.migration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import remus.base.ByteSize;
import remus.checkpoint.PreCopyRound;
import remus.migration.StopCondition.Clean;
import remus.migration.StopCondition.DataUsedUp;
import remus.migration.StopCondition.RatePassed;
import remus.migration.StopCondition.RoundsUsedUp;
import remus.migration.StopCondition.Settled;
import remus.migration.StopCondition.WithinDowntime;

class StopConditionTest {
    private static final int PAGE_BYTES = 4096;
    private static final long SECOND = 1_000_000_000;

    /** So many pages are sent in one round, which takes a second: 40 MiB/s. */
    private static final long SENT = 10_240;

    /** The rounds leave so many pages, each. */
    private static RoundHistory leaving(long... left) {
        RoundHistory history = new RoundHistory(PAGE_BYTES);
        for (int round = 1; round <= left.length; round++) {
            history.add(new PreCopyRound(round, SENT, SENT, 0, 0, SENT * PAGE_BYTES, SECOND, 0), left[round - 1], 0);
        }
        return history;
    }

    @Test
    void onlyARoundThatLeavesNoPageIsClean() {
        assertNull(new Clean().met(leaving(0, 1)));
        assertEquals("round 2 left no page", new Clean().met(leaving(1, 0)));
    }

    @Test
    void whatTakesJustTheDowntimeIsWithinIt() {
        WithinDowntime within = new WithinDowntime(Duration.ofMillis(25));
        assertEquals("256 pages (1 MiB) left can be sent in 25.0 ms, within 25ms", within.met(leaving(256)));
        assertNull(within.met(leaving(257)));
    }

    @Test
    void whileNoRateIsKnownNothingButNothingIsWithinTheDowntime() {
        WithinDowntime within = new WithinDowntime(Duration.ofMinutes(1));
        PreCopyRound onlyZeroPages = new PreCopyRound(1, SENT, 0, SENT, 0, 0, SECOND, 0);
        RoundHistory onePage = new RoundHistory(PAGE_BYTES);
        onePage.add(onlyZeroPages, 1, 0);
        assertNull(within.met(onePage));
        RoundHistory none = new RoundHistory(PAGE_BYTES);
        none.add(onlyZeroPages, 0, 0);
        assertEquals("0 pages (0 B) left can be sent in 0.0 ms, within 60s", within.met(none));
    }

    @Test
    void settledAreTheLastRoundsWithinTheTolerance() {
        Settled settled = new Settled(3, 5);
        assertNull(settled.met(leaving(1000, 1000)));
        assertEquals("3 rounds in succession left 1,000 pages", settled.met(leaving(9, 1000, 1000, 1000)));
        assertEquals("3 rounds in succession left 950 to 1,000 pages", settled.met(leaving(1000, 950, 960)));
        assertNull(settled.met(leaving(1000, 949, 960)));
        assertNull(settled.met(leaving(1000, 960, 1011)));
        assertNull(new Settled(2, 0).met(leaving(1000, 1001)));
    }

    @Test
    void theDataUsedUpIncludesWhatTheNextRoundCouldSend() {
        DataUsedUp used = new DataUsedUp(ByteSize.ofMebibytes(100));
        assertNull(used.met(leaving(1, 5_120)));
        assertEquals(
                "80 MiB were sent, and the 5,121 pages (20.0 MiB) left could bring that beyond 100 MiB",
                used.met(leaving(1, 5_121)));
    }

    @Test
    void roundsAreUsedUpWhenSoManyAreDone() {
        assertNull(new RoundsUsedUp(3).met(leaving(7, 7)));
        assertEquals("3 rounds were done, and 7 pages (28 KiB) left", new RoundsUsedUp(3).met(leaving(7, 7, 7)));
        assertEquals("1 round was done, and 1 page (4 KiB) left", new RoundsUsedUp(1).met(leaving(1)));
    }

    @Test
    void theRateIsPassedByAGuestThatWritesAsFastAsMayBeSent() {
        RatePassed passed = new RatePassed(
                new RateLimit(ByteSize.ofMebibytes(10), ByteSize.ofMebibytes(46), ByteSize.ofMebibytes(6)));
        assertNull(passed.met(leaving(10_240)));
        assertEquals(
                "the guest writes 41 MiB a second, too fast for a next round of at most 46 MiB a second",
                passed.met(leaving(10_496)));
    }
}
