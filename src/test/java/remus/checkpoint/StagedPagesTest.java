package remus.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import remus.base.ErrorCategory;
import remus.base.Invariant.InvariantViolation;

class StagedPagesTest {
    private static final int PAGE_BYTES = 4096;
    private static final int PAGES_PER_BLOCK = StagedPages.BLOCK_BYTES / PAGE_BYTES;

    @Test
    void runsKeepTheirOrderAndTheLaterCopyOfAPageCounts() throws Exception {
        byte[] memory = randomBytes(1, 8 * PAGE_BYTES);
        try (StagedPages pages = new StagedPages(PAGE_BYTES, 64 * PAGE_BYTES)) {
            pages.append(2, 3, MemorySegment.ofArray(memory), 2 * PAGE_BYTES);
            byte[] later = randomBytes(2, PAGE_BYTES);
            pages.append(3, 1, MemorySegment.ofArray(later), 0);
            pages.appendZero(6, 2);
            assertEquals(6, pages.pageCount());
            assertEquals(2, pages.zeroPageCount());
            assertEquals(4 * PAGE_BYTES, pages.dataBytes());

            byte[] expected = new byte[8 * PAGE_BYTES];
            System.arraycopy(memory, 2 * PAGE_BYTES, expected, 2 * PAGE_BYTES, 3 * PAGE_BYTES);
            System.arraycopy(later, 0, expected, 3 * PAGE_BYTES, PAGE_BYTES);
            byte[] target = new byte[8 * PAGE_BYTES];
            Arrays.fill(target, 6 * PAGE_BYTES, 8 * PAGE_BYTES, (byte) 7);
            applyTo(target, pages);
            assertArrayEquals(expected, target);
        }
    }

    @Test
    void aRunThatMeetsTheEndOfABlockGoesOnInTheNext() throws Exception {
        int count = 2 * PAGES_PER_BLOCK + 5;
        byte[] memory = randomBytes(3, count * PAGE_BYTES);
        try (StagedPages pages = new StagedPages(PAGE_BYTES, (long) (count + 7) * PAGE_BYTES)) {
            pages.append(0, 7, MemorySegment.ofArray(memory), 0);
            pages.append(0, count, MemorySegment.ofArray(memory), 0);
            for (int run = 0; run < pages.runCount(); run++) {
                assertTrue(pages.dataOffset(run) + pages.pageCount(run) * PAGE_BYTES <= StagedPages.BLOCK_BYTES);
            }
            byte[] target = new byte[memory.length];
            applyTo(target, pages);
            assertArrayEquals(memory, target);
        }
    }

    @Test
    void clearedMemoryIsUsedAgain() throws Exception {
        byte[] memory = randomBytes(4, 600 * PAGE_BYTES);
        try (StagedPages pages = new StagedPages(PAGE_BYTES, 600L * PAGE_BYTES)) {
            for (int use = 0; use < 4; use++) {
                pages.clear();
                assertEquals(0, pages.pageCount());
                assertEquals(0, pages.runCount());
                for (int page = 0; page < 600; page++) {
                    pages.append(page, 1, MemorySegment.ofArray(memory), (long) page * PAGE_BYTES);
                }
                byte[] target = new byte[memory.length];
                applyTo(target, pages);
                assertArrayEquals(memory, target);
                assertEquals(600L * PAGE_BYTES, pages.allocatedBytes());
            }
        }
    }

    @Test
    void aSmallGuestsStagingTakesNoMoreThanItsLimit() throws Exception {
        MemorySegment memory = MemorySegment.ofArray(randomBytes(7, 3 * PAGE_BYTES));
        try (StagedPages pages = new StagedPages(PAGE_BYTES, 2L * PAGE_BYTES + 1)) {
            pages.append(0, 2, memory, 0);
            assertThrows(CheckpointException.class, () -> pages.append(2, 1, memory, 0));
            assertEquals(3L * PAGE_BYTES, pages.allocatedBytes(), "whole pages");
        }
    }

    @Test
    void itHoldsExactlyAsMuchAsItsLimit() throws Exception {
        MemorySegment memory = MemorySegment.ofArray(randomBytes(5, (PAGES_PER_BLOCK + 1) * PAGE_BYTES));
        try (StagedPages pages = new StagedPages(PAGE_BYTES, StagedPages.BLOCK_BYTES)) {
            pages.append(0, PAGES_PER_BLOCK, memory, 0);
            CheckpointException failure =
                    assertThrows(CheckpointException.class, () -> pages.append(PAGES_PER_BLOCK, 1, memory, 0));
            assertEquals(ErrorCategory.DEGRADE, failure.category());
            assertTrue(String.valueOf(failure.getMessage()).contains("4 MiB"), failure.getMessage());
            pages.appendZero(PAGES_PER_BLOCK, 1);
        }
    }

    @Test
    void pagesThatDoNotFitLeaveNoTrace() throws Exception {
        MemorySegment memory = MemorySegment.ofArray(randomBytes(6, (PAGES_PER_BLOCK + 1) * PAGE_BYTES));
        try (StagedPages pages = new StagedPages(PAGE_BYTES, StagedPages.BLOCK_BYTES)) {
            pages.append(0, 3, memory, 0);
            assertThrows(CheckpointException.class, () -> pages.append(0, PAGES_PER_BLOCK + 1, memory, 0));
            assertEquals(3, pages.pageCount());
            assertEquals(1, pages.runCount());
            pages.append(3, PAGES_PER_BLOCK - 3, memory, 0);
        }
    }

    @Test
    void contradictionsAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> new StagedPages(3000, 1 << 20));
        assertThrows(IllegalArgumentException.class, () -> new StagedPages(0, 1 << 20));
        try (StagedPages pages = new StagedPages(PAGE_BYTES, 1 << 20)) {
            assertThrows(InvariantViolation.class, () -> pages.appendZero(-1, 1));
            assertThrows(InvariantViolation.class, () -> pages.appendZero(0, 0));
        }
    }

    private static void applyTo(byte[] memory, StagedPages pages) {
        for (int run = 0; run < pages.runCount(); run++) {
            int at = Math.toIntExact(pages.firstPage(run) * PAGE_BYTES);
            int bytes = pages.pageCount(run) * PAGE_BYTES;
            if (pages.isZero(run)) {
                Arrays.fill(memory, at, at + bytes, (byte) 0);
            } else {
                MemorySegment.copy(pages.data(run), ValueLayout.JAVA_BYTE, pages.dataOffset(run), memory, at, bytes);
            }
        }
    }

    private static byte[] randomBytes(long seed, int length) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }
}
