package remus.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class InboundMirrorTest {
    private final InboundMirror mirror = new InboundMirror(100_000);
    private final Frames replayed = new Frames();

    @AfterEach
    void close() {
        mirror.close();
    }

    @Test
    void whatAWholeCheckpointMayNotContainIsReplayedInOrder() {
        add(1, "a");
        add(2, "b");
        add(3, "c");
        mirror.trim(2);
        assertEquals(2, mirror.frameCount());
        mirror.drain(replayed);
        assertEquals(List.of("b", "c"), replayed.texts());
        assertEquals(0, mirror.frameCount());
    }

    @Test
    void aMarkBeyondTheLastFrameDropsAll() {
        add(1, "a");
        mirror.trim(2);
        mirror.trim(2);
        assertEquals(0, mirror.frameCount());
        add(2, "b");
        mirror.drain(replayed);
        assertEquals(List.of("b"), replayed.texts());
    }

    @Test
    void aFullMirrorDropsTheOldestFramesAndCountsThem() {
        String large = "x".repeat(40_000);
        add(1, large + "1");
        add(2, large + "2");
        add(3, large + "3");
        assertEquals(1, mirror.droppedFrameCount());
        mirror.drain(replayed);
        assertEquals(List.of(large + "2", large + "3"), replayed.texts());
    }

    /** After a reconnection the primary sends again what it can't know to have arrived. */
    @Test
    void framesSentAgainAreKeptOnce() {
        add(1, "a");
        add(2, "b");
        add(3, "c");
        add(2, "b");
        add(3, "c");
        add(4, "d");
        mirror.drain(replayed);
        assertEquals(List.of("a", "b", "c", "d"), replayed.texts());
    }

    @Test
    void framesSentAgainThatAWholeCheckpointContainsAreNotReplayed() {
        add(1, "a");
        mirror.trim(3);
        add(1, "a");
        add(2, "contained too, though it comes for the first time");
        add(3, "c");
        mirror.drain(replayed);
        assertEquals(List.of("c"), replayed.texts());
    }

    private void add(long sequence, String text) {
        mirror.add(sequence, Frames.segment(text), 0, text.length());
    }
}
