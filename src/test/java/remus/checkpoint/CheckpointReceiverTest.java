package remus.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.base.Invariant.InvariantViolation;

class CheckpointReceiverTest {
    private static final int PAGE_COUNT = 8;
    private static final long OUTPUT_LIMIT_BYTES = 100_000;

    private final ArrayMemory memory = new ArrayMemory(PAGE_COUNT);
    private final ArrayDisks disks = new ArrayDisks(2, 16);
    private final InboundMirror inbound = new InboundMirror(100_000);
    private final List<String> answers = new ArrayList<>();
    private final List<Long> acknowledgements = new ArrayList<>();
    private final CheckpointReceiver receiver = new CheckpointReceiver(
            memory, disks, ArrayMemory.PAGE_BYTES, OUTPUT_LIMIT_BYTES, inbound, new CheckpointReceiver.Listener() {
                @Override
                public void acknowledge(EpochId epoch) {
                    acknowledgements.add(epoch.value());
                }

                @Override
                public void whole(EpochId epoch) {
                    answers.add("whole " + epoch + " over " + contents());
                }

                @Override
                public void verified(EpochId epoch, boolean equal) {
                    answers.add("verified " + epoch + " " + equal);
                }
            });

    @AfterEach
    void close() {
        receiver.close();
    }

    @Test
    void aCheckpointIsAcknowledgedWhenAllOfItIsThereAndAppliedThen() throws Exception {
        preCopy(0, "abcdefgh");
        receiver.begin(epoch(1), true, 0);
        page(1, 1, 'B');
        receiver.zeroPages(epoch(1), 6, 2);
        deviceState(1, "state 1");
        assertEquals("abcdefgh", contents(), "nothing of a checkpoint that is not whole is applied");
        assertEquals(EpochId.NONE, receiver.lastWhole());
        end(1, 3, "state 1");
        assertEquals("aBcdef..", contents());
        assertEquals(epoch(1), receiver.lastWhole());
        assertEquals("state 1", heldState());
        assertEquals(List.of("whole 1 over abcdefgh"), answers);
    }

    @Test
    void aPageThatWasTakenTwiceHasItsLaterContents() throws Exception {
        receiver.begin(epoch(1), true, 0);
        page(1, 3, 'x');
        page(1, 3, 'y');
        receiver.zeroPages(epoch(1), 4, 1);
        page(1, 4, 'z');
        deviceState(1, "s");
        end(1, 4, "s");
        assertEquals("...yz...", contents());
    }

    @Test
    void whileTheNextIsReceivedTheLastWholeOneStaysUntouched() throws Exception {
        checkpoint(1, 'a', "state 1");
        receiver.begin(epoch(2), false, 0);
        page(2, 0, 'b');
        deviceState(2, "state two");
        receiver.outputFrame(epoch(2), Frames.segment("frame"), 0, 5);
        assertEquals("a.......", contents());
        assertEquals("state 1", heldState());
        Frames frames = new Frames();
        receiver.drainHeldOutput(frames);
        assertEquals(List.of(), frames.texts());
    }

    @Test
    void aPartialCheckpointIsForgottenAndMayBeSentAgain() throws Exception {
        checkpoint(1, 'a', "state 1");
        receiver.begin(epoch(2), false, 0);
        page(2, 0, 'X');
        page(2, 5, 'Y');
        deviceState(2, "never finished");
        receiver.outputFrame(epoch(2), Frames.segment("half"), 0, 4);
        receiver.dropPartial();
        assertEquals(epoch(1), receiver.lastWhole());
        assertEquals("state 1", heldState());
        refused(() -> page(2, 1, 'Z'));

        receiver.begin(epoch(2), false, 0);
        page(2, 0, 'b');
        deviceState(2, "state 2");
        receiver.outputFrame(epoch(2), Frames.segment("whole"), 0, 5);
        receiver.end(epoch(2), 1, 7, 1, DiskWriteCount.NONE, null);
        assertEquals("b.......", contents());
        assertEquals("state 2", heldState());
        Frames frames = new Frames();
        receiver.drainHeldOutput(frames);
        assertEquals(List.of("whole"), frames.texts());
    }

    @Test
    void aPartialFirstCheckpointMayBeSentAgainToo() throws Exception {
        receiver.begin(epoch(1), true, 0);
        page(1, 0, 'X');
        receiver.dropPartial();
        preCopy(2, "c");
        checkpoint(1, 'a', "s");
        assertEquals("a.c.....", contents());
    }

