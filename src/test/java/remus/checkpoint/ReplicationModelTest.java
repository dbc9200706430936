package remus.checkpoint;

import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import remus.base.Invariant.InvariantViolation;
import remus.checkpoint.ModelWorld.Sabotage;

/** The engine, the receiver and the output buffer together under random schedules; a failure names its seed. */
class ReplicationModelTest {
    private static final int STEPS = 3000;
    private static final int WORLDS = 100;

    @Test
    void outputIsNeverReleasedBeforeTheBackupAcknowledges() {
        long committed = 0;
        int sessions = 0;
        for (long seed = 1; seed <= WORLDS; seed++) {
            try (ModelWorld world = new ModelWorld(seed, Sabotage.NONE)) {
                run(seed, world, STEPS);
                named(seed, world::settle);
                named(seed, world::primaryDies);
                committed += world.committedEpoch();
                sessions += world.sessionNumber();
            }
        }
        assertTrue(committed > 20 * WORLDS, "too little happens for a proof: " + committed + " commits");
        assertTrue(sessions > WORLDS * 3 / 2, "sessions hardly ever follow each other: " + sessions);
    }

    @Test
    void aWholeCheckpointIsEnoughWheneverThePrimaryDies() {
        for (long seed = 10_001; seed <= 10_000 + WORLDS; seed++) {
            try (ModelWorld world = new ModelWorld(seed, Sabotage.NONE)) {
                run(seed, world, (int) (seed * 7919 % STEPS));
                named(seed, world::primaryDies);
            }
        }
    }

    /** The checks can fail: worlds that break one rule are caught. */
    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
    void aBrokenRuleIsCaught(Sabotage sabotage) {
        int worlds = 10;
        int caught = 0;
        for (long seed = 1; seed <= worlds; seed++) {
            if (isCaught(seed, sabotage)) {
                caught++;
            }
        }
        // A frame missing from the mirror shows only where the primary dies before the next checkpoint is whole.
        int least = sabotage == Sabotage.ONE_FRAME_IS_NOT_MIRRORED ? worlds / 3 : worlds;
        assertTrue(caught >= least, sabotage + " was caught in " + caught + " of " + worlds + " worlds");
    }

    private static boolean isCaught(long seed, Sabotage sabotage) {
        try (ModelWorld world = new ModelWorld(seed, sabotage)) {
            run(seed, world, 4 * STEPS);
            named(seed, world::primaryDies);
            return false;
        } catch (AssertionError e) {
            assertTrue(String.valueOf(e.getMessage()).contains("seed=" + seed), e::toString);
            return true;
        }
    }

    private static void run(long seed, ModelWorld world, int steps) {
        for (int step = 0; step < steps; step++) {
            int current = step;
            named(seed, () -> {
                try {
                    world.step();
                } catch (AssertionError | InvariantViolation e) {
                    throw new AssertionError("step=" + current + ": " + e.getMessage(), e);
                }
            });
        }
    }

    private static void named(long seed, Runnable work) {
        try {
            work.run();
        } catch (AssertionError | InvariantViolation | RuntimeException e) {
            throw new AssertionError("seed=" + seed + " " + e.getMessage(), e);
        }
    }
}
