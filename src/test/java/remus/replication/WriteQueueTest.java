package remus.replication;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remus.base.EpochId;
import remus.base.Invariant.InvariantViolation;
import remus.checkpoint.DiskOperation;
import remus.checkpoint.DiskWriteCount;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;
import remus.wire.DiskBlocks;
import remus.wire.WireException;

/** Who waits for what when disk writes are forwarded. */
@Timeout(30)
class WriteQueueTest {
    private static final int MEBIBYTE = 1 << 20;
    private static final int SMALL_BYTES = 4096;
    private static final EpochId TWO = new EpochId(2);
    private static final EpochId THREE = new EpochId(3);

    private final AtomicInteger wakes = new AtomicInteger();
    private final AtomicInteger fillings = new AtomicInteger();
    private final WriteQueue queue = new WriteQueue(wakes::incrementAndGet, fillings::incrementAndGet);
    private final MemorySegment data = MemorySegment.ofArray(new byte[MEBIBYTE]);

    @AfterEach
    void close() {
        queue.close();
    }

    private boolean forward(EpochId epoch) {
        return queue.forward(epoch, 0, DiskOperation.WRITE, 0, MEBIBYTE, data, 0);
    }

    private void fill(EpochId epoch, int mebibytes) {
        for (int i = 0; i < mebibytes; i++) {
            assertTrue(forward(epoch));
        }
    }

    /** Forwards on a thread of its own, which is seen to wait. */
    private CompletableFuture<Boolean> waitingForward(EpochId epoch) {
        CompletableFuture<Boolean> outcome = new CompletableFuture<>();
        Thread writer = Thread.ofPlatform().daemon().start(() -> outcome.complete(forward(epoch)));
        TestPrimary.await("a writer that waits", () -> writer.getState() == Thread.State.WAITING);
        assertFalse(outcome.isDone());
        return outcome;
    }

    private static boolean result(CompletableFuture<Boolean> outcome) throws Exception {
        return outcome.get(10, TimeUnit.SECONDS);
    }

    @Test
    void aWriterWaitsForRoomUntilItsEpochsAreAcknowledged() throws Exception {
        fill(TWO, 63);
        CompletableFuture<Boolean> waiting = waitingForward(THREE);
        queue.dropThrough(TWO);
        assertTrue(result(waiting));
        assertEquals(new DiskWriteCount(1, MEBIBYTE), queue.count(THREE));
    }

    @Test
    void writersAreLetThroughWhereAStopWaitsForThem() throws Exception {
        fill(TWO, 63);
        CompletableFuture<Boolean> waiting = waitingForward(TWO);
        queue.letThrough(true);
        assertTrue(result(waiting));
        fill(TWO, 3);
        queue.letThrough(false);
        CompletableFuture<Boolean> again = waitingForward(THREE);
        queue.dropThrough(TWO);
        assertTrue(result(again));
    }

    @Test
    void theEndOfTheChannelWakesEveryoneAndNothingIsForwardedAfterIt() throws Exception {
        fill(TWO, 63);
        CompletableFuture<Boolean> first = waitingForward(TWO);
        CompletableFuture<Boolean> second = waitingForward(TWO);
        queue.end();
        assertFalse(result(first));
        assertFalse(result(second));
        assertFalse(forward(TWO));
        assertNull(queue.next());
        queue.close();
        assertFalse(forward(TWO));
    }

    @Test
    void aWriteOfTheSynchronizationWaitsUntilTheOnesBeforeAreSent() throws Exception {
        fill(EpochId.NONE, 7);
        CompletableFuture<Boolean> waiting = waitingForward(EpochId.NONE);
        assertNotNull(queue.next());
        assertFalse(waiting.isDone(), "it is still being sent");
        assertNotNull(queue.next());
        assertTrue(result(waiting));
    }

    @Test
    void anInterruptedWriterStillForwardsItsWrite() throws Exception {
        fill(TWO, 63);
        CompletableFuture<Boolean> interrupted = new CompletableFuture<>();
        Thread writer = Thread.ofPlatform().daemon().start(() -> {
            forward(THREE);
            interrupted.complete(Thread.currentThread().isInterrupted());
        });
        TestPrimary.await("a writer that waits", () -> writer.getState() == Thread.State.WAITING);
        writer.interrupt();
        queue.dropThrough(TWO);
        assertTrue(result(interrupted));
        assertEquals(1, queue.count(THREE).operations());
    }

    @Test
    void aFillingQueueIsReportedOnceForEachTime() {
        fill(TWO, 31);
        assertEquals(0, fillings.get());
        fill(TWO, 20);
        assertEquals(1, fillings.get());
        queue.dropThrough(TWO);
        fill(THREE, 40);
        assertEquals(2, fillings.get());
    }

