package remus.memory;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class HotPagesTest {
    private final HotPages hot = new HotPages();
    private int epochs;

    private void epoch(long... firstAndCount) {
        DirtyPages written = new DirtyPages();
        for (int i = 0; i < firstAndCount.length; i += 2) {
            written.add(firstAndCount[i], firstAndCount[i + 1]);
        }
        // What is released counts as written, whether it was or not.
        written.addAll(hot.released());
        written.add(100_000 + 10_000L * epochs++, HotPages.MIN_EPOCH_PAGES);
        hot.nextEpoch(written);
    }

    private void epochs(int count, long... firstAndCount) {
        for (int i = 0; i < count; i++) {
            epoch(firstAndCount);
        }
    }

    private void expectReleased(long... firstAndCount) {
        assertEquals(firstAndCount.length / 2, hot.released().runCount(), hot.released()::toString);
        for (int run = 0; run < hot.released().runCount(); run++) {
            assertEquals(firstAndCount[2 * run], hot.released().firstPage(run));
            assertEquals(firstAndCount[2 * run + 1], hot.released().pageCount(run));
        }
    }

    @Test
    void pagesWrittenInEpochsRunningAreHotAndOthersAreNot() {
        epoch(10, 20, 100, 10);
        epochs(HotPages.EPOCHS_RUNNING - 2, 10, 20, 104, 10);
        expectReleased();
        epoch(12, 20, 100, 10);
        expectReleased(12, 18, 104, 6);
    }

    @Test
    void whereFewPagesAreWrittenNoneIsWorthTheLongerPause() {
        DirtyPages few = new DirtyPages();
        few.add(10, HotPages.MIN_EPOCH_PAGES);
        for (int i = 0; i < 2 * HotPages.EPOCHS_RUNNING; i++) {
            hot.nextEpoch(few);
        }
        expectReleased();
    }

    @Test
    void nowAndThenAllAreTrackedAndWhatIsNotWrittenAnyMoreFallsOut() {
        epochs(HotPages.EPOCHS_BETWEEN_LOOKS - 1, 10, 20, 100, 10);
        expectReleased(10, 20, 100, 10);
        epoch();
        expectReleased();
        epoch(100, 10);
        expectReleased(100, 10);
        epochs(HotPages.EPOCHS_BETWEEN_LOOKS, 10, 20, 100, 10);
        expectReleased(10, 20, 100, 10);
    }

    @Test
    void singlePagesAndMoreThanCanBeCopiedBesideTheSaveAreTracked() {
        epochs(HotPages.EPOCHS_RUNNING, 0, HotPages.MIN_RUN_PAGES - 1, 10, HotPages.MAX_PAGES, 5_000, 100);
        expectReleased(10, HotPages.MAX_PAGES);
        long[] many = new long[4 * HotPages.MAX_RUNS];
        for (int i = 0; i < many.length; i += 2) {
            many[i] = 100L * i;
            many[i + 1] = HotPages.MIN_RUN_PAGES;
        }
        epochs(2 * HotPages.EPOCHS_BETWEEN_LOOKS + HotPages.EPOCHS_RUNNING, many);
        assertEquals(HotPages.MAX_RUNS, hot.released().runCount());
        assertTrue(hot.released().pageCount() <= HotPages.MAX_PAGES);
    }
}
