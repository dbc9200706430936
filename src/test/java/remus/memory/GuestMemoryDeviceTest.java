package remus.memory;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remus.base.CloseStack;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;
import remus.linux.Errno;
import remus.linux.LinuxException;
import remus.linux.SparseFile;

class GuestMemoryDeviceTest {
    private static final int PAGE_BYTES = GuestMemory.PAGE_BYTES;
    private static final int PAGES = 4_096;
    private static final long PLENTY_BYTES = 64L << 20;

    private final CloseStack resources = new CloseStack();
    private final ListedWrites tracker = new ListedWrites();
    private GuestMemory memory = memory();
    private GuestMemoryDevice device = new GuestMemoryDevice(memory, tracker, GuestMemoryDevice.NO_DIGESTS);

    @BeforeEach
    void setUp() throws Exception {
        device.setup();
    }

    @AfterEach
    void close() {
        resources.close();
    }

    @Test
    void theFirstRoundHasAllPagesAndNotesHolesAndZerosWithoutData() throws Exception {
        write(10, 1);
        write(11, 1);
        write(12, 0);
        try (StagedPages chunk = chunk()) {
            assertEquals(PAGES, device.beginRound());
            assertFalse(device.copyChunk(chunk, PAGES));
            assertEquals(PAGES, chunk.pageCount());
            assertEquals(2L * PAGE_BYTES, chunk.dataBytes());
            assertEquals(all(), pagesIn(chunk));
        }
        assertEquals(13L * PAGE_BYTES, memory.file().nextHole(10L * PAGE_BYTES));
        assertEquals(SparseFile.NONE, memory.file().nextData(13L * PAGE_BYTES), "copying gives holes no memory");
    }

    @Test
    void chunksHoldNoMoreThanAskedForAndTogetherTheWholeRound() throws Exception {
        for (int page = 0; page < 1_000; page++) {
            write(page, 1 + page % 3);
        }
        BitSet copied = new BitSet();
        device.beginRound();
        try (StagedPages chunk = chunk()) {
            boolean more = true;
            while (more) {
                chunk.clear();
                more = device.copyChunk(chunk, 64);
                assertTrue(chunk.dataBytes() <= 64L * PAGE_BYTES);
                copied.or(pagesIn(chunk));
            }
        }
        assertEquals(all(), copied);
    }

    @Test
    void whatABrokenOffRoundHasNotCopiedComesInTheNextOne() throws Exception {
        for (int page = 0; page < 200; page++) {
            write(page, 7);
        }
        BitSet copied = new BitSet();
        try (StagedPages chunk = chunk()) {
            device.beginRound();
            assertTrue(device.copyChunk(chunk, 50));
            copied.or(pagesIn(chunk));
            tracker.written.add(3L);
            long rest = device.beginRound();
            assertEquals(PAGES - copied.cardinality() + 1L, rest);
            chunk.clear();
            assertFalse(device.copyChunk(chunk, PAGES));
            assertTrue(pagesIn(chunk).get(3), "written again after it was copied");
            copied.or(pagesIn(chunk));
        }
        assertEquals(all(), copied);
    }

    @Test
    void aPageThatIsWrittenAgainBeforeItsTurnIsLeftToTheNextRoundAndNeverLost() throws Exception {
        int pages = 3 * GuestMemoryDevice.MIN_PAGES_BETWEEN_LOOKS;
        memory = memory(pages);
        device = new GuestMemoryDevice(memory, tracker, GuestMemoryDevice.NO_DIGESTS);
        device.setup();
        for (int page = 0; page < pages; page++) {
            write(page, 7);
        }
        BitSet copied = new BitSet();
        try (StagedPages chunk = chunk()) {
            assertEquals(pages, device.beginRound());
            assertTrue(device.copyChunk(chunk, GuestMemoryDevice.MIN_PAGES_BETWEEN_LOOKS));
            copied.or(pagesIn(chunk));
            write(3, 8);
            write(pages - 1, 9);
            write(pages - 2, 9);
            chunk.clear();
            assertFalse(device.copyChunk(chunk, pages));
            copied.or(pagesIn(chunk));
            assertFalse(copied.get(pages - 1));
            assertFalse(copied.get(pages - 2));
            assertEquals(pages - 2, copied.cardinality());
            assertEquals(2, device.skippedPages(), "page 3 had its turn before");
            write(5, 10);
            assertEquals(4, device.beginRound(), "both of them, and the two that were written after their turn");
            chunk.clear();
            assertFalse(device.copyChunk(chunk, pages));
            BitSet expected = new BitSet();
            expected.set(3);
            expected.set(5);
            expected.set(pages - 2, pages);
            assertEquals(expected, pagesIn(chunk));
            assertEquals(0, device.skippedPages());
        }
    }

