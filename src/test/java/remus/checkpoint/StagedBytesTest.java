package remus.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

class StagedBytesTest {
    @Test
    void itGrowsAndKeepsWhatItHas() throws Exception {
        StringBuilder expected = new StringBuilder();
        try (StagedBytes bytes = new StagedBytes(1 << 20)) {
            for (int i = 0; i < 2000; i++) {
                String part = "part " + i + ";";
                expected.append(part);
                bytes.append(Frames.segment("--" + part), 2, part.length());
            }
            assertEquals(expected.toString(), Frames.text(bytes.segment(), 0, (int) bytes.size()));
            bytes.clear();
            assertEquals(0, bytes.size());
        }
    }

    @Test
    void roomThatWasReservedCountsOnlyWhenItIsUsed() throws Exception {
        try (StagedBytes bytes = new StagedBytes(100_000)) {
            bytes.append(Frames.segment("abc"), 0, 3);
            MemorySegment room = bytes.reserve(50_000);
            room.set(JAVA_BYTE, bytes.size(), (byte) 'd');
            assertEquals(3, bytes.size());
            bytes.advance(1);
            assertEquals("abcd", Frames.text(bytes.segment(), 0, (int) bytes.size()));
        }
    }

    @Test
    void itHoldsExactlyAsMuchAsItsLimit() throws Exception {
        try (StagedBytes bytes = new StagedBytes(6)) {
            bytes.append(Frames.segment("abcdef"), 0, 6);
            assertThrows(CheckpointException.class, () -> bytes.append(Frames.segment("g"), 0, 1));
            assertThrows(CheckpointException.class, () -> bytes.reserve(Long.MAX_VALUE));
            assertEquals("abcdef", Frames.text(bytes.segment(), 0, (int) bytes.size()));
        }
    }
}
