package remus.migration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import remus.base.ByteSize;
import remus.migration.MigrationPlan.Mode;
import remus.migration.MigrationPlan.Unconverged;

class MigrationPlanTest {
    private static final ByteSize NONE = new ByteSize(0);

    private static MigrationPlan plan(StopSettings stop, Unconverged unconverged, RateLimit rate) {
        return new MigrationPlan(Mode.PRE_COPY, stop, unconverged, rate, false, false);
    }

    private static StopSettings settings(Duration maxDowntime, int maxRounds, int settled, ByteSize maxData) {
        return new StopSettings(maxDowntime, maxRounds, settled, 5, false, maxData);
    }

    private static RateLimit rate(long minMebibytes, long maxMebibytes) {
        return new RateLimit(
                ByteSize.ofMebibytes(minMebibytes), ByteSize.ofMebibytes(maxMebibytes), RateLimit.DEFAULT_STEP);
    }

    @Test
    void theDefaultsSayWhatEndsTheRoundsAndWhatFollowsIfNothingDoes() {
        assertEquals(
                List.of(
                        "Memory is copied while the guest runs, in rounds: first all of it, then each time what the guest has"
                                + " written since the round before began.",
                        "It is suspended, and the rest copied, as soon as a round leaves no page, what is left can be sent"
                                + " within 30ms at the rate measured and no longer halves from round to round or 5 rounds"
                                + " in succession leave the same number of pages (within 5 %).",
                        "If it writes too fast for that, it is suspended when 30 rounds are done; the downtime is then as"
                                + " long as it takes to send what is left.",
                        "All of it is sent as fast as the link takes it.",
                        "Where that leaves no more than 16 MiB, a few checkpoints make the destination ready before the"
                                + " guest is suspended for good; it pauses for each of them.",
                        "Disks are copied while the guest runs, what it writes to them meanwhile too."),
                MigrationPlan.DEFAULTS.sentences());
    }

    @Test
    void eachPolicyForAGuestThatWritesTooFastIsSaidBeforehand() {
        StopSettings stop = settings(Duration.ofMillis(30), 12, 0, ByteSize.ofMebibytes(4096));
        String limits = "another round could bring the page data sent beyond 4 GiB or 12 rounds are done";
        assertEquals(
                "If it writes too fast for that, it is suspended when " + limits
                        + "; the downtime is then as long as it takes to send what is left.",
                plan(stop, Unconverged.STOP, RateLimit.NONE).sentences().get(2));
        assertEquals(
                "If it writes too fast for that, it is slowed down: after the first round in which it wrote more than 50 %"
                        + " of what was sent it stands still for 20 % of the time, after each further one for 10 % more, up"
                        + " to 99 %. It is suspended all the same when " + limits + ".",
                plan(stop, Unconverged.AUTO_CONVERGE, RateLimit.NONE)
                        .sentences()
                        .get(2));
        assertEquals(
                "If it writes too fast for that, the migration is given up when " + limits
                        + ", and it runs on where it is.",
                plan(stop, Unconverged.ABORT, RateLimit.NONE).sentences().get(2));
    }

    @Test
    void withNoConditionButTheRoundsTheySayWhatIsLeftOfIt() {
        assertEquals(
                "Whatever it writes, it is suspended when 1 round is done; the downtime is then as long as it takes to send"
                        + " what is left.",
                plan(settings(Duration.ZERO, 1, 0, NONE), Unconverged.STOP, RateLimit.NONE)
                        .sentences()
                        .get(1));
    }

    @Test
    void theRateIsSaidAndThatTheRestIsNotLimited() {
        String rest = " What is left when the guest is suspended is sent as fast as the link takes it.";
        assertEquals(
                "Rounds are sent at no more than 50 MiB a second." + rest,
                plan(StopSettings.DEFAULTS, Unconverged.STOP, rate(0, 50))
                        .sentences()
                        .get(3));
        assertEquals(
                "The first round is sent at 10 MiB a second, each further one 6 MiB a second faster than the guest wrote in"
                        + " the one before, at most 50 MiB a second." + rest,
                plan(StopSettings.DEFAULTS, Unconverged.STOP, rate(10, 50))
                        .sentences()
                        .get(3));
        assertEquals(
                "The first round is sent at 10 MiB a second, each further one 6 MiB a second faster than the guest wrote in"
                        + " the one before." + rest,
                plan(StopSettings.DEFAULTS, Unconverged.STOP, rate(10, 0))
                        .sentences()
                        .get(3));
        assertTrue(plan(StopSettings.DEFAULTS, Unconverged.STOP, rate(10, 50))
                .sentences()
                .get(1)
                .endsWith(" or the next round would have to be faster than 50 MiB a second."));
    }

    @Test
    void stopTheWorldSaysNothingOfRounds() {
        assertEquals(
                List.of(
                        "The guest is suspended at once and stands still until it runs at the destination; all of its memory"
                                + " is copied meanwhile, as fast as the link takes it.",
                        "Disks are copied while the guest stands still."),
                new MigrationPlan(
                                Mode.STOP_THE_WORLD,
                                StopSettings.DEFAULTS,
                                Unconverged.STOP,
                                RateLimit.NONE,
                                false,
                                false)
                        .sentences());
    }

    @Test
    void sharedDisksAndTheComparisonAreSaid() {
        List<String> sentences = new MigrationPlan(
                        Mode.PRE_COPY, StopSettings.DEFAULTS, Unconverged.STOP, RateLimit.NONE, true, true)
                .sentences();
        assertEquals(
                List.of(
                        "Disks are not copied: both hosts must see the same images.",
                        "Both hosts compare all of the memory before the guest goes on: the downtime is longer by that."),
                sentences.subList(4, 6));
    }

    @Test
    void valuesOutOfRangeAreRefused() {
        Duration half = Duration.ofNanos(500_000);
        Duration tooLong = Duration.ofSeconds(61);
        Duration usual = Duration.ofMillis(30);
        assertThrows(IllegalArgumentException.class, () -> settings(half, 30, 5, NONE));
        assertThrows(IllegalArgumentException.class, () -> settings(tooLong, 30, 5, NONE));
        assertThrows(IllegalArgumentException.class, () -> settings(usual, 0, 5, NONE));
        assertThrows(IllegalArgumentException.class, () -> settings(usual, 1_001, 5, NONE));
        assertThrows(IllegalArgumentException.class, () -> settings(usual, 30, 1, NONE));
        assertThrows(IllegalArgumentException.class, () -> settings(usual, 30, 5, new ByteSize(4096)));
        assertThrows(IllegalArgumentException.class, () -> new StopSettings(usual, 30, 5, 51, true, NONE));
    }
}
