package remus.migration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import remus.base.ByteSize;
import remus.base.Invariant.InvariantViolation;
import remus.checkpoint.PreCopyPolicy.Decision;
import remus.checkpoint.PreCopyRound;
import remus.migration.MigrationPlan.Mode;
import remus.migration.MigrationPlan.Unconverged;
import remus.migration.SimulatedMigration.Guest;
import remus.migration.SimulatedMigration.Outcome;

/** Whole migrations of simulated guests over a link of 400 MiB/s, 102,400 pages a second. */
class PreCopyRulesTest {
    private static final long LINK = ByteSize.ofMebibytes(400).bytes();
    private static final int PAGE_BYTES = SimulatedMigration.PAGE_BYTES;
    private static final double DOWNTIME_NANOS = 30e6;
    private static final ByteSize NO_LIMIT = new ByteSize(0);

    private static final Guest IDLE = new Guest(16_384, 8_192, 1, 0);

    /** Writes 48 MiB of its 64 MiB again and again, twice as fast as the link. */
    private static final Guest FASTER_THAN_LINK = new Guest(16_384, 0, 12_288, 204_800);

    /** Only the limit of rounds. */
    private static final StopSettings NOTHING_BUT_ROUNDS = new StopSettings(Duration.ZERO, 30, 0, 0, false, NO_LIMIT);

    private static MigrationPlan plan(StopSettings stop, Unconverged unconverged, RateLimit rate) {
        return new MigrationPlan(Mode.PRE_COPY, stop, unconverged, rate, false, false);
    }

    private static MigrationPlan plan(StopSettings stop) {
        return plan(stop, Unconverged.STOP, RateLimit.NONE);
    }

    private static StopSettings defaultsFor(Unconverged unconverged) {
        StopSettings defaults = StopSettings.DEFAULTS;
        return new StopSettings(
                defaults.maxDowntime(),
                defaults.maxRounds(),
                StopSettings.defaultSettledRounds(unconverged),
                defaults.settledTolerancePercent(),
                defaults.untilClean(),
                defaults.maxData());
    }

    private static RateLimit rate(long minMebibytes, long maxMebibytes) {
        return new RateLimit(
                ByteSize.ofMebibytes(minMebibytes), ByteSize.ofMebibytes(maxMebibytes), RateLimit.DEFAULT_STEP);
    }

    private static Outcome migrate(Guest guest, PreCopyRules rules) {
        return new SimulatedMigration(guest, LINK).run(rules);
    }

    private static String condition(PreCopyRules rules) {
        String condition = rules.stopCondition();
        assertNotNull(condition);
        return condition;
    }

    @Test
    void anIdleGuestNeedsOneRoundAndHasNothingLeft() {
        PreCopyRules rules = new PreCopyRules(MigrationPlan.DEFAULTS, PAGE_BYTES);
        assertNull(rules.stopCondition());
        Outcome outcome = migrate(IDLE, rules);
        assertEquals(Decision.SUSPEND, outcome.decision());
        assertEquals(1, outcome.rounds().size());
        assertEquals(8_192L * PAGE_BYTES, outcome.bytesSent());
        assertEquals("round 1 left no page", condition(rules));
    }

    @Test
    void guestsThatTheLinkCanKeepUpWithAreSuspendedWhenTheRestFitsTheDowntime() {
        for (int pagesPer25Millis : List.of(500, 2_000)) {
            PreCopyRules rules = new PreCopyRules(MigrationPlan.DEFAULTS, PAGE_BYTES);
            Outcome outcome = migrate(Guest.writing(pagesPer25Millis), rules);
            assertEquals(Decision.SUSPEND, outcome.decision());
            assertTrue(outcome.downtimeNanos() <= DOWNTIME_NANOS, outcome.toString());
            assertTrue(condition(rules).contains(" left can be sent in "), rules.stopCondition());
            assertTrue(condition(rules).endsWith(", within 30ms"), rules.stopCondition());
        }
    }