    @Test
    void whatABrokenOffRoundHasNotCopiedComesInTheCheckpoint() throws Exception {
        for (int page = 0; page < 200; page++) {
            write(page, 7);
        }
        try (StagedPages chunk = chunk();
                StagedCheckpoint checkpoint = checkpoint(PLENTY_BYTES)) {
            device.beginRound();
            assertTrue(device.copyChunk(chunk, 50));
            checkpoint.begin(new EpochId(1), true);
            device.suspended(checkpoint);
            device.saved(checkpoint);
            BitSet copied = pagesIn(chunk);
            copied.or(pagesIn(checkpoint.pages()));
            assertEquals(all(), copied);
        }
    }

    @Test
    void aCheckpointHasTheWrittenPagesAndThoseWrittenWhileDevicesWereSaved() throws Exception {
        copyEverything();
        try (StagedCheckpoint checkpoint = checkpoint(PLENTY_BYTES)) {
            checkpoint.begin(new EpochId(1), true);
            write(5, 1);
            write(6, 2);
            device.suspended(checkpoint);
            write(6, 3);
            write(9, 4);
            device.saved(checkpoint);
            BitSet expected = new BitSet();
            expected.set(5, 7);
            expected.set(9);
            assertEquals(expected, pagesIn(checkpoint.pages()));
            assertEquals(4, checkpoint.pages().pageCount(), "page 6 twice, and the later copy counts");
            checkpoint.begin(new EpochId(2), false);
            device.suspended(checkpoint);
            device.saved(checkpoint);
            assertEquals(0, checkpoint.pages().pageCount());
        }
    }

    @Test
    void whatWasCopiedAheadComesAgainOnlyWhereItWasWrittenAgain() throws Exception {
        copyEverything();
        try (StagedCheckpoint checkpoint = checkpoint(PLENTY_BYTES)) {
            checkpoint.begin(new EpochId(2), false);
            write(5, 1);
            write(6, 2);
            assertTrue(device.copyAhead(checkpoint.pages()));
            write(6, 3);
            device.suspended(checkpoint);
            write(9, 4);
            device.saved(checkpoint);
            BitSet expected = new BitSet();
            expected.set(5, 7);
            expected.set(9);
            assertEquals(expected, pagesIn(checkpoint.pages()));
            assertEquals(4, checkpoint.pages().pageCount());
            assertEquals(3, lastCopy(checkpoint.pages(), 6), "the later copy counts");
        }
    }

    @Test
    void aGuestThatWritesTheSamePagesOverAndOverIsNotCopiedAheadForAWhile() throws Exception {
        copyEverything();
        try (StagedCheckpoint checkpoint = checkpoint(PLENTY_BYTES)) {
            int many = 2 * GuestMemoryDevice.MIN_WASTED_PAGES;
            for (int i = 0; i < 2 * GuestMemoryDevice.WASTED_RUNNING; i++) {
                assertTrue(aheadThenAgain(checkpoint, many, 10));
                assertTrue(aheadThenAgain(checkpoint, 10, 10), "so few that it does not matter");
                assertTrue(aheadThenAgain(checkpoint, 0, many), "nothing was copied in vain");
                assertTrue(aheadThenAgain(checkpoint, many, many), "now and then it may be in vain");
            }
            for (int i = 0; i < GuestMemoryDevice.WASTED_RUNNING - 1; i++) {
                assertTrue(aheadThenAgain(checkpoint, many, many));
            }
            for (int i = 0; i < GuestMemoryDevice.CHECKPOINTS_WITHOUT_AHEAD; i++) {
                assertFalse(aheadThenAgain(checkpoint, many, 0));
                assertEquals(many, pagesIn(checkpoint.pages()).cardinality(), "they come all the same");
            }
            assertTrue(aheadThenAgain(checkpoint, many, 0));
        }
    }

