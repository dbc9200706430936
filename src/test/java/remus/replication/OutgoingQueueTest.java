package remus.replication;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import remus.base.EpochId;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;
import remus.wire.FrameType;
import remus.wire.WireException;

/** What a primary knows of the checkpoints that it has sent. */
class OutgoingQueueTest {
    private static final EpochId ONE = new EpochId(1);

    private final OutgoingQueue queue = new OutgoingQueue(new WriteQueue(() -> {}, () -> {}));
    private final StagedCheckpoint checkpoint =
            new StagedCheckpoint(new StagedPages(TestPrimary.PAGE_BYTES, 1 << 20), 1 << 20);

    @AfterEach
    void close() {
        queue.close();
        checkpoint.close();
    }

    private void addFirst() {
        checkpoint.begin(ONE, true);
        queue.addCheckpoint(checkpoint);
    }

    @Test
    void theBackupMayHoldTheFirstCheckpointAsSoonAsItsEndIsMade() {
        addFirst();
        assertEquals(ONE, Objects.requireNonNull(queue.nextBulk()).epoch());
        assertFalse(queue.isResumable());
        queue.checkpointEnded();
        assertTrue(queue.isResumable());
    }

    @Test
    void anAcknowledgementCountsFromTheMomentThatTheEndIsMade() throws WireException {
        addFirst();
        assertThrows(WireException.class, () -> queue.acknowledge(ONE));
        queue.checkpointEnded();
        queue.acknowledge(ONE);
        assertEquals(ONE, queue.lastAcknowledged());
        assertThrows(WireException.class, () -> queue.acknowledge(ONE));
        assertNull(queue.nextBulk());
    }

    @Test
    void aWithdrawnSignOffLetsBulkDataFlowAgain() {
        addFirst();
        queue.setSignOff("unprotect", 100);
        queue.setSignOff("again", 1_000);
        assertNull(queue.nextBulk());
        assertFalse(queue.withdrawOverdueSignOff(99));
        assertTrue(queue.withdrawOverdueSignOff(100));
        assertFalse(queue.withdrawOverdueSignOff(100));
        assertEquals(ONE, Objects.requireNonNull(queue.nextBulk()).epoch());
        assertNull(queue.takePrompt(ByteBuffer.allocate(4096), true));
        queue.setSignOff("again", 1_000);
        assertEquals(
                FrameType.SIGN_OFF,
                Objects.requireNonNull(queue.takePrompt(ByteBuffer.allocate(4096), true))
                        .type());
    }

    @Test
    void anOrderToTakeOverIsNotSaidAgainAfterASignOff() throws WireException {
        addFirst();
        queue.checkpointEnded();
        queue.setHandOver(7, "by command");
        queue.setSignOff("taken back", 100);
        assertTrue(queue.withdrawOverdueSignOff(100));
        queue.rewind(EpochId.NONE); // another connection
        assertNull(queue.takePrompt(ByteBuffer.allocate(4096), true), "the VM runs here");
    }
}
