package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import remus.api.MigrateRequest;
import remus.api.MigrationMode;
import remus.api.MigrationRound;
import remus.api.MigrationStage;
import remus.api.MigrationStatus;
import remus.api.WhenUnconverged;

/** A report that names a wrong end of its rounds is found out. */
class MigrationEndingTest {
    private static final MigrateRequest DEFAULTS = order(MigrationMode.PRE_COPY, null, null, null, null);

    private static MigrateRequest order(
            MigrationMode mode,
            @Nullable String maxDowntime,
            @Nullable Integer maxRounds,
            @Nullable String maxData,
            @Nullable WhenUnconverged policy) {
        return new MigrateRequest(
                null, mode, maxDowntime, maxRounds, null, null, null, maxData, policy, null, null, null, null, null);
    }

    /** @param left pages left by each round, of 1 MiB each */
    private static MigrationStatus report(@Nullable String stopCondition, long... left) {
        List<MigrationRound> rounds = new ArrayList<>();
        for (long pages : left) {
            rounds.add(new MigrationRound(rounds.size() + 1, 256, 256, 0, 0, 1 << 20, 1_000, 0, pages, 0));
        }
        return new MigrationStatus(
                "vm",
                "alpha",
                "beta:7420",
                MigrationMode.PRE_COPY,
                MigrationStage.DONE,
                List.of(),
                rounds,
                stopCondition,
                null,
                1 << 20,
                0,
                null,
                0,
                0,
                0,
                0,
                null,
                null,
                null);
    }

    private static @Nullable String contradiction(MigrateRequest order, MigrationStatus report) {
        return MigrationEnding.of(report).contradiction(order, report);
    }

    @Test
    void anEndThatNobodyKnowsAndNoneAreRefused() {
        assertThrows(AssertionError.class, () -> MigrationEnding.of(report("it was late", 1)));
        assertThrows(AssertionError.class, () -> MigrationEnding.of(report(null, 1)));
    }

    @Test
    void anEndThatWasNotAskedForIsAContradiction() {
        String fits = "1 page (4 KiB) left can be sent in 0.1 ms, within 30ms";
        assertNull(contradiction(DEFAULTS, report(fits, 1)));
        assertEquals(
                "fits-downtime was not asked for",
                contradiction(order(MigrationMode.PRE_COPY, "0ms", null, null, null), report(fits, 1)));
        assertNotNull(contradiction(order(MigrationMode.STOP_THE_WORLD, null, null, null, null), report(fits, 1)));
        String settled = "5 rounds in succession left 7 pages";
        assertNull(contradiction(DEFAULTS, report(settled, 7, 7, 7, 7, 7)));
        assertNotNull(contradiction(
                order(MigrationMode.PRE_COPY, null, null, null, WhenUnconverged.ABORT),
                report(settled, 7, 7, 7, 7, 7)));
        assertNotNull(contradiction(DEFAULTS, report("the guest stood still from the beginning", 0)));
    }

    @Test
    void anEndThatTheRoundsDoNotShowIsAContradiction() {
        assertNull(contradiction(DEFAULTS, report("round 2 left no page", 3, 0)));
        assertNotNull(contradiction(DEFAULTS, report("round 2 left no page", 3, 1)));
        MigrateRequest twoRounds = order(MigrationMode.PRE_COPY, null, 2, null, null);
        assertNull(contradiction(twoRounds, report("2 rounds were done, and 3 pages (12 KiB) left", 3, 3)));
        assertNotNull(contradiction(twoRounds, report("2 rounds were done, and 3 pages (12 KiB) left", 3)));
        assertNotNull(contradiction(DEFAULTS, report("5 rounds in succession left 6 to 7 pages", 9, 6, 7, 7, 7)));
        MigrateRequest data = order(MigrationMode.PRE_COPY, null, null, "2MiB", null);
        String usedUp = "2 MiB were sent, and the 1 page (4 KiB) left could bring that beyond 2 MiB";
        assertNull(contradiction(data, report(usedUp, 300, 1)));
        assertNotNull(contradiction(data, report(usedUp, 300, 0)));
    }
}