    @Test
    void asTheOnlyConditionTheLastCleanRoundEndsAGuestThatWritesSlowlyEnough() {
        Guest slow = new Guest(16_384, 8_192, 500, 1_000);
        PreCopyRules rules =
                new PreCopyRules(plan(new StopSettings(Duration.ZERO, 30, 0, 0, true, NO_LIMIT)), PAGE_BYTES);
        Outcome outcome = migrate(slow, rules);
        assertTrue(outcome.rounds().size() > 1, outcome.toString());
        assertEquals(0, outcome.left().getLast());
        assertEquals("round %d left no page".formatted(outcome.rounds().size()), condition(rules));
    }

    @Test
    void aGuestWhoseRoundsStayTheSameIsSuspendedForMoreOfThemGainNothing() {
        PreCopyRules rules = new PreCopyRules(MigrationPlan.DEFAULTS, PAGE_BYTES);
        Outcome outcome = migrate(FASTER_THAN_LINK, rules);
        assertEquals(Decision.SUSPEND_FOR_GOOD, outcome.decision());
        assertEquals(5, outcome.rounds().size());
        assertEquals("5 rounds in succession left 12,288 pages", condition(rules));
    }

    @Test
    void withNothingElseTheLimitOfRoundsSuspendsTheGuest() {
        PreCopyRules rules = new PreCopyRules(plan(NOTHING_BUT_ROUNDS), PAGE_BYTES);
        Outcome outcome = migrate(FASTER_THAN_LINK, rules);
        assertEquals(Decision.SUSPEND_FOR_GOOD, outcome.decision());
        assertEquals(30, outcome.rounds().size());
        assertEquals("30 rounds were done, and 12,288 pages (48 MiB) left", condition(rules));
    }

    @Test
    void noFurtherRoundBeginsThatCouldPassTheLimitOfData() {
        ByteSize maxData = ByteSize.ofMebibytes(200);
        PreCopyRules rules =
                new PreCopyRules(plan(new StopSettings(Duration.ofMillis(30), 30, 0, 0, true, maxData)), PAGE_BYTES);
        Outcome outcome = migrate(FASTER_THAN_LINK, rules);
        assertEquals(Decision.SUSPEND_FOR_GOOD, outcome.decision());
        assertTrue(outcome.rounds().size() > 1, outcome.toString());
        assertTrue(outcome.bytesSent() <= maxData.bytes(), outcome.toString());
        assertTrue(condition(rules).endsWith("could bring that beyond 200 MiB"), rules.stopCondition());
    }

    @Test
    void theFirstRoundIsSentWholeEvenBeyondTheLimitOfData() {
        PreCopyRules rules = new PreCopyRules(
                plan(new StopSettings(Duration.ZERO, 30, 0, 0, false, ByteSize.ofMebibytes(1))), PAGE_BYTES);
        assertEquals(1, migrate(FASTER_THAN_LINK, rules).rounds().size());
    }

    @Test
    void aGuestThatWouldStandStillForTooLongIsLeftWhereItIs() {
        PreCopyRules rules =
                new PreCopyRules(plan(defaultsFor(Unconverged.ABORT), Unconverged.ABORT, RateLimit.NONE), PAGE_BYTES);
        Outcome outcome = migrate(FASTER_THAN_LINK, rules);
        assertEquals(Decision.ABORT, outcome.decision());
        assertEquals(30, outcome.rounds().size());
        assertEquals("30 rounds were done, and 12,288 pages (48 MiB) left", condition(rules));
    }

    @Test
    void aGuestThatIsSlowedDownFitsTheDowntime() {
        PreCopyRules rules = new PreCopyRules(
                plan(defaultsFor(Unconverged.AUTO_CONVERGE), Unconverged.AUTO_CONVERGE, RateLimit.NONE), PAGE_BYTES);
        Outcome outcome = migrate(FASTER_THAN_LINK, rules);
        assertEquals(Decision.SUSPEND, outcome.decision());
        assertTrue(condition(rules).endsWith(", within 30ms"), rules.stopCondition());
        assertTrue(outcome.downtimeNanos() <= DOWNTIME_NANOS, outcome.toString());
        assertEquals(List.of(0, 20, 30, 40), outcome.held().subList(0, 4));
        assertEquals(outcome.held().stream().sorted().toList(), outcome.held());
    }

