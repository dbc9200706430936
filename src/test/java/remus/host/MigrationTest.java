package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import remus.api.MigrationSettling;
import remus.api.MigrationStage;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.checkpoint.PreCopyPolicy.Decision;
import remus.checkpoint.PreCopyRound;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;
import remus.migration.MigrationPlan;

/** What a migration says of itself while its session goes on. */
class MigrationTest {
    private static final long MEMORY_BYTES = 64L << 20;
    private static final int PAGE_BYTES = 4096;
    private static final long FEW = 100;
    private static final long MANY = 8_000;

    private final SettableTime time = new SettableTime();

    private Migration migration(boolean verify) {
        MigrationPlan plan = new MigrationPlan(
                MigrationPlan.DEFAULTS.mode(),
                MigrationPlan.DEFAULTS.stop(),
                MigrationPlan.DEFAULTS.unconverged(),
                MigrationPlan.DEFAULTS.rate(),
                false,
                verify);
        Migration migration = new Migration(
                new Migration.Order(
                        "shop", "alpha", new HostAddress("192.0.2.7", 7420), MEMORY_BYTES, false, false, plan),
                time);
        migration.ready(false);
        return migration;
    }

    /** All rounds, with so many pages left after each. */
    private void push(Migration migration, long pagesLeft) {
        Decision decision = migration.decide(null, MEMORY_BYTES / PAGE_BYTES);
        for (int round = 1; decision == Decision.NEXT_ROUND; round++) {
            time.wallMillis.addAndGet(10);
            decision = migration.decide(
                    new PreCopyRound(round, pagesLeft, pagesLeft, 0, 0, pagesLeft * PAGE_BYTES, 10_000_000, 0),
                    pagesLeft);
        }
        migration.firstCheckpoint();
    }

    private void take(Migration migration) {
        try (StagedPages pages = new StagedPages(PAGE_BYTES, 1 << 20);
                StagedCheckpoint checkpoint = new StagedCheckpoint(pages, 1 << 16)) {
            time.wallMillis.addAndGet(5);
            migration.taken(checkpoint, 2_000_000);
        }
    }

    @Test
    void withLittleLeftAFewCheckpointsAreCommittedBeforeTheLastOne() {
        Migration migration = migration(false);
        push(migration, FEW);
        assertEquals(MigrationStage.SETTLING, migration.status().stage());
        for (int epoch = 1; epoch <= Migration.SETTLING_CHECKPOINTS; epoch++) {
            assertFalse(migration.wantsLast(new EpochId(epoch - 1)), "epoch " + epoch);
            take(migration);
        }
        assertTrue(migration.wantsLast(new EpochId(Migration.SETTLING_CHECKPOINTS)));
        migration.takesLast();
        assertFalse(migration.wantsLast(new EpochId(Migration.SETTLING_CHECKPOINTS)), "it is on its way");
        assertEquals(MigrationStage.STOP_AND_COPY, migration.status().stage());
        take(migration);
        MigrationSettling settling = migration.status().settling();
        assertNotNull(settling);
        assertEquals(Migration.SETTLING_CHECKPOINTS, settling.checkpoints(), "the last one is not among them");
        assertEquals(2_000L * Migration.SETTLING_CHECKPOINTS, settling.pauseMicros());
        assertEquals(5_000L * Migration.SETTLING_CHECKPOINTS, settling.micros());
    }

    @Test
    void withMuchLeftTheFirstCheckpointIsTheLastOne() {
        Migration migration = migration(false);
        push(migration, MANY);
        assertEquals(MigrationStage.STOP_AND_COPY, migration.status().stage());
        assertFalse(migration.wantsLast(new EpochId(Migration.SETTLING_CHECKPOINTS)));
        assertNull(migration.status().settling());
    }

    @Test
    void aMigrationThatWasGivenUpWantsNoLastCheckpointAnyMore() {
        Migration migration = migration(false);
        push(migration, FEW);
        EpochId last = new EpochId(Migration.SETTLING_CHECKPOINTS);
        assertTrue(migration.wantsLast(last));
        migration.failed("cancelled by command");
        assertFalse(migration.wantsLast(last), "the guest would stand still for nobody");
    }

    @Test
    void whatHasEndedStaysAsItEndedWhateverItsSessionStillDoes() {
        Migration migration = migration(false);
        push(migration, FEW);
        migration.failed("cancelled by command");
        migration.takesLast();
        take(migration);
        migration.handingOver();
        assertEquals(MigrationStage.FAILED, migration.status().stage());
        assertEquals(0, migration.status().stopAndCopyPages());
        assertNull(migration.status().settling());
        assertEquals("cancelled by command", migration.status().reason());
    }

    @Test
    void aProtectedVmIsSaidToHaveNoBackupMeanwhile() {
        Migration migration = new Migration(
                new Migration.Order(
                        "shop",
                        "alpha",
                        new HostAddress("192.0.2.7", 7420),
                        MEMORY_BYTES,
                        true,
                        false,
                        MigrationPlan.DEFAULTS),
                time);
        assertTrue(migration.status().plan().getFirst().contains("until then it has none"));
    }

    @Test
    void aBackupThatGetsItsVmIsSaidToBeSwitchedOverToAndNoRoundsArePlanned() {
        Migration migration = new Migration(
                new Migration.Order(
                        "shop",
                        "alpha",
                        new HostAddress("192.0.2.7", 7420),
                        MEMORY_BYTES,
                        true,
                        true,
                        MigrationPlan.DEFAULTS),
                time);
        migration.takesLast();
        take(migration);
        assertEquals(1, migration.status().plan().size());
        assertTrue(migration.status().plan().getFirst().contains("as by remus switchover"));
        assertNull(migration.status().settling());
    }

    @Test
    void onlyTheLastCheckpointIsCompared() {
        Migration migration = migration(true);
        push(migration, FEW);
        assertFalse(migration.wantsDigest());
        migration.takesLast();
        assertTrue(migration.wantsDigest());
        assertTrue(migration.awaitsVerification());
        migration.verified(true);
        assertFalse(migration.awaitsVerification());
        Migration unverified = migration(false);
        push(unverified, FEW);
        unverified.takesLast();
        assertFalse(unverified.wantsDigest());
    }

    @Test
    void whatTheDestinationSaysOfTheDowntimeIsToldAndNothingElse() {
        Migration migration = migration(false);
        push(migration, FEW);
        migration.takesLast();
        migration.done(new Switchover(2_000_000, 10_000_000, 11_000_000).figures("alpha", 11_500_000));
        assertEquals(3_000L, migration.status().downtimeMicros());
        assertEquals(3_500L, migration.status().outputMicros());
        Migration silent = migration(false);
        silent.done(SwitchoverFigures.UNKNOWN);
        assertNull(silent.status().downtimeMicros());
        assertNull(silent.status().outputMicros());
    }
}
