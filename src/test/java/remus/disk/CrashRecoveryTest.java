package remus.disk;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import remus.disk.RedoWorld.Sabotage;

/** Log and images through power losses and failing disks; a failure names its seed and the operation it stopped at. */
class CrashRecoveryTest {
    /** Before that the log does not have its name yet: a write of the header, and a sync. */
    private static final int FIRST_OPERATION = 2;

    /** More operations than any history has. */
    private static final int MOST_OPERATIONS = 2000;

    @Test
    void wheneverThePowerGoesTheImagesEqualAWholeCheckpoint() throws Exception {
        long cuts = 0;
        for (long seed = 1; seed <= 12; seed++) {
            cuts += cutEverywhere(seed);
        }
        assertTrue(cuts > 500, "too little happens for a proof: " + cuts + " power losses");
    }

    private static long cutEverywhere(long seed) throws Exception {
        for (int operation = FIRST_OPERATION; operation < MOST_OPERATIONS; operation++) {
            if (!cutAt(seed, operation, Sabotage.NONE, false)) {
                return operation;
            }
        }
        throw new AssertionError("seed=" + seed + " never comes to its end");
    }

    @Test
    void failingDisksLoseNothingThatWasMadeSafe() throws Exception {
        for (long seed = 1001; seed <= 1400; seed++) {
            cutAt(seed, FIRST_OPERATION + (int) (seed * 7919 % 150), Sabotage.NONE, true);
        }
    }

    /** The checks can fail: worlds that break one rule are caught. */
    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
    void aBrokenRuleIsCaught(Sabotage sabotage) throws Exception {
        int caught = 0;
        for (long seed = 2001; seed <= 2200; seed++) {
            try {
                cutAt(
                        seed,
                        FIRST_OPERATION + (int) (seed * 7919 % 150),
                        sabotage,
                        sabotage == Sabotage.FAILED_SYNC_IS_JUST_REPEATED);
            } catch (AssertionError e) {
                caught++;
            }
        }
        assertTrue(caught >= 5, sabotage + " was caught " + caught + " times");
    }

    /** Returns whether the power went before the history's end. */
    private static boolean cutAt(long seed, int operation, Sabotage sabotage, boolean disksFail) throws Exception {
        try (RedoWorld world = new RedoWorld(seed, sabotage)) {
            if (disksFail) {
                world.withFailingDisks();
            }
            world.power.cutAfter(operation);
            try {
                world.run();
                boolean isCut = world.power.isOff();
                Random chance = new Random(seed * 31 + operation);
                world.countOnlyEpochsThatWrote();
                world.check(world.recover(chance, chance.nextInt(3)));
                return isCut;
            } catch (AssertionError | RuntimeException | DiskException e) {
                throw new AssertionError("seed=%d operation=%d: %s".formatted(seed, operation, e.getMessage()), e);
            }
        }
    }
}