    @Test
    void aGuestIsSlowedDownToOneHundredthAtMostAndThenTheRoundsDecide() {
        Guest hopeless = new Guest(16_384, 0, 16_384, 100L * 102_400);
        PreCopyRules rules =
                new PreCopyRules(plan(NOTHING_BUT_ROUNDS, Unconverged.AUTO_CONVERGE, RateLimit.NONE), PAGE_BYTES);
        Outcome outcome = migrate(hopeless, rules);
        assertEquals(Decision.SUSPEND_FOR_GOOD, outcome.decision());
        assertEquals(
                List.of(0, 20, 30, 40, 50, 60, 70, 80, 90, 99, 99),
                outcome.held().subList(0, 11));
        assertEquals(30, outcome.rounds().size());
    }

    @Test
    void aGuestThatGainsEnoughIsNotSlowedDown() {
        PreCopyRules rules = new PreCopyRules(
                plan(
                        new StopSettings(Duration.ofMillis(1), 30, 0, 0, true, NO_LIMIT),
                        Unconverged.AUTO_CONVERGE,
                        RateLimit.NONE),
                PAGE_BYTES);
        Outcome outcome = migrate(new Guest(16_384, 0, 12_288, 30_000), rules);
        assertTrue(outcome.rounds().size() > 2, outcome.toString());
        assertTrue(outcome.held().stream().allMatch(percent -> percent == 0), outcome.toString());
    }

    @Test
    void roundsOfASlowedDownGuestAreNotComparedWithThoseBefore() {
        StopSettings settled = new StopSettings(Duration.ZERO, 30, 2, 0, false, NO_LIMIT);
        PreCopyRules rules = new PreCopyRules(plan(settled, Unconverged.AUTO_CONVERGE, RateLimit.NONE), PAGE_BYTES);
        decide(rules, 1, 1_000, 1_000);
        assertEquals(Decision.NEXT_ROUND, decide(rules, 2, 1_000, 1_000));
        for (int round = 3; round <= 10; round++) {
            assertEquals(Decision.NEXT_ROUND, decide(rules, round, 1_000, 1_000));
        }
        assertEquals(99, rules.heldPercent());
        assertEquals(Decision.SUSPEND, decide(rules, 11, 1_000, 1_000));
    }

    @Test
    void theRateBeginsAtTheMinimumAndFollowsTheGuest() {
        PreCopyRules rules = new PreCopyRules(plan(NOTHING_BUT_ROUNDS, Unconverged.STOP, rate(50, 300)), PAGE_BYTES);
        Outcome outcome = migrate(new Guest(16_384, 0, 1_000, 20_000), rules);
        assertEquals(ByteSize.ofMebibytes(50).bytes(), outcome.limits().getFirst());
        for (int next = 1; next < outcome.limits().size(); next++) {
            PreCopyRound before = outcome.rounds().get(next - 1);
            long dirtied = (long) (outcome.left().get(next - 1) * PAGE_BYTES * 1e9 / before.nanos());
            long expected = Math.max(
                    ByteSize.ofMebibytes(50).bytes(),
                    dirtied + ByteSize.ofMebibytes(6).bytes());
            assertEquals(expected, outcome.limits().get(next), "round " + (next + 1));
        }
        assertTrue(outcome.limits().getLast() > ByteSize.ofMebibytes(80).bytes(), outcome.toString());
        assertEquals(30, outcome.rounds().size());
    }

    @Test
    void aGuestThatWritesAsFastAsMayBeSentIsSuspended() {
        PreCopyRules rules = new PreCopyRules(plan(NOTHING_BUT_ROUNDS, Unconverged.STOP, rate(50, 60)), PAGE_BYTES);
        Outcome outcome = migrate(FASTER_THAN_LINK, rules);
        assertEquals(Decision.SUSPEND_FOR_GOOD, outcome.decision());
        assertTrue(outcome.rounds().size() < 30, outcome.toString());
        assertTrue(
                condition(rules).endsWith("too fast for a next round of at most 60 MiB a second"),
                rules.stopCondition());
    }