    @Test
    void epochsFollowEachOtherWithoutAGap() throws Exception {
        refused(() -> receiver.begin(epoch(2), true, 0));
        refused(() -> receiver.begin(epoch(1), false, 0));
        checkpoint(1, 'a', "s");
        refused(() -> receiver.begin(epoch(1), false, 0));
        refused(() -> receiver.begin(epoch(3), false, 0));
        refused(() -> receiver.begin(epoch(2), true, 0));
        receiver.begin(epoch(2), false, 0);
        refused(() -> receiver.begin(epoch(2), false, 0));
    }

    @Test
    void aCheckpointIsWholeOnlyIfItsPartsAreAsManyAsAnnounced() throws Exception {
        receiver.begin(epoch(1), true, 0);
        page(1, 0, 'a');
        refused(() -> receiver.end(epoch(1), 1, 0, 0, DiskWriteCount.NONE, null));
        deviceState(1, "abc");
        refused(() -> receiver.deviceState(epoch(1), 2, Frames.segment("d"), 0, 1));
        refused(() -> receiver.deviceState(epoch(1), 4, Frames.segment("d"), 0, 1));
        refused(() -> receiver.end(epoch(1), 2, 3, 0, DiskWriteCount.NONE, null));
        refused(() -> receiver.end(epoch(1), 1, 2, 0, DiskWriteCount.NONE, null));
        refused(() -> receiver.end(epoch(1), 1, 3, 1, DiskWriteCount.NONE, null));
        refused(() -> receiver.end(epoch(2), 1, 3, 0, DiskWriteCount.NONE, null));
        assertEquals(List.of(), answers);
        assertEquals("........", contents());
        receiver.end(epoch(1), 1, 3, 0, DiskWriteCount.NONE, null);
        assertEquals("a.......", contents());
        refused(() -> receiver.end(epoch(1), 1, 3, 0, DiskWriteCount.NONE, null));
    }

