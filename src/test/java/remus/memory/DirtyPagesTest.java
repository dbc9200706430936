package remus.memory;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DirtyPagesTest {
    private static final int PAGES = 5_000;

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void itHoldsTheSamePagesAsABitSetWhateverIsAdded(long seed) {
        Random random = new Random(seed);
        DirtyPages pages = new DirtyPages();
        for (int round = 0; round < 50; round++) {
            pages.clear();
            BitSet model = new BitSet();
            int runs = random.nextInt(3_000);
            int ascending = 0;
            for (int i = 0; i < runs; i++) {
                boolean jump = random.nextInt(10) == 0;
                int first = jump ? random.nextInt(PAGES) : Math.min(PAGES - 1, ascending + random.nextInt(4));
                int count = random.nextInt(Math.min(8, PAGES - first) + 1);
                pages.add(first, count);
                model.set(first, first + count);
                ascending = first + count;
            }
            assertSame(model, pages, seed);
            int limit = random.nextInt(PAGES);
            pages.removeBelow(limit);
            model.clear(0, limit);
            assertSame(model, pages, seed);
            DirtyPages others = new DirtyPages();
            BitSet otherModel = new BitSet();
            for (int i = random.nextInt(500); i > 0; i--) {
                int first = random.nextInt(PAGES);
                int count = random.nextInt(Math.min(20, PAGES - first) + 1);
                others.add(first, count);
                otherModel.set(first, first + count);
            }
            DirtyPages common = new DirtyPages();
            common.addAll(pages);
            common.retainAll(others);
            BitSet commonModel = (BitSet) model.clone();
            commonModel.and(otherModel);
            assertSame(commonModel, common, seed);
            pages.removeAll(others);
            model.andNot(otherModel);
            assertSame(model, pages, seed);
            pages.removeAll(pages(0, PAGES));
            assertSame(new BitSet(), pages, seed);
        }
    }

    private static DirtyPages pages(long first, long count) {
        DirtyPages pages = new DirtyPages();
        pages.add(first, count);
        return pages;
    }

    private static void assertSame(BitSet model, DirtyPages pages, long seed) {
        assertEquals(model.cardinality(), pages.pageCount(), "seed " + seed);
        assertEquals(model.isEmpty(), pages.isEmpty());
        int next = 0;
        for (int run = 0; run < pages.runCount(); run++) {
            int first = model.nextSetBit(next);
            next = model.nextClearBit(first);
            assertEquals(first, pages.firstPage(run), "seed " + seed);
            assertEquals(next - first, pages.pageCount(run), "seed " + seed);
        }
        assertEquals(-1, model.nextSetBit(next), "seed " + seed);
    }

    @Test
    void theLargestGuestFits() {
        DirtyPages pages = new DirtyPages();
        pages.add(0, DirtyPages.MAX_PAGES);
        pages.add(DirtyPages.MAX_PAGES - 1, 1);
        assertEquals(1, pages.runCount());
        assertEquals(DirtyPages.MAX_PAGES, pages.pageCount());
        assertThrows(IllegalArgumentException.class, () -> pages.add(DirtyPages.MAX_PAGES, 1));
        assertThrows(IllegalArgumentException.class, () -> pages.add(-1, 1));
        assertThrows(IllegalArgumentException.class, () -> pages.add(1, -1));
    }

    @Test
    void onceWarmItAllocatesNothing() {
        DirtyPages pages = new DirtyPages();
        addScattered(pages);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < 100; i++) {
            pages.clear();
            addScattered(pages);
        }
        long allocated = threads.getCurrentThreadAllocatedBytes() - before;
        assertTrue(allocated < 4_096, "allocated " + allocated + " bytes for 1,000,000 runs");
    }

    private static void addScattered(DirtyPages pages) {
        for (int i = 0; i < 10_000; i++) {
            pages.add(3L * i, 1);
        }
    }
}