    @Test
    void aWriterThatWaitsAsksForTheEndOfItsEpochThoughTheQueueWasHalfFullBefore() throws Exception {
        fill(TWO, 33);
        fill(THREE, 30);
        assertEquals(1, fillings.get());
        CompletableFuture<Boolean> waiting = waitingForward(THREE);
        assertEquals(2, fillings.get());
        queue.letThrough(true);
        assertTrue(result(waiting));
    }

    @Test
    void aWriteOfTheSynchronizationThatWaitsEndsNoEpoch() throws Exception {
        fill(EpochId.NONE, 7);
        CompletableFuture<Boolean> waiting = waitingForward(EpochId.NONE);
        queue.end();
        assertFalse(result(waiting));
        assertEquals(0, fillings.get());
    }

    @Test
    void theSenderIsWokenOnlyWhenItHadNothing() {
        fill(TWO, 3);
        assertEquals(1, wakes.get());
        queue.next();
        fill(TWO, 1);
        assertEquals(1, wakes.get(), "two blocks are left");
        queue.next();
        queue.next();
        queue.next();
        fill(TWO, 1);
        assertEquals(2, wakes.get());
    }

    @Test
    void aComparisonGoesOutAfterTheWritesBeforeIt() throws WireException {
        DiskBlocks blocks = new DiskBlocks(0, 16, 8);
        fill(EpochId.NONE, 2);
        queue.compare(blocks);
        assertFalse(queue.areOut(EpochId.NONE));
        fill(EpochId.NONE, 1);
        queue.next();
        assertNull(queue.takeComparison());
        queue.next();
        assertEquals(blocks, queue.takeComparison());
        assertNull(queue.takeComparison());
        assertFalse(queue.areOut(EpochId.NONE));
        queue.next();
        assertTrue(queue.areOut(EpochId.NONE));
        assertThrows(WireException.class, () -> queue.compared(new DiskBlocks(0, 16, 7)));
        assertThrows(WireException.class, () -> queue.compared(blocks), "asked for once");
    }

    @Test
    void digestsComeInTheOrderInWhichTheyWereAskedFor() throws WireException {
        for (int i = 0; i < 3; i++) {
            queue.compare(new DiskBlocks(1, i, 1));
            assertNotNull(queue.takeComparison());
        }
        for (int i = 0; i < 3; i++) {
            queue.compared(new DiskBlocks(1, i, 1));
        }
        assertThrows(WireException.class, () -> queue.compared(new DiskBlocks(1, 0, 1)));
    }

    @Test
    void aCheckpointThatCountsOtherWritesThanWereForwardedIsABrokenInvariant() {
        try (OutgoingQueue outgoing = new OutgoingQueue(queue);
                StagedCheckpoint checkpoint =
                        new StagedCheckpoint(new StagedPages(TestPrimary.PAGE_BYTES, 1 << 20), 1 << 20)) {
            EpochId one = new EpochId(1);
            checkpoint.begin(one, true);
            fill(one, 1);
            assertThrows(InvariantViolation.class, () -> outgoing.addCheckpoint(checkpoint));
            checkpoint.setDiskWrites(new DiskWriteCount(1, MEBIBYTE));
            outgoing.addCheckpoint(checkpoint);
        }
    }

    @Test
    void aWriteAfterNoneWakesTheChannelAtOnceAndThoseThatFollowGather() {
        queue.gather();
        forwardSmall();
        assertEquals(1, wakes.get());
        assertNotNull(queue.next());
        assertTrue(queue.gather(), "more are likely to come");
        long gathered = 0;
        while (wakes.get() == 1) {
            forwardSmall();
            gathered += SMALL_BYTES;
        }
        assertTrue(
                gathered > WriteQueue.GATHERED_BYTES / 2 && gathered <= WriteQueue.GATHERED_BYTES,
                gathered + " bytes gathered");
        forwardSmall();
        assertEquals(2, wakes.get(), "it is awake already");
        assertNotNull(queue.next());
        assertTrue(queue.gather());
        assertFalse(queue.gather(), "none came since the last look");
        forwardSmall();
        assertEquals(3, wakes.get());
    }

    @Test
    void whatIsDroppedBeforeItWasSentDoesNotCountAsGathered() {
        forwardSmall();
        assertNotNull(queue.next());
        assertTrue(queue.gather());
        queue.rewind();
        forwardSmall();
        queue.dropThrough(TWO);
        assertNull(queue.next());
        assertFalse(queue.gather());
        forwardSmall();
        assertEquals(2, wakes.get());
    }

    private void forwardSmall() {
        assertTrue(queue.forward(TWO, 0, DiskOperation.WRITE, 0, SMALL_BYTES, data, 0));
    }
}
