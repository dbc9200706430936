package remus.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import remus.base.Invariant.InvariantViolation;

class FrameRingTest {
    private static final int HEADER_BYTES = 12;
    private static final int SMALLEST_RING = FrameRing.MAX_FRAME_BYTES + HEADER_BYTES;

    private record Frame(long tag, String text) {}

    @Test
    void framesComeOutInTheOrderInWhichTheyWentIn() {
        try (FrameRing ring = new FrameRing(SMALLEST_RING)) {
            assertTrue(offer(ring, 1, "one"));
            assertTrue(offer(ring, 1, "two"));
            assertTrue(offer(ring, 3, "three"));
            assertEquals(3, ring.frameCount());
            assertEquals(11, ring.frameBytes());
            assertEquals(List.of(new Frame(1, "one"), new Frame(1, "two"), new Frame(3, "three")), contents(ring));
            assertEquals(new Frame(1, "one"), take(ring));
            assertEquals(new Frame(1, "two"), take(ring));
            assertEquals(3, ring.headTag());
            assertEquals(new Frame(3, "three"), take(ring));
            assertTrue(ring.isEmpty());
            assertEquals(0, ring.frameBytes());
        }
    }

    @Test
    void theLargestFrameFitsIntoTheSmallestRingWheneverItIsEmpty() {
        String largest = "x".repeat(FrameRing.MAX_FRAME_BYTES);
        try (FrameRing ring = new FrameRing(SMALLEST_RING)) {
            for (int i = 0; i < 3; i++) {
                assertTrue(offer(ring, i, "moves the head"));
                ring.removeHead();
                assertTrue(offer(ring, i, largest));
                assertFalse(offer(ring, i, "y"));
                assertEquals(new Frame(i, largest), take(ring));
            }
        }
    }

    @Test
    void aRefusedFrameChangesNothing() {
        try (FrameRing ring = new FrameRing(SMALLEST_RING)) {
            assertTrue(offer(ring, 1, "kept"));
            assertFalse(offer(ring, 2, "x".repeat(FrameRing.MAX_FRAME_BYTES)));
            assertEquals(List.of(new Frame(1, "kept")), contents(ring));
            assertTrue(offer(ring, 1, "also kept"));
        }
    }

    @Test
    void aVisitorThatFailsLosesNoFrame() {
        try (FrameRing ring = new FrameRing(SMALLEST_RING)) {
            assertTrue(offer(ring, 1, "kept"));
            assertThrows(
                    IllegalStateException.class,
                    () -> ring.take((tag, memory, offset, length) -> {
                        throw new IllegalStateException("the sink is broken");
                    }));
            assertEquals(List.of(new Frame(1, "kept")), contents(ring));
        }
    }

    @Test
    void numbersNeverDecreaseExceptFromAnEmptyRingOn() {
        try (FrameRing ring = new FrameRing(SMALLEST_RING)) {
            assertTrue(offer(ring, 7, "seven"));
            assertThrows(InvariantViolation.class, () -> offer(ring, 6, "six"));
            ring.removeHead();
            assertTrue(offer(ring, 1, "a new session begins at one"));
        }
    }

    @Test
    void whatIsNotThereCannotBeTaken() {
        try (FrameRing ring = new FrameRing(SMALLEST_RING)) {
            assertThrows(InvariantViolation.class, ring::headTag);
            assertThrows(InvariantViolation.class, ring::removeHead);
            assertThrows(InvariantViolation.class, () -> offer(ring, 1, ""));
            assertThrows(IllegalArgumentException.class, () -> new FrameRing(SMALLEST_RING - 1));
        }
    }

    /** Each remainder at the ring's end: none, too small for a mark, too small for a header, too small for the frame. */
    @Test
    void eachRemainderAtTheEndIsSkippedAndGivenBack() {
        for (int remainder = 0; remainder <= 40; remainder++) {
            try (FrameRing ring = new FrameRing(SMALLEST_RING)) {
                String small = "small".repeat(100);
                String filler = "x".repeat(FrameRing.MAX_FRAME_BYTES - small.length() - HEADER_BYTES - remainder);
                assertTrue(offer(ring, 1, small), "remainder=" + remainder);
                assertTrue(offer(ring, 2, filler), "remainder=" + remainder);
                ring.removeHead();
                assertTrue(offer(ring, 3, "a frame of thirty-two bytes here"), "remainder=" + remainder);
                assertTrue(offer(ring, 4, "w"), "remainder=" + remainder);
                assertEquals(
                        List.of(
                                new Frame(2, filler),
                                new Frame(3, "a frame of thirty-two bytes here"),
                                new Frame(4, "w")),
                        contents(ring),
                        "remainder=" + remainder);
                ring.removeHead();
                ring.removeHead();
                assertEquals(new Frame(4, "w"), take(ring), "remainder=" + remainder);
                assertTrue(offer(ring, 5, "x".repeat(FrameRing.MAX_FRAME_BYTES)), "remainder=" + remainder);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void itBehavesAsAListWouldAndLosesNoRoom(long seed) {
        Random random = new Random(seed);
        int capacity = SMALLEST_RING + random.nextInt(5000);
        int largest = 1 + random.nextInt(20_000);
        Deque<Frame> model = new ArrayDeque<>();
        long modelBytes = 0;
        long tag = 0;
        try (FrameRing ring = new FrameRing(capacity)) {
            for (int step = 0; step < 4000; step++) {
                String where = "seed=" + seed + " step=" + step;
                // Phases in which it fills and in which it empties, so that both ends are met.
                boolean filling = (step / 200) % 2 == 0;
                if (random.nextInt(10) < (filling ? 7 : 3)) {
                    tag += random.nextInt(2);
                    int length = 1 + random.nextInt(largest);
                    Frame frame = new Frame(
                            tag, String.valueOf((char) ('a' + step % 26)).repeat(length));
                    if (offer(ring, tag, frame.text())) {
                        model.add(frame);
                        modelBytes += HEADER_BYTES + length;
                    } else {
                        long unusable = 2L * (HEADER_BYTES + largest);
                        assertTrue(modelBytes + unusable > capacity, () -> where + ": refused with room left");
                    }
                } else if (!model.isEmpty()) {
                    Frame expected = model.remove();
                    assertEquals(expected.tag(), ring.headTag(), where);
                    assertEquals(expected, take(ring), where);
                    modelBytes -= HEADER_BYTES + expected.text().length();
                }
                assertEquals(model.size(), ring.frameCount(), where);
                assertEquals(modelBytes - (long) HEADER_BYTES * model.size(), ring.frameBytes(), where);
                if (step % 50 == 0) {
                    assertEquals(List.copyOf(model), contents(ring), where);
                }
            }
        }
    }

    private static boolean offer(FrameRing ring, long tag, String text) {
        MemorySegment source = Frames.segment("#" + text);
        return ring.offer(tag, source, 1, text.length());
    }

    private static Frame take(FrameRing ring) {
        List<Frame> taken = new ArrayList<>();
        ring.take((tag, memory, offset, length) -> taken.add(new Frame(tag, Frames.text(memory, offset, length))));
        return taken.getFirst();
    }

    private static List<Frame> contents(FrameRing ring) {
        List<Frame> all = new ArrayList<>();
        ring.forEach((tag, memory, offset, length) -> all.add(new Frame(tag, Frames.text(memory, offset, length))));
        return all;
    }
}