    @Test
    void whereItIsKnownThatNothingCameWhileDevicesWereSavedNobodyLooks() throws Exception {
        tracker.knowsQuiet = true;
        copyEverything();
        try (StagedCheckpoint checkpoint = checkpoint(PLENTY_BYTES)) {
            checkpoint.begin(new EpochId(1), true);
            write(5, 1);
            device.suspended(checkpoint);
            int collectsBefore = tracker.collects;
            device.saved(checkpoint);
            device.resumed(new EpochId(1));
            assertEquals(collectsBefore, tracker.collects);
            assertEquals(BitSet.valueOf(new long[] {1 << 5}), pagesIn(checkpoint.pages()));

            checkpoint.begin(new EpochId(2), false);
            write(6, 1);
            device.suspended(checkpoint);
            write(7, 1);
            device.saved(checkpoint);
            device.resumed(new EpochId(2));
            assertEquals(BitSet.valueOf(new long[] {3 << 6}), pagesIn(checkpoint.pages()));
        }
    }

    @Test
    void whatFitsBesideTheSaveIsNotCopiedAheadWhereNobodyHasToLookAfterIt() throws Exception {
        tracker.knowsQuiet = true;
        copyEverything();
        try (StagedCheckpoint checkpoint = checkpoint(PLENTY_BYTES)) {
            int few = GuestMemoryDevice.MAX_PAGES_BESIDE_SAVE;
            assertTrue(aheadThenAgain(checkpoint, few, 0), "how many an epoch has is not known yet");
            device.resumed(checkpoint.epoch());
            assertFalse(aheadThenAgain(checkpoint, few + 1, 0));
            device.resumed(checkpoint.epoch());
            assertTrue(aheadThenAgain(checkpoint, few, 0), "the one before had more");
        }
    }

    @Test
    void pagesThatAreWrittenAllTheTimeAreReleasedAndComeWithEachCheckpoint() throws Exception {
        tracker.knowsQuiet = true;
        copyEverything();
        int hot = HotPages.MIN_EPOCH_PAGES + 1;
        try (StagedCheckpoint checkpoint = checkpoint(PLENTY_BYTES)) {
            for (int i = 0; i < HotPages.EPOCHS_RUNNING; i++) {
                aheadThenAgain(checkpoint, hot, 0);
                device.resumed(checkpoint.epoch());
            }
            assertEquals(hot, tracker.released.pageCount());
            checkpoint.begin(new EpochId(2), false);
            device.suspended(checkpoint);
            device.saved(checkpoint);
            assertEquals(hot, pagesIn(checkpoint.pages()).cardinality(), "nobody knows that they were not written");
        }
    }

    @Test
    void releasedPagesAreNotCopiedAhead() throws Exception {
        tracker.knowsQuiet = true;
        copyEverything();
        int many = 2 * HotPages.MAX_PAGES;
        try (StagedCheckpoint checkpoint = checkpoint(PLENTY_BYTES)) {
            for (int i = 0; i < HotPages.EPOCHS_RUNNING; i++) {
                aheadThenAgain(checkpoint, many, 0);
                device.resumed(checkpoint.epoch());
            }
            checkpoint.begin(new EpochId(2), false);
            for (int page = 0; page < many; page++) {
                write(page, 1);
            }
            assertTrue(device.copyAhead(checkpoint.pages()));
            assertEquals(many - HotPages.MAX_PAGES, checkpoint.pages().pageCount());
            device.suspended(checkpoint);
            device.saved(checkpoint);
            assertEquals(many, checkpoint.pages().pageCount());
            assertEquals(many, pagesIn(checkpoint.pages()).cardinality());
        }
    }

    /** Takes a checkpoint of {@code pages} written before and {@code again} of them after copying ahead. */
    private boolean aheadThenAgain(StagedCheckpoint checkpoint, int pages, int again) throws CheckpointException {
        checkpoint.begin(new EpochId(2), false);
        for (int page = 0; page < pages; page++) {
            write(page, 1);
        }
        boolean ahead = device.copyAhead(checkpoint.pages());
        for (int page = 0; page < again; page++) {
            write(page, 2);
        }
        device.suspended(checkpoint);
        device.saved(checkpoint);
        return ahead;
    }

    private static int lastCopy(StagedPages staged, long page) {
        int value = -1;
        for (int run = 0; run < staged.runCount(); run++) {
            long index = page - staged.firstPage(run);
            if (index >= 0 && index < staged.pageCount(run)) {
                value = staged.data(run).get(JAVA_BYTE, staged.dataOffset(run) + index * PAGE_BYTES);
            }
        }
        return value;
    }

    @Test
    void pagesThatFoundNoRoomInStagingAreNotLost() throws Exception {
        copyEverything();
        try (StagedCheckpoint small = checkpoint(StagedPages.BLOCK_BYTES);
                StagedCheckpoint large = checkpoint(PLENTY_BYTES)) {
            for (int page = 0; page < PAGES; page++) {
                write(page, 1);
            }
            small.begin(new EpochId(1), true);
            assertThrows(CheckpointException.class, () -> device.suspended(small));
            large.begin(new EpochId(1), true);
            device.suspended(large);
            assertEquals(all(), pagesIn(large.pages()));
        }
    }