    @ParameterizedTest
    @EnumSource(names = {"AUTO_CONVERGE", "ABORT"})
    void whoWantsThatGuestSlowedDownOrLeftAloneHasItSentAtTheMaximumUntilThen(Unconverged unconverged) {
        PreCopyRules rules = new PreCopyRules(plan(NOTHING_BUT_ROUNDS, unconverged, rate(50, 60)), PAGE_BYTES);
        Outcome outcome = migrate(FASTER_THAN_LINK, rules);
        assertEquals(ByteSize.ofMebibytes(60).bytes(), outcome.limits().get(2));
        assertTrue(condition(rules).startsWith("30 rounds were done"), rules.stopCondition());
    }

    @Test
    void ofConditionsCombinedTheFirstThatIsMetEndsTheRounds() {
        StopSettings all = new StopSettings(Duration.ofMillis(1), 3, 2, 5, true, ByteSize.ofMebibytes(1_000));
        assertEquals(
                1,
                migrate(IDLE, new PreCopyRules(plan(all), PAGE_BYTES)).rounds().size());
        PreCopyRules settled = new PreCopyRules(plan(all), PAGE_BYTES);
        assertEquals(2, migrate(FASTER_THAN_LINK, settled).rounds().size());
        assertTrue(condition(settled).startsWith("2 rounds in succession left"), settled.stopCondition());
        StopSettings rounds = new StopSettings(Duration.ofMillis(1), 3, 4, 5, true, ByteSize.ofMebibytes(1_000));
        PreCopyRules used = new PreCopyRules(plan(rounds), PAGE_BYTES);
        assertEquals(3, migrate(FASTER_THAN_LINK, used).rounds().size());
        assertTrue(condition(used).startsWith("3 rounds were done"), used.stopCondition());
    }

    @Test
    void stopTheWorldIsOneUnlimitedRoundOfAGuestThatStandsStill() {
        PreCopyRules rules = new PreCopyRules(
                new MigrationPlan(
                        Mode.STOP_THE_WORLD, StopSettings.DEFAULTS, Unconverged.ABORT, rate(50, 60), false, false),
                PAGE_BYTES);
        Outcome outcome = migrate(FASTER_THAN_LINK, rules);
        assertEquals(Decision.SUSPEND_FOR_GOOD, outcome.decision());
        assertEquals(List.of(100), outcome.held());
        assertEquals(List.of(0L), outcome.limits());
        assertEquals(List.of(0L), outcome.left());
        assertEquals("the guest stood still from the beginning", condition(rules));
    }

    @Test
    void nothingIsDecidedAfterTheEndOrOutOfTurn() {
        PreCopyRules ended = new PreCopyRules(MigrationPlan.DEFAULTS, PAGE_BYTES);
        migrate(IDLE, ended);
        assertThrows(InvariantViolation.class, () -> decide(ended, 2, 0, 0));
        PreCopyRules begun = new PreCopyRules(MigrationPlan.DEFAULTS, PAGE_BYTES);
        assertThrows(InvariantViolation.class, () -> decide(begun, 2, 10_000, 10_000));
    }

    @Test
    void aRoundThatLeavesJustHalfOfWhatItSentGainsEnough() {
        PreCopyRules rules =
                new PreCopyRules(plan(NOTHING_BUT_ROUNDS, Unconverged.AUTO_CONVERGE, RateLimit.NONE), PAGE_BYTES);
        decide(rules, 1, 1_000, 500);
        assertEquals(0, rules.heldPercent());
        decide(rules, 2, 1_000, 501);
        assertEquals(20, rules.heldPercent());
    }

