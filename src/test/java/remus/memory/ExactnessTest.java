package remus.memory;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import remus.checkpoint.StagedCheckpoint;

/** Compares the whole RAM of a running guest, checkpoint by checkpoint, with a copy made of reported pages alone. */
@Tag("system")
@Timeout(180)
class ExactnessTest {
    private static final int CHECKPOINTS = 200;
    private static final int LOOPS_PER_EPOCH = 4;
    private static final int ROUNDS = 4;
    /** Each so manieth epoch is so many times longer; every second one that follows may be copied ahead. */
    private static final int LONG_EPOCH = 7;

    /** About 1 ms of TCG on a machine of today. */
    private static final int TCG_SPIN = 100_000;

    private static final int KVM_SPIN = 2_000;
    private static final int KVM_LOOPS_PER_EPOCH = 400;

    @TempDir
    Path directory;

    @ParameterizedTest
    @CsvSource({"ASYNC, ONE_RESETTING_SCAN", "ASYNC, FIND_THEN_RESET", "SYNC, ONE_RESETTING_SCAN"})
    void everyCheckpointEqualsTheWholeMemoryUnderTcg(DirtyTracking.Choice choice, ResetStrategy strategy)
            throws Exception {
        try (TestVm vm = new TestVm(directory, TestGuest.WRITER, "tcg", TestGuest.MEMORY_BYTES, TCG_SPIN);
                TrackedVm tracked = new TrackedVm(vm, choice, strategy, GuestMemoryDevice.NO_DIGESTS)) {
            assertEveryCheckpointExact(tracked, LOOPS_PER_EPOCH);
        }
    }

    @ParameterizedTest
    @CsvSource({"ASYNC", "SYNC"})
    void everyCheckpointEqualsTheWholeMemoryUnderKvm(DirtyTracking.Choice choice) throws Exception {
        Assumptions.assumeTrue(TestVm.kvmIsUsable(), "no usable /dev/kvm: KVM not tested");
        try (TestVm vm = new TestVm(directory, TestGuest.RING3, "kvm", TestGuest.MEMORY_BYTES, KVM_SPIN);
                TrackedVm tracked =
                        new TrackedVm(vm, choice, ResetStrategy.FIND_THEN_RESET, GuestMemoryDevice.NO_DIGESTS)) {
            assertEveryCheckpointExact(tracked, KVM_LOOPS_PER_EPOCH);
        }
    }

    private static void assertEveryCheckpointExact(TrackedVm tracked, int loopsPerEpoch) throws Exception {
        tracked.vm.awaitLoops(tracked.memory, loopsPerEpoch);
        for (int round = 1; round <= ROUNDS; round++) {
            // The second round is broken off: what it has not copied must come later.
            long pages = tracked.preCopyRound(round == 2 ? 0 : Integer.MAX_VALUE);
            assertTrue(round > 1 || pages == tracked.memory.pageCount(), "round 1 has all pages");
            tracked.vm.awaitLoops(tracked.memory, loopsPerEpoch);
        }
        long dirty = 0;
        int staleBefore = 0;
        for (int i = 1; i <= CHECKPOINTS; i++) {
            // Now and then many pages: some of them are copied ahead then whatever the tracker can do.
            tracked.vm.awaitLoops(tracked.memory, i % LONG_EPOCH == 0 ? LONG_EPOCH * loopsPerEpoch : loopsPerEpoch);
            if (tracked.firstWrongPage() >= 0) {
                staleBefore++;
            }
            dirty += tracked.takeCheckpoint().pages().pageCount();
            assertEquals(-1, tracked.firstWrongPage(), "first wrong page at checkpoint " + i);
            tracked.resume();
        }
        assertEquals(CHECKPOINTS, staleBefore, "the guest must have changed its memory in every epoch");
        System.err.printf(
                "%s: %d whole-memory comparisons, 0 wrong, %d dirty pages a checkpoint, %d copied ahead,"
                        + " %d of %d times quiet, %d pages released%n",
                tracked.tracker.mode(),
                CHECKPOINTS,
                dirty / CHECKPOINTS,
                tracked.copiedAheadCount(),
                tracked.tracker.quiet(),
                tracked.tracker.quiet() + tracked.tracker.notQuiet(),
                tracked.tracker.released());
        assertTrue(tracked.copiedAheadCount() > 0, "some must have been copied ahead");
        if (tracked.tracker.knowsQuiet()) {
            assertTrue(tracked.tracker.quiet() > 0, "nothing was written while devices were saved, now and then");
            assertTrue(tracked.tracker.released() > 0, "some pages are written all the time");
        }
    }

    @Test
    void aFirstCheckpointWithoutRoundsHasTheWholeMemory() throws Exception {
        try (TestVm vm = new TestVm(directory, TestGuest.WRITER, "tcg", TestGuest.MEMORY_BYTES, TCG_SPIN);
                TrackedVm tracked = new TrackedVm(
                        vm,
                        DirtyTracking.Choice.AUTO,
                        ResetStrategy.ONE_RESETTING_SCAN,
                        GuestMemoryDevice.NO_DIGESTS)) {
            vm.awaitLoops(tracked.memory, LOOPS_PER_EPOCH);
            tracked.takeCheckpoint();
            assertEquals(-1, tracked.firstWrongPage());
        }
    }

    @Test
    void aCheckpointThatLosesOneDirtyPageIsNoticed() throws Exception {
        try (TestVm vm = new TestVm(directory, TestGuest.WRITER, "tcg", TestGuest.MEMORY_BYTES, TCG_SPIN);
                TrackedVm tracked = new TrackedVm(
                        vm,
                        DirtyTracking.Choice.AUTO,
                        ResetStrategy.ONE_RESETTING_SCAN,
                        GuestMemoryDevice.NO_DIGESTS)) {
            vm.awaitLoops(tracked.memory, LOOPS_PER_EPOCH);
            tracked.takeCheckpoint();
            assertEquals(-1, tracked.firstWrongPage());
            tracked.resume();
            vm.awaitLoops(tracked.memory, LOOPS_PER_EPOCH);
            tracked.arrives = page -> page != TestGuest.COUNTER_PAGE;
            tracked.takeCheckpoint();
            assertEquals(TestGuest.COUNTER_PAGE, tracked.firstWrongPage());
        }
    }

    @Test
    void digestsOfBothSidesAreEqualForTheSameCheckpointOnly() throws Exception {
        try (TestVm vm = new TestVm(directory, TestGuest.WRITER, "tcg", TestGuest.MEMORY_BYTES, TCG_SPIN);
                TrackedVm tracked = new TrackedVm(
                        vm,
                        DirtyTracking.Choice.AUTO,
                        ResetStrategy.ONE_RESETTING_SCAN,
                        epoch -> epoch.value() % 3 == 0)) {
            for (int i = 1; i <= 9; i++) {
                vm.awaitLoops(tracked.memory, LOOPS_PER_EPOCH);
                byte[] before = tracked.copy.digest();
                StagedCheckpoint checkpoint = tracked.takeCheckpoint();
                byte[] digest = checkpoint.memoryDigest();
                assertEquals(i % 3 == 0, digest != null, "a digest every third checkpoint");
                if (i % 3 == 0) {
                    assertNotNull(digest);
                    assertArrayEquals(digest, tracked.copy.digest());
                    assertTrue(!Arrays.equals(before, digest), "an older image has another digest");
                }
                tracked.resume();
            }
        }
    }
}