    @Test
    void whatComesOutsideOfItsCheckpointOrOfGuestMemoryIsRefused() throws Exception {
        refused(() -> page(1, 0, 'a'));
        refused(() -> receiver.zeroPages(epoch(1), 0, 1));
        refused(() -> deviceState(1, "s"));
        refused(() -> receiver.outputFrame(epoch(1), Frames.segment("f"), 0, 1));
        receiver.begin(epoch(1), true, 0);
        refused(() -> page(2, 0, 'a'));
        for (long first : new long[] {-1, PAGE_COUNT, Long.MAX_VALUE, Long.MIN_VALUE}) {
            refused(() -> page(1, first, 'a'));
            refused(() -> receiver.zeroPages(epoch(1), first, 1));
        }
        for (int count : new int[] {0, -1, PAGE_COUNT + 1, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
            refused(() -> receiver.pages(epoch(1), 0, count, pageOf('a'), 0));
            refused(() -> receiver.zeroPages(epoch(1), 0, count));
        }
        for (int length : new int[] {0, -1, FrameRing.MAX_FRAME_BYTES + 1}) {
            refused(() -> receiver.outputFrame(epoch(1), Frames.segment("f"), 0, length));
            refused(() -> receiver.inboundFrame(1, Frames.segment("f"), 0, length));
        }
        refused(() -> preCopy(0, "a"));
        refused(() -> receiver.preCopyZeroPages(0, 1));
    }

    @Test
    void pagesWithoutTheirDataAreRefused() throws Exception {
        receiver.begin(epoch(1), true, 0);
        refused(() -> receiver.pages(epoch(1), 0, 2, pageOf('a'), 0));
        refused(() -> receiver.pages(epoch(1), 0, 1, pageOf('a'), 1));
        receiver.dropPartial();
        refused(() -> receiver.preCopyPages(0, 2, pageOf('a'), 0));
    }

    @Test
    void sequenceNumbersThatNobodyCanFollowAreRefused() throws Exception {
        refused(() -> receiver.inboundFrame(Long.MAX_VALUE, Frames.segment("f"), 0, 1));
        refused(() -> receiver.inboundFrame(-1, Frames.segment("f"), 0, 1));
        refused(() -> receiver.begin(epoch(1), true, -1));
        receiver.inboundFrame(5, Frames.segment("f"), 0, 1);
        receiver.inboundFrame(4, Frames.segment("g"), 0, 1);
        assertEquals(1, inbound.frameCount());
    }

    @Test
    void aCheckpointCannotGrowWithoutLimit() throws Exception {
        receiver.begin(epoch(1), true, 0);
        for (int i = 0; i < 2 * PAGE_COUNT; i++) {
            receiver.zeroPages(epoch(1), 0, 1);
        }
        refused(() -> receiver.zeroPages(epoch(1), 0, 1));
        refused(() -> page(1, 0, 'a'));
    }

    @Test
    void preCopyEndsWithTheFirstCheckpoint() throws Exception {
        preCopy(0, "abc");
        receiver.preCopyZeroPages(1, 1);
        assertEquals("a.c.....", contents());
        assertEquals(4, receiver.preCopyPageCount());
        checkpoint(1, 'A', "s");
        refused(() -> preCopy(0, "x"));
    }

    @Test
    void framesNotReportedReleasedAreReleasedAgainInOrder() throws Exception {
        for (int e = 1; e <= 3; e++) {
            receiver.begin(epoch(e), e == 1, 0);
            deviceState(e, "s");
            receiver.outputFrame(epoch(e), Frames.segment("first of " + e), 0, 10);
            receiver.outputFrame(epoch(e), Frames.segment("second of " + e), 0, 11);
            receiver.end(epoch(e), 0, 1, 2, DiskWriteCount.NONE, null);
        }
        receiver.releasedUpTo(epoch(1));
        Frames frames = new Frames();
        receiver.drainHeldOutput(frames);
        assertEquals(List.of("first of 2", "second of 2", "first of 3", "second of 3"), frames.texts());
    }

    @Test
    void whatWasReportedReleasedStaysReleased() throws Exception {
        checkpoint(1, 'a', "s");
        checkpoint(2, 'b', "s");
        receiver.releasedUpTo(epoch(2));
        receiver.releasedUpTo(epoch(1));
        assertEquals(epoch(2), receiver.released());
        refused(() -> receiver.releasedUpTo(epoch(3)));
    }

    @Test
    void inputIsDroppedOnlyWhenAWholeCheckpointContainsIt() throws Exception {
        for (int sequence = 1; sequence <= 4; sequence++) {
            receiver.inboundFrame(sequence, Frames.segment("in " + sequence), 0, 4);
        }
        receiver.begin(epoch(1), true, 3);
        deviceState(1, "s");
        assertEquals(4, inbound.frameCount());
        end(1, 0, "s");
        Frames frames = new Frames();
        inbound.drain(frames);
        assertEquals(List.of("in 3", "in 4"), frames.texts());
    }

    @Test
    void digestsOfBothSidesAreComparedForTheSameCheckpoint() throws Exception {
        byte[] expected = new byte[PAGE_COUNT * ArrayMemory.PAGE_BYTES];
        Arrays.fill(expected, 0, ArrayMemory.PAGE_BYTES, (byte) 'a');
        checkpoint(1, 'a', "s", ArrayMemory.digest(expected));
        checkpoint(2, 'b', "s", ArrayMemory.digest(expected));
        assertEquals(
                List.of("whole 1 over ........", "verified 1 true", "whole 2 over a.......", "verified 2 false"),
                answers);
    }

    /** A checkpoint that was acknowledged counts, even if applying it failed half-way: it must not be mixed with another. */
    @Test
    void nothingIsAcknowledgedBeforeTheCheckpointBeforeItIsApplied() throws Exception {
        checkpoint(1, 'a', "s1");
        receiver.begin(epoch(2), false, 0);
        page(2, 0, 'b');
        page(2, 1, 'b');
        deviceState(2, "s2");
        memory.failAfter(1);
        assertThrows(CheckpointException.class, () -> end(2, 2, "s2"));
        disks.finishApplying();
        receiver.resume();
        assertEquals(epoch(2), receiver.lastWhole(), "it was acknowledged");

        receiver.begin(epoch(3), false, 0);
        page(3, 2, 'c');
        deviceState(3, "s3");
        memory.failAfter(0);
        assertThrows(CheckpointException.class, () -> end(3, 1, "s3"));
        assertEquals(epoch(2), receiver.lastWhole(), "epoch 2 is still not applied");
        assertEquals("s2", heldState());
        disks.finishApplying();
        receiver.resume();

        checkpoint(3, 'c', "s3");
        assertEquals("cb......", contents());
        assertEquals("whole 3 over bb......", answers.getLast());
    }

    @Test
    void whatCouldNotBeAppliedIsAppliedBeforeAnActivation() throws Exception {
        checkpoint(1, 'a', "s");
        receiver.begin(epoch(2), false, 0);
        page(2, 0, 'b');
        page(2, 1, 'b');
        deviceState(2, "s");
        memory.failAfter(1);
        assertThrows(CheckpointException.class, () -> end(2, 2, "s"));
        receiver.finishApplying();
        assertEquals("bb......", contents());
        receiver.finishApplying();
    }

    @Test
    void diskWritesReachTheDisksAfterTheirCheckpointIsWhole() throws Exception {
        diskWrite(1, 0, 2, "ab");
        receiver.begin(epoch(1), true, 0);
        diskWrite(1, 0, 3, "c");
        receiver.diskWrite(epoch(1), 0, DiskOperation.TRIM, 15, 1, MemorySegment.NULL, 0);
        diskWrite(2, 0, 0, "zz");
        deviceState(1, "s");
        endWithDisks(1, new DiskWriteCount(3, 3));
        assertEquals("................", disk(0));
        receiver.finishApplying();
        assertEquals("..ac............", disk(0));
        checkpointWithDisks(2, new DiskWriteCount(1, 2));
        receiver.finishApplying();
        assertEquals("zzac............", disk(0));
    }

    @Test
    void theSynchronizationIsAppliedDirectlyUntilTheFirstCheckpointBegins() throws Exception {
        diskWrite(0, 1, 4, "sync");
        receiver.diskWrite(EpochId.NONE, 1, DiskOperation.ZERO, 5, 2, MemorySegment.NULL, 0);
        assertEquals("....s..c........", disk(1));
        receiver.begin(epoch(1), true, 0);
        refused(() -> diskWrite(0, 1, 0, "x"));
        deviceState(1, "s");
        endWithDisks(1, DiskWriteCount.NONE);
        refused(() -> diskWrite(0, 1, 0, "x"));
    }

    @Test
    void diskWritesOutsideOfTheirDiskOrWithoutTheirDataAreRefused() {
        refused(() -> diskWrite(1, 2, 0, "x"));
        refused(() -> diskWrite(1, -1, 0, "x"));
        refused(() -> diskWrite(1, 0, 15, "xy"));
        refused(() -> diskWrite(1, 0, -1, "x"));
        refused(() -> diskWrite(1, 0, Long.MAX_VALUE, "x"));
        refused(() -> diskWrite(1, 0, 0, ""));
        MemorySegment one = Frames.segment("x");
        refused(() -> receiver.diskWrite(epoch(1), 0, DiskOperation.TRIM, 0, 17, one, 0));
        refused(() -> receiver.diskWrite(epoch(1), 0, DiskOperation.TRIM, 8, Long.MAX_VALUE, one, 0));
        refused(() -> receiver.diskWrite(epoch(1), 0, DiskOperation.WRITE, 0, 2, one, 0));
        refused(() -> receiver.diskWrite(epoch(1), 0, DiskOperation.WRITE, 0, 1, one, 1));
        refused(() -> receiver.diskWrite(epoch(1), 0, DiskOperation.WRITE, 0, 1, one, -1));
    }

    @Test
    void theEpochsOfDiskWritesNeverGoBackAndAreNotFarAhead() throws Exception {
        refused(() -> diskWrite(4, 0, 0, "x"));
        diskWrite(2, 0, 0, "b");
        refused(() -> diskWrite(1, 0, 0, "a"));
        diskWrite(3, 0, 0, "c");
        checkpointWithDisks(1, DiskWriteCount.NONE);
        refused(() -> diskWrite(1, 0, 0, "a"));
        refused(() -> diskWrite(5, 0, 0, "e"));
        diskWrite(4, 0, 0, "d");
    }

    @Test
    void aCheckpointIsWholeOnlyWithAllItsDiskWrites() throws Exception {
        diskWrite(1, 0, 0, "ab");
        receiver.begin(epoch(1), true, 0);
        deviceState(1, "s");
        refused(() -> endWithDisks(1, DiskWriteCount.NONE));
        refused(() -> endWithDisks(1, new DiskWriteCount(2, 2)));
        refused(() -> endWithDisks(1, new DiskWriteCount(1, 3)));
        assertEquals(EpochId.NONE, receiver.lastWhole());
        endWithDisks(1, new DiskWriteCount(1, 2));
        assertEquals(epoch(1), receiver.lastWhole());
    }

    @Test
    void withTheConnectionAllWritesOfEpochsThatAreNotWholeAreForgotten() throws Exception {
        checkpointWithDisks(1, DiskWriteCount.NONE);
        diskWrite(2, 0, 0, "X");
        diskWrite(3, 0, 1, "Y");
        receiver.dropPartial();
        assertEquals(epoch(1), receiver.resume());
        diskWrite(2, 0, 4, "b");
        checkpointWithDisks(2, new DiskWriteCount(1, 1));
        checkpointWithDisks(3, DiskWriteCount.NONE);
        receiver.finishApplying();
        assertEquals("....b...........", disk(0));
    }

    @Test
    void anAcknowledgementIsPutOffWhileTooMuchWaitsForTheDisks() throws Exception {
        for (int e = 1; e <= 3; e++) {
            checkpointWithDisks(e, DiskWriteCount.NONE);
        }
        assertEquals(List.of(1L), acknowledgements);
        assertEquals(epoch(3), receiver.lastWhole(), "it is whole all the same");
        receiver.acknowledgeWhatIsDue();
        assertEquals(List.of(1L), acknowledgements);
        disks.applyOne();
        receiver.acknowledgeWhatIsDue();
        assertEquals(List.of(1L), acknowledgements, "two still wait");
        disks.applyOne();
        receiver.acknowledgeWhatIsDue();
        receiver.acknowledgeWhatIsDue();
        assertEquals(List.of(1L, 3L), acknowledgements, "one for both, once");
    }

    @Test
    void noWelcomeSaysThatThereIsNoImageWhereThereIsOne() throws Exception {
        assertEquals(EpochId.NONE, receiver.resume());
        disks.whole(EpochId.NONE);
        checkpointWithDisks(1, DiskWriteCount.NONE);
        assertEquals(List.of(), acknowledgements);
        assertNull(receiver.resume(), "epoch 1 may not be named, and none must not");
        disks.applyOne();
        assertEquals(epoch(1), receiver.resume());
        checkpointWithDisks(2, DiskWriteCount.NONE);
        assertEquals(List.of(), acknowledgements);
        receiver.finishApplying();
        receiver.acknowledgeWhatIsDue();
        assertEquals(List.of(2L), acknowledgements);
    }

    @Test
    void aWelcomeNamesNothingThatMayNotBeAcknowledged() throws Exception {
        for (int e = 1; e <= 3; e++) {
            diskWrite(e, 0, e, String.valueOf(e));
            checkpointWithDisks(e, new DiskWriteCount(1, 1));
        }
        diskWrite(4, 0, 4, "X");
        receiver.dropPartial();
        assertEquals(epoch(1), receiver.resume());

        // Epochs 2 and 3 come again: whatever they hold, they are here already.
        diskWrite(2, 0, 2, "!");
        diskWrite(3, 0, 3, "!");
        receiver.begin(epoch(2), false, 0);
        page(2, 0, 'Z');
        deviceState(2, "again");
        receiver.outputFrame(epoch(2), Frames.segment("again"), 0, 5);
        receiver.end(epoch(2), 1, 5, 1, new DiskWriteCount(1, 1), null);
        assertEquals(List.of(1L), acknowledgements);
        disks.finishApplying();
        receiver.acknowledgeWhatIsDue();
        assertEquals(List.of(1L, 2L), acknowledgements, "no more than has ended on this connection");
        checkpointWithDisks(3, new DiskWriteCount(1, 1));
        assertEquals(List.of(1L, 2L, 3L), acknowledgements);
        assertEquals(epoch(3), receiver.lastWhole());
        diskWrite(4, 0, 4, "4");
        checkpointWithDisks(4, new DiskWriteCount(1, 1));

        receiver.finishApplying();
        assertEquals(".1234...........", disk(0));
        assertEquals("........", contents());
        Frames frames = new Frames();
        receiver.drainHeldOutput(frames);
        assertEquals(List.of(), frames.texts());
        assertEquals(4, answers.size(), "each was whole once");
    }

    @Test
    void aConnectionLostWhileCheckpointsComeAgainChangesNothing() throws Exception {
        for (int e = 1; e <= 3; e++) {
            checkpointWithDisks(e, DiskWriteCount.NONE);
        }
        assertEquals(epoch(1), receiver.resume());
        diskWrite(2, 0, 2, "!");
        receiver.begin(epoch(2), false, 0);
        page(2, 0, 'Z');
        assertEquals(epoch(1), receiver.resume());
        checkpointWithDisks(2, DiskWriteCount.NONE);
        disks.finishApplying();
        assertEquals(epoch(3), receiver.resume());
        assertEquals(List.of(1L), acknowledgements, "the welcome says it");
        checkpointWithDisks(4, DiskWriteCount.NONE);
        assertEquals(List.of(1L, 4L), acknowledgements);
        assertEquals("........", contents());
    }

    @Test
    void withoutAWholeCheckpointThereIsNoDeviceState() throws Exception {
        receiver.begin(epoch(1), true, 0);
        deviceState(1, "s");
        assertThrows(InvariantViolation.class, receiver::deviceState);
    }

    private static EpochId epoch(long value) {
        return new EpochId(value);
    }

    private static MemorySegment pageOf(char content) {
        return Frames.segment(String.valueOf(content).repeat(ArrayMemory.PAGE_BYTES));
    }

    private void page(long epoch, long page, char content) throws CheckpointException {
        receiver.pages(epoch(epoch), page, 1, pageOf(content), 0);
    }

    private void preCopy(long firstPage, String contents) throws CheckpointException {
        StringBuilder data = new StringBuilder();
        contents.chars().forEach(c -> data.append(String.valueOf((char) c).repeat(ArrayMemory.PAGE_BYTES)));
        receiver.preCopyPages(firstPage, contents.length(), Frames.segment(data.toString()), 0);
    }

    private void deviceState(long epoch, String state) throws CheckpointException {
        receiver.deviceState(epoch(epoch), 0, Frames.segment(state), 0, state.length());
    }

    private void end(long epoch, long pageCount, String state) throws CheckpointException {
        receiver.end(epoch(epoch), pageCount, state.length(), 0, DiskWriteCount.NONE, null);
    }

    private void checkpoint(long epoch, char contentOfPageZero, String state) throws CheckpointException {
        checkpoint(epoch, contentOfPageZero, state, null);
    }

    private void checkpoint(long epoch, char contentOfPageZero, String state, byte @Nullable [] digest)
            throws CheckpointException {
        receiver.begin(epoch(epoch), epoch == 1, 0);
        page(epoch, 0, contentOfPageZero);
        deviceState(epoch, state);
        receiver.end(epoch(epoch), 1, state.length(), 0, DiskWriteCount.NONE, digest);
    }

    private String heldState() {
        StagedBytes state = receiver.deviceState();
        return Frames.text(state.segment(), 0, (int) state.size());
    }

    private void diskWrite(long epoch, int disk, long offset, String data) throws CheckpointException {
        receiver.diskWrite(epoch(epoch), disk, DiskOperation.WRITE, offset, data.length(), Frames.segment(data), 0);
    }

    private void checkpointWithDisks(long epoch, DiskWriteCount count) throws CheckpointException {
        receiver.begin(epoch(epoch), epoch == 1, 0);
        deviceState(epoch, "s");
        endWithDisks(epoch, count);
    }

    private void endWithDisks(long epoch, DiskWriteCount count) throws CheckpointException {
        receiver.end(epoch(epoch), 0, 1, 0, count, null);
    }

    private String disk(int disk) {
        return new String(disks.image(disk), StandardCharsets.US_ASCII).replace((char) 0, '.');
    }

    /** One character per page: its content, {@code .} for zeros, {@code ?} for a mixture. */
    private String contents() {
        StringBuilder text = new StringBuilder();
        for (int page = 0; page < PAGE_COUNT; page++) {
            byte[] bytes = Arrays.copyOfRange(
                    memory.bytes(), page * ArrayMemory.PAGE_BYTES, (page + 1) * ArrayMemory.PAGE_BYTES);
            byte first = bytes[0];
            boolean mixed = false;
            for (byte b : bytes) {
                mixed |= b != first;
            }
            text.append(mixed ? '?' : first == 0 ? '.' : (char) first);
        }
        return text.toString();
    }

    private static void refused(Executable action) {
        CheckpointException failure = assertThrows(CheckpointException.class, action);
        assertEquals(ErrorCategory.RETRY, failure.category(), failure.getMessage());
    }
}