    @Test
    void whatIsLeftIsJudgedByTheLinkAndNotByALimit() {
        StopSettings downtime = new StopSettings(Duration.ofMillis(30), 30, 0, 0, false, NO_LIMIT);
        PreCopyRules rules = new PreCopyRules(plan(downtime, Unconverged.STOP, rate(50, 0)), PAGE_BYTES);
        // 50 MiB in a second as limited, and as much dirtied: the next round at 56 MiB/s, and so on up to 74 MiB/s.
        for (int round = 1; round <= 5; round++) {
            long pages = rules.bytesPerSecond() / PAGE_BYTES;
            assertEquals(Decision.NEXT_ROUND, decide(rules, round, pages, pages, 1_000_000_000));
        }
        assertEquals(ByteSize.ofMebibytes(80).bytes(), rules.bytesPerSecond());
        decide(rules, 6, 80 * 256, 1_000, 1_000_000_000);
        for (int round = 7; round <= 10; round++) {
            assertEquals(ByteSize.ofMebibytes(50).bytes(), rules.bytesPerSecond());
            assertEquals(Decision.NEXT_ROUND, decide(rules, round, 50 * 256, 1_000, 1_000_000_000));
        }
        // 600 pages take 29.3 ms at 80 MiB/s.
        assertEquals(
                Decision.NEXT_ROUND, decide(rules, 11, 50 * 256, 600, 1_000_000_000), "one more is worth its while");
        assertEquals(Decision.SUSPEND, decide(rules, 12, 600, 600, 10_000_000));
    }

    @Test
    void asLongAsRoundsShrinkByHalfAnotherOneFollowsThoughWhatIsLeftWouldFit() {
        StopSettings downtime = new StopSettings(Duration.ofMillis(30), 30, 0, 0, false, NO_LIMIT);
        PreCopyRules rules = new PreCopyRules(plan(downtime, Unconverged.STOP, RateLimit.NONE), PAGE_BYTES);
        assertEquals(Decision.NEXT_ROUND, decide(rules, 1, 60_000, 4_000, 60_000_000));
        assertEquals(Decision.NEXT_ROUND, decide(rules, 2, 4_000, 1_999, 4_000_000));
        assertEquals(Decision.SUSPEND, decide(rules, 3, 1_999, 1_000, 2_000_000));
    }

    @Test
    void aGuestWithMuchLeftIsSuspendedForGoodForCopyingItTwiceWouldTakeLonger() {
        StopSettings downtime = new StopSettings(Duration.ofMillis(500), 30, 0, 0, false, NO_LIMIT);
        PreCopyRules little = new PreCopyRules(plan(downtime, Unconverged.STOP, RateLimit.NONE), PAGE_BYTES);
        assertEquals(Decision.SUSPEND, decide(little, 1, 6_000, 4_096, 6_000_000));
        PreCopyRules much = new PreCopyRules(plan(downtime, Unconverged.STOP, RateLimit.NONE), PAGE_BYTES);
        assertEquals(Decision.SUSPEND_FOR_GOOD, decide(much, 1, 6_000, 4_097, 6_000_000));
    }

    @Test
    void fewPagesAreWorthNoFurtherRound() {
        StopSettings downtime = new StopSettings(Duration.ofMillis(30), 30, 0, 0, false, NO_LIMIT);
        PreCopyRules rules = new PreCopyRules(plan(downtime, Unconverged.STOP, RateLimit.NONE), PAGE_BYTES);
        assertEquals(Decision.SUSPEND, decide(rules, 1, 60_000, RoundHistory.FEW_PAGES, 60_000_000));
    }

    @Test
    void withSharedDisksTheFirstCheckpointIsTheLastForTheImagesGoOnChanging() {
        PreCopyRules rules = new PreCopyRules(
                new MigrationPlan(Mode.PRE_COPY, StopSettings.DEFAULTS, Unconverged.STOP, RateLimit.NONE, true, false),
                PAGE_BYTES);
        assertEquals(Decision.SUSPEND_FOR_GOOD, decide(rules, 1, 6_000, 0, 6_000_000));
    }

    private static Decision decide(PreCopyRules rules, int round, long sent, long left) {
        return decide(rules, round, sent, left, 1_000_000);
    }

    private static Decision decide(PreCopyRules rules, int round, long sent, long left, long nanos) {
        return rules.decide(new PreCopyRound(round, sent, sent, 0, 0, sent * PAGE_BYTES, nanos, 0), left);
    }
}
