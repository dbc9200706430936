package remus.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import remus.base.EpochId;
import remus.base.Invariant.InvariantViolation;

class OutputBufferTest {
    private static final long CAPACITY_BYTES = 200_000;

    private final OutputBuffer output = new OutputBuffer(CAPACITY_BYTES);
    private final StagedCheckpoint checkpoint = new StagedCheckpoint(new StagedPages(4096, 1 << 20), CAPACITY_BYTES);
    private final Frames left = new Frames();

    @AfterEach
    void closeAll() {
        output.close();
        checkpoint.close();
    }

    @Test
    void aFrameLeavesOnlyWhenItsEpochIsReleased() throws Exception {
        output.hold(epoch(1));
        offer("a1");
        offer("a2");
        seal(1);
        offer("b1");
        assertEquals(List.of(), left.texts());
        output.release(epoch(1), left);
        assertEquals(List.of("a1", "a2"), left.texts());
        seal(2);
        offer("c1");
        output.release(epoch(1), left);
        assertEquals(List.of("a1", "a2"), left.texts(), "the same acknowledgement again releases nothing");
        output.release(epoch(2), left);
        assertEquals(List.of("a1", "a2", "b1"), left.texts());
        assertEquals(3, output.releasedFrameCount());
        assertEquals(1, output.heldFrameCount());
    }

    @Test
    void oneAcknowledgementReleasesAllEpochsBeforeItInOrder() throws Exception {
        output.hold(epoch(1));
        offer("a");
        seal(1);
        offer("b");
        seal(2);
        offer("c");
        output.release(epoch(2), left);
        assertEquals(List.of("a", "b"), left.texts());
    }

    @Test
    void anEpochThatIsStillOpenIsNeverReleased() {
        output.hold(epoch(1));
        offer("a");
        assertThrows(InvariantViolation.class, () -> output.release(epoch(1), left));
        assertEquals(List.of(), left.texts());
    }

    @Test
    void aCheckpointCarriesTheFramesOfItsOwnEpochOnly() throws Exception {
        output.hold(epoch(1));
        offer("a1");
        seal(1);
        offer("b1");
        offer("b22");
        seal(2);
        assertEquals(List.of("b1", "b22"), staged());
        assertEquals(2, checkpoint.outputFrameCount());
        seal(3);
        assertEquals(List.of(), staged(), "an epoch without output");
    }

    @Test
    void epochsAreSealedWithoutAGap() {
        output.hold(epoch(1));
        assertThrows(InvariantViolation.class, () -> seal(2));
    }

    @Test
    void afterDiscardNothingLeavesWhateverIsAcknowledged() throws Exception {
        output.hold(epoch(1));
        offer("a");
        seal(1);
        offer("b");
        output.discard();
        offer("sent before the guest was paused");
        output.release(epoch(1), left);
        assertEquals(List.of(), left.texts());
        assertEquals(2, output.droppedFrameCount());
        assertEquals(OutputBuffer.Rule.HOLD, output.rule());
    }

    @Test
    void aSecondSessionHoldsAgainFromEpochOne() throws Exception {
        output.hold(epoch(1));
        offer("a");
        seal(1);
        offer("b");
        seal(2);
        output.release(epoch(1), left);
        output.flow(left);
        assertEquals(List.of("a", "b"), left.texts(), "alone: all that is held leaves, in order");
        assertEquals(OutputBuffer.Rule.FLOW, output.rule());

        output.hold(epoch(1));
        offer("c");
        assertThrows(InvariantViolation.class, () -> output.release(epoch(2), left), "epoch 2 was another session's");
        seal(1);
        assertEquals(List.of("c"), staged());
        output.release(epoch(1), left);
        assertEquals(List.of("a", "b", "c"), left.texts());
    }

    @Test
    void holdingTwiceIsRefused() {
        output.hold(epoch(1));
        assertThrows(InvariantViolation.class, () -> output.hold(epoch(2)));
    }

    @Test
    void whileOutputFlowsNothingIsHeldSealedOrReleased() throws Exception {
        assertThrows(InvariantViolation.class, () -> offer("a"));
        seal(1);
        assertEquals(List.of(), staged());
        output.release(epoch(1), left);
        output.flow(left);
        assertEquals(List.of(), left.texts());
    }

    @Test
    void aFullBufferDropsTheNewestFramesAndCountsThem() throws Exception {
        output.hold(epoch(1));
        String large = "x".repeat(60_000);
        offer("first");
        offer(large);
        offer(large);
        offer(large);
        offer(large);
        assertEquals(1, output.droppedFrameCount());
        seal(1);
        output.release(epoch(1), left);
        assertEquals(List.of("first", large, large, large), left.texts());
        offer(large);
        assertEquals(1, output.droppedFrameCount(), "there is room again");
    }

    @Test
    void allThatIsHeldFitsIntoTheCheckpointThatHasToCarryIt() throws Exception {
        output.hold(epoch(1));
        while (output.droppedFrameCount() == 0) {
            offer("x");
        }
        seal(1);
        assertEquals(output.heldFrameCount(), checkpoint.outputFrameCount());
    }

    @Test
    void itIsFillingWhenHalfIsHeldAndEndingTheEpochWouldHelp() throws Exception {
        output.hold(epoch(1));
        offer("x".repeat(60_000));
        assertFalse(output.isFilling());
        offer("x".repeat(60_000));
        assertTrue(output.isFilling());
        seal(1);
        assertFalse(output.isFilling(), "what is held waits for an acknowledgement; another epoch's end helps nobody");
        offer("b");
        assertTrue(output.isFilling());
        output.release(epoch(1), left);
        assertFalse(output.isFilling());
    }

    /** A VM's parts are put together on one thread and driven by its agent on another. */
    @Test
    void oneThreadMayBuildItAndAnotherUseIt() throws Exception {
        FutureTask<Void> agent = new FutureTask<>(() -> {
            output.hold(epoch(1));
            offer("a");
            seal(1);
            return null;
        });
        Thread.ofPlatform().start(agent).join(10_000);
        agent.get();
        assertEquals(List.of("a"), staged());
    }

    private static EpochId epoch(long value) {
        return new EpochId(value);
    }

    private void offer(String text) {
        output.offer(Frames.segment(text), 0, text.length());
    }

    private void seal(long epoch) throws CheckpointException {
        checkpoint.begin(epoch(epoch), epoch == 1);
        output.seal(checkpoint);
    }

    private List<String> staged() {
        List<String> frames = new ArrayList<>();
        StagedBytes bytes = checkpoint.outputFrames();
        long at = 0;
        while (at < bytes.size()) {
            int length = bytes.segment().get(JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN), at);
            frames.add(Frames.text(bytes.segment(), at + 4, length));
            at += 4 + length;
        }
        return frames;
    }
}