    @Test
    void failedTrackingIsReportedAsSuchAndDegrades() {
        tracker.broken = true;
        CheckpointException failure = assertThrows(CheckpointException.class, device::beginRound);
        assertEquals(ErrorCategory.DEGRADE, failure.category());
        assertTrue(failure.toString().contains("can't be tracked"), failure.toString());
    }

    @Test
    void endingProtectionEndsTracking() {
        device.abort();
        assertTrue(tracker.closed);
    }

    @Test
    void theStandbyRefusesPagesOutsideItsMemory() throws Exception {
        try (Arena arena = Arena.ofConfined()) {
            StandbyMemory standby = new StandbyMemory(memory);
            MemorySegment page = arena.allocate(PAGE_BYTES);
            standby.write(PAGES - 1, 1, page, 0);
            assertThrows(CheckpointException.class, () -> standby.write(PAGES, 1, page, 0));
            assertThrows(CheckpointException.class, () -> standby.write(-1, 1, page, 0));
            assertThrows(CheckpointException.class, () -> standby.zero(PAGES - 1, 2));
            assertThrows(CheckpointException.class, () -> standby.zero(0, -1));
            assertThrows(CheckpointException.class, () -> standby.zero(Long.MAX_VALUE, 1));
        }
    }

    private GuestMemory memory() {
        return memory(PAGES);
    }

    private GuestMemory memory(int pages) {
        try {
            SharedRamFile file = RamFiles.create(pages);
            resources.push(file::delete);
            return resources.push(GuestMemory.forWriting(file));
        } catch (GuestMemoryException e) {
            throw new IllegalStateException(e);
        }
    }

    private void copyEverything() throws CheckpointException {
        try (StagedPages chunk = chunk()) {
            device.beginRound();
            assertFalse(device.copyChunk(chunk, PAGES));
        }
    }

    private void write(int page, int value) {
        memory.segment().asSlice((long) page * PAGE_BYTES, PAGE_BYTES).fill((byte) value);
        tracker.written.add((long) page);
    }

    private static StagedPages chunk() {
        return new StagedPages(PAGE_BYTES, PLENTY_BYTES);
    }

    private static StagedCheckpoint checkpoint(long limitBytes) {
        return new StagedCheckpoint(new StagedPages(PAGE_BYTES, limitBytes), PLENTY_BYTES);
    }

    private static BitSet all() {
        BitSet pages = new BitSet();
        pages.set(0, PAGES);
        return pages;
    }

    private static BitSet pagesIn(StagedPages staged) {
        BitSet pages = new BitSet();
        for (int run = 0; run < staged.runCount(); run++) {
            int first = (int) staged.firstPage(run);
            pages.set(first, first + staged.pageCount(run));
        }
        return pages;
    }

    /** Reports what the test says was written. */
    private static final class ListedWrites implements DirtyTracker {
        private final TreeSet<Long> written = new TreeSet<>();
        private final DirtyPages released = new DirtyPages();
        private boolean knowsQuiet;
        private int collects;
        private boolean broken;
        private boolean closed;

        @Override
        public void arm() {
            written.clear();
        }

        @Override
        public void collect(DirtyPages into) throws LinuxException {
            if (broken) {
                throw new LinuxException("collect", Errno.ESRCH);
            }
            collects++;
            written.forEach(page -> into.add(page, 1));
            into.addAll(released);
            written.clear();
            released.clear();
        }

        @Override
        public boolean knowsQuiet() {
            return knowsQuiet;
        }

        @Override
        public boolean isQuiet() {
            return knowsQuiet && written.isEmpty() && released.isEmpty();
        }

        @Override
        public void collectOthers(DirtyPages except, DirtyPages into) {
            TreeSet<Long> excepted = new TreeSet<>();
            for (int run = 0; run < except.runCount(); run++) {
                for (long i = 0; i < except.pageCount(run); i++) {
                    excepted.add(except.firstPage(run) + i);
                }
            }
            written.stream().filter(page -> !excepted.contains(page)).forEach(page -> into.add(page, 1));
            written.retainAll(excepted);
        }

        @Override
        public void release(DirtyPages pages) {
            released.addAll(pages);
        }

        @Override
        public TrackingMode mode() {
            return TrackingMode.ASYNC;
        }

        @Override
        public void close() {
            closed = true;
        }
    }
}
