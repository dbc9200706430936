package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.checkpoint.CheckpointException;
import remus.wire.CheckpointBegin;
import remus.wire.EthernetFrames;
import remus.wire.PageRuns;

/** What is taken of a host that has handed its VM over. */
class MirroredInputTest {
    private final List<String> taken = new ArrayList<>();
    private final MirroredInput input = new MirroredInput(
            (sequence, memory, offset, length) -> taken.add("frame " + sequence + " of " + length + " bytes"));

    @Test
    void whatStillComesForTheGuestIsTakenInOrder() throws Exception {
        ByteBuffer payload = ByteBuffer.wrap(new byte[] {0, 0, 0, 2, 0, 0, 0, 2, 7, 8, 0, 0, 0, 1, 9});
        EthernetFrames frames = new EthernetFrames();
        frames.decode(payload, MemorySegment.ofBuffer(payload));
        input.inboundFrames(41, frames);
        assertEquals(List.of("frame 41 of 2 bytes", "frame 42 of 1 bytes"), taken);
    }

    @Test
    void nothingComesThatWouldChangeAGuestThatRunsHere() {
        EpochId epoch = new EpochId(9);
        PageRuns runs = new PageRuns(16, 4096);
        CheckpointBegin begin = new CheckpointBegin(false, false, 0, 0);
        MemorySegment bytes = MemorySegment.ofArray(new byte[8]);
        assertEquals(
                ErrorCategory.RETRY,
                assertThrows(CheckpointException.class, () -> input.pages(epoch, runs))
                        .category(),
                "the connection is dropped, and nothing else happens");
        assertThrows(CheckpointException.class, () -> input.zeroPages(epoch, runs));
        assertThrows(CheckpointException.class, () -> input.checkpointBegin(epoch, begin));
        assertThrows(CheckpointException.class, () -> input.deviceState(epoch, 0, 8, bytes));
        assertEquals(List.of(), taken);
    }

    @Test
    void signsOfLifeAndOrdersSaidOnceMoreAreNotHeeded() {
        input.heartbeat(new EpochId(9));
        input.released(new EpochId(9));
        input.handOver(1_000_000, "by command");
        assertEquals(List.of(), taken);
    }
}
