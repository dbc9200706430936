package remus.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.base.Time;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.DiskOperation;
import remus.checkpoint.DiskWriteCount;
import remus.checkpoint.ForwardedWrites;
import remus.linux.Errno;

@Timeout(60)
class StandbyDisksTest {
    private static final int DISK_BYTES = 256 << 10;
    private static final StandbyLimits LIMITS = new StandbyLimits(
            96 << 10, 32 << 10, (1 << 20) + 4096, 32 << 10, 16 << 10, 320 << 10, 64 << 10, 3_600_000_000_000L);
    private static final EpochId E1 = new EpochId(1);
    private static final EpochId E2 = new EpochId(2);
    private static final EpochId E3 = new EpochId(3);

    private static final Time TIME = new Time() {
        @Override
        public long nanos() {
            return System.nanoTime();
        }

        @Override
        public long wallMillis() {
            return 0;
        }
    };

    private final Arena arena = Arena.ofAuto();
    private final CrashImage.Power power = new CrashImage.Power();
    private final CrashImage image = new CrashImage("/var/lib/remus/shop-0.raw", DISK_BYTES, power);
    private final CrashImage logFile = new CrashImage("/var/lib/remus/shop.redo", (int) LIMITS.logBytes(), power);
    private final BlockingQueue<EpochId> consistent = new LinkedBlockingQueue<>();
    private final BlockingQueue<CheckpointException> failures = new LinkedBlockingQueue<>();
    private final BlockingQueue<Boolean> progress = new LinkedBlockingQueue<>();
    private final StandbyDisks disks = open();

    private StandbyDisks.Listener listener() {
        return new StandbyDisks.Listener() {
            @Override
            public void consistent(EpochId base) {
                consistent.add(base);
            }

            @Override
            public void logged(EpochId last) {
                // Only a daemon's fault point wants to know.
            }

            @Override
            public void progressed() {
                progress.add(true);
            }

            @Override
            public void failed(CheckpointException reason) {
                failures.add(reason);
            }
        };
    }

    private StandbyDisks open() {
        try {
            RedoLog log = RedoLog.begin(logFile, RedoWorld.header(List.of(image), LIMITS.logBytes()));
            return StandbyDisks.open(
                    log, RedoWorld.VM, List.of(new ReplicaDisk("d0", image)), LIMITS, TIME, listener());
        } catch (DiskException e) {
            throw new AssertionError(e);
        }
    }

    @AfterEach
    void close() {
        disks.close();
    }

    private void receive(EpochId epoch, long offset, byte[] bytes) throws CheckpointException {
        MemorySegment data = arena.allocate(bytes.length + 3L);
        MemorySegment.copy(MemorySegment.ofArray(bytes), 0, data, 3, bytes.length);
        disks.receive(epoch, 0, DiskOperation.WRITE, offset, bytes.length, data, 3);
        // What has been received was copied.
        data.fill((byte) 0x55);
    }

    private void synchronize(long offset, byte[] bytes) throws CheckpointException {
        MemorySegment data = arena.allocate(bytes.length);
        MemorySegment.copy(MemorySegment.ofArray(bytes), 0, data, 0, bytes.length);
        disks.synchronize(0, DiskOperation.WRITE, offset, bytes.length, data, 0);
        data.fill((byte) 0x55);
    }

    private static byte[] filled(int bytes, int value) {
        byte[] filled = new byte[bytes];
        Arrays.fill(filled, (byte) value);
        return filled;
    }

    private byte[] content(int offset, int length) {
        return Arrays.copyOfRange(image.content(), offset, offset + length);
    }

    private void begin() throws CheckpointException {
        disks.whole(E1);
        disks.finishApplying();
    }

    private static void await(BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, "waited for 30 s");
            TimeUnit.MILLISECONDS.sleep(1);
        }
    }

    @Test
    void writesReachTheImageOnlyWhenTheirCheckpointIsWhole() throws Exception {
        begin();
        receive(E2, 0, filled(4096, 2));
        receive(E3, 4096, filled(4096, 3));
        disks.finishApplying();
        assertArrayEquals(new byte[8192], content(0, 8192));
        assertEquals(new DiskWriteCount(1, 4096), disks.received(E2));
        disks.whole(E2);
        disks.finishApplying();
        assertArrayEquals(filled(4096, 2), content(0, 4096));
        assertArrayEquals(new byte[4096], content(4096, 4096));
        assertEquals(DiskWriteCount.NONE, disks.received(E2));
        assertEquals(new DiskWriteCount(1, 4096), disks.received(E3));
        assertEquals(4096 + 64, disks.figures().pendingBytes());
    }

    @Test
    void whatIsPendingIsKnownForEachDisk() throws Exception {
        CrashImage second = new CrashImage("/var/lib/remus/shop-1.raw", DISK_BYTES, power);
        CrashImage log = new CrashImage("/var/lib/remus/two.redo", (int) LIMITS.logBytes(), power);
        RedoLog begun = RedoLog.begin(log, RedoWorld.header(List.of(image, second), LIMITS.logBytes()));
        List<ReplicaDisk> both = List.of(new ReplicaDisk("d0", image), new ReplicaDisk("d1", second));
        try (StandbyDisks two = StandbyDisks.open(begun, RedoWorld.VM, both, LIMITS, TIME, listener())) {
            two.whole(E1);
            MemorySegment data = arena.allocate(8192);
            two.receive(E2, 1, DiskOperation.WRITE, 0, 8192, data, 0);
            two.receive(E2, 0, DiskOperation.WRITE, 0, 512, data, 0);
            two.receive(E2, 0, DiskOperation.TRIM, 4096, 4096, MemorySegment.NULL, 0);
            two.receive(E3, 1, DiskOperation.WRITE, 0, 1024, data, 0);
            assertEquals(512, two.pendingBytes(0));
            assertEquals(8192 + 1024, two.pendingBytes(1));
            two.whole(E2);
            two.finishApplying();
            assertEquals(0, two.pendingBytes(0));
            assertEquals(1024, two.pendingBytes(1));
            two.dropAfter(E2);
            assertEquals(0, two.pendingBytes(1));
        }
    }

    @Test
    void theImagesAreConsistentWithTheFirstWholeCheckpoint() throws Exception {
        synchronize(0, filled(8192, 1));
        receive(E1, 4096, filled(4096, 9));
        assertFalse(disks.figures().isConsistent());
        begin();
        assertEquals(E1, consistent.poll(30, TimeUnit.SECONDS));
        await(() -> disks.figures().isConsistent());
        assertEquals(8192, disks.figures().synchronizedBytes());
        disks.close();
        lose();
        Recovery recovered = recover();
        assertEquals(Recovery.Outcome.CHECKPOINT, recovered.outcome());
        assertEquals(E1, recovered.epoch());
        assertArrayEquals(filled(4096, 1), content(0, 4096));
        assertArrayEquals(filled(4096, 9), content(4096, 4096));
    }

    @Test
    void beforeTheFirstWholeCheckpointThereIsNothingToRecover() throws Exception {
        synchronize(0, filled(8192, 1));
        disks.finishApplying();
        disks.close();
        assertEquals(Recovery.Outcome.INCOMPLETE, recover().outcome());
    }

    private void lose() {
        logFile.restart(versions -> 0);
        image.restart(versions -> 0);
    }

    private Recovery recover() throws DiskException {
        return LogRecovery.recover(logFile, path -> image);
    }

    @Test
    void whatWasAppliedSurvivesAPowerLoss() throws Exception {
        begin();
        Random random = new Random(3);
        byte[] expected = new byte[DISK_BYTES];
        for (int epoch = 2; epoch < 60; epoch++) {
            byte[] bytes = new byte[1 + random.nextInt(12 << 10)];
            random.nextBytes(bytes);
            int offset = random.nextInt(DISK_BYTES - bytes.length);
            System.arraycopy(bytes, 0, expected, offset, bytes.length);
            await(disks::mayAcknowledge);
            receive(new EpochId(epoch), offset, bytes);
            disks.whole(new EpochId(epoch));
        }
        disks.finishApplying();
        await(() -> disks.figures().applied().value() == 59);
        disks.close();
        assertArrayEquals(expected, image.content());
        lose();
        assertEquals(59, recover().epoch().value());
        assertArrayEquals(expected, image.content());
    }

    @Test
    void whenThePowerGoesNothingAppliedIsLost() throws Exception {
        begin();
        power.cutAfter(150);
        byte[][] states = new byte[400][];
        byte[] state = new byte[DISK_BYTES];
        states[1] = state.clone();
        Random random = new Random(4);
        int epoch = 2;
        while (!power.isOff() && epoch < states.length) {
            byte[] bytes = new byte[1 + random.nextInt(8 << 10)];
            random.nextBytes(bytes);
            int offset = random.nextInt(DISK_BYTES - bytes.length);
            System.arraycopy(bytes, 0, state, offset, bytes.length);
            states[epoch] = state.clone();
            await(() -> disks.mayAcknowledge() || power.isOff());
            try {
                receive(new EpochId(epoch), offset, bytes);
                disks.whole(new EpochId(epoch));
                epoch++;
            } catch (CheckpointException e) {
                assertEquals(ErrorCategory.FATAL, e.category());
            }
        }
        assertEquals(ErrorCategory.FATAL, failure().category());
        long applied = disks.figures().applied().value();
        disks.close();
        power.cutAfter(Long.MAX_VALUE);
        logFile.restart(random::nextInt);
        image.restart(random::nextInt);
        long recovered = recover().epoch().value();
        assertTrue(recovered >= applied, recovered + " is before " + applied);
        assertArrayEquals(states[(int) recovered], image.content());
    }

    private CheckpointException failure() throws InterruptedException {
        CheckpointException failure = failures.poll(30, TimeUnit.SECONDS);
        assertTrue(failure != null, "nobody was told");
        return failure == null ? new CheckpointException(ErrorCategory.FATAL, "", null) : failure;
    }

    @Test
    void whatIsNotWholeIsForgottenWithTheConnection() throws Exception {
        begin();
        receive(E2, 0, filled(4096, 2));
        receive(E3, 0, filled(4096, 3));
        disks.whole(E2);
        disks.dropAfter(E2);
        assertEquals(DiskWriteCount.NONE, disks.received(E3));
        receive(E3, 8192, filled(4096, 4));
        disks.whole(E3);
        disks.finishApplying();
        assertArrayEquals(filled(4096, 2), content(0, 4096));
        assertArrayEquals(filled(4096, 4), content(8192, 4096));
        assertEquals(0, disks.figures().pendingBytes());
    }

    @Test
    void acknowledgementsWaitWhileTheDiskIsBehind() throws Exception {
        begin();
        CrashImage.Stall stall = logFile.stall();
        for (int epoch = 2; disks.mayAcknowledge(); epoch++) {
            receive(new EpochId(epoch), 0, filled(8192, epoch));
            disks.whole(new EpochId(epoch));
            assertTrue(epoch <= 5, "four times 8 KiB are the limit of 32 KiB");
        }
        progress.clear();
        stall.close();
        await(disks::mayAcknowledge);
        assertTrue(progress.poll(30, TimeUnit.SECONDS) != null, "nobody was told");
    }

    @Test
    void aDiskThatHangsKeepsNobodyFromClosingAndItsWriteIsCompletedLater() throws Exception {
        begin();
        CrashImage.Stall stall = image.stall();
        receive(E2, 0, filled(8192, 2));
        disks.whole(E2);
        await(() -> logFile.content()[(int) RedoLog.RECORDS_OFFSET] != 0);
        assertFalse(disks.closeWithin(Duration.ofMillis(20)));
        stall.close();
        await(() -> content(8191, 1)[0] == 2);
    }

    @Test
    void moreThanAPrimaryMaySendIsRefused() throws Exception {
        begin();
        CrashImage.Stall stall = logFile.stall();
        long sent = 0;
        try {
            for (int epoch = 2; sent < 2 * LIMITS.pendingBytes(); epoch++) {
                receive(new EpochId(epoch), 0, filled(8192, epoch));
                disks.whole(new EpochId(epoch));
                sent += 8192;
            }
            throw new AssertionError("everything was taken");
        } catch (CheckpointException e) {
            assertEquals(ErrorCategory.RETRY, e.category());
            assertTrue(sent >= 80 << 10, "only " + sent);
        }
        stall.close();
        disks.finishApplying();
        assertEquals(0, disks.figures().pendingBytes());
    }

    @Test
    void theSynchronizationWaitsForTheDiskWithBoundedMemory() throws Exception {
        CrashImage.Stall stall = image.stall();
        Thread agent = Thread.ofPlatform().start(() -> {
            try {
                for (int i = 0; i < 300; i++) {
                    synchronize(i % 32 * 8192L, filled(8192, i));
                }
            } catch (CheckpointException e) {
                throw new AssertionError(e);
            }
        });
        await(() -> agent.getState() == Thread.State.TIMED_WAITING);
        assertEquals(0, disks.figures().synchronizedBytes());
        stall.close();
        assertTrue(agent.join(Duration.ofSeconds(30)), "it goes on");
        disks.finishApplying();
        assertEquals(300 * 8192, disks.figures().synchronizedBytes());
        // Every 32 KiB, so that the first checkpoint finds little to do.
        assertTrue(image.syncCount() >= 60, image.syncCount() + " syncs");
        assertArrayEquals(filled(8192, 299), content(299 % 32 * 8192, 8192));
    }

    @Test
    void aFullDiskShowsBeforeTheAcknowledgement() throws Exception {
        begin();
        image.failNext(CrashImage.Operation.WRITE, 1, Errno.ENOSPC);
        CheckpointException full = assertThrows(CheckpointException.class, () -> receive(E2, 0, filled(4096, 2)));
        assertEquals(ErrorCategory.DEGRADE, full.category());
        assertTrue(String.valueOf(full.getMessage()).contains("ENOSPC"), full::getMessage);
        receive(E2, 0, filled(4096, 2));
        assertEquals(4096, image.reservedBytes());
    }

    @ParameterizedTest
    @CsvSource({"LOG,WRITE", "LOG,SYNC", "IMAGE,WRITE", "IMAGE,SYNC"})
    void afterAnErrorWhatIsWholeCanStillBeSaved(String where, CrashImage.Operation operation) throws Exception {
        begin();
        receive(E2, 0, filled(70, 2));
        receive(E3, 4096, filled(4096, 3));
        CrashImage failing = where.equals("LOG") ? logFile : image;
        failing.failNext(operation, 2, Errno.EIO);
        disks.whole(E2);
        if (where.equals("IMAGE") && operation == CrashImage.Operation.SYNC) {
            assertThrows(ExecutionException.class, () -> disks.settle().get(30, TimeUnit.SECONDS));
        }
        CheckpointException failed = failure();
        assertEquals(ErrorCategory.DEGRADE, failed.category());
        assertTrue(String.valueOf(failed.getMessage()).contains("EIO"), failed::getMessage);
        assertFalse(disks.mayAcknowledge());
        assertThrows(CheckpointException.class, () -> receive(E3, 0, filled(1, 1)));
        disks.whole(E3);
        if (operation == CrashImage.Operation.WRITE) {
            // The disk fails once more.
            assertThrows(CheckpointException.class, disks::finishApplying);
        }
        if (where.equals("LOG") && operation == CrashImage.Operation.SYNC) {
            assertThrows(CheckpointException.class, disks::finishApplying);
        }
        disks.finishApplying();
        assertArrayEquals(filled(70, 2), content(0, 70));
        assertArrayEquals(filled(4096, 3), content(4096, 4096));
        if (where.equals("IMAGE") && operation == CrashImage.Operation.SYNC) {
            assertThrows(ExecutionException.class, () -> disks.settle().get(30, TimeUnit.SECONDS));
        }
        disks.settle().get(30, TimeUnit.SECONDS);
        disks.close();
        lose();
        assertArrayEquals(filled(70, 2), content(0, 70));
        assertArrayEquals(filled(4096, 3), content(4096, 4096));
    }

    @Test
    void aSynchronizationThatLostItsWritesIsNeverCompleted() throws Exception {
        image.failNext(CrashImage.Operation.SYNC, 1, Errno.EIO);
        synchronize(0, filled(64 << 10, 1));
        assertEquals(ErrorCategory.DEGRADE, failure().category());
        disks.whole(E1);
        assertThrows(CheckpointException.class, disks::finishApplying);
        CompletableFuture<?> settled = disks.settle();
        ExecutionException e = assertThrows(ExecutionException.class, () -> settled.get(30, TimeUnit.SECONDS));
        assertInstanceOf(CheckpointException.class, e.getCause());
        disks.close();
        assertEquals(Recovery.Outcome.INCOMPLETE, recover().outcome());
    }

    @Test
    void afterSettlingTheImagesBelongToTheGuest() throws Exception {
        begin();
        receive(E2, 0, filled(4096, 2));
        disks.whole(E2);
        disks.settle().get(30, TimeUnit.SECONDS);
        disks.finishApplying();
        assertThrows(CheckpointException.class, () -> receive(E3, 0, filled(4096, 3)));
        assertFalse(disks.mayAcknowledge());
        disks.close();
        lose();
        assertArrayEquals(filled(4096, 2), content(0, 4096));
        Recovery recovered = recover();
        assertEquals(Recovery.Outcome.ENDED, recovered.outcome());
        assertEquals(E2, recovered.epoch());
        assertEquals(0, recovered.replayedRecordCount());
    }

    @Test
    void withoutAWholeCheckpointThereIsNothingToSettle() throws Exception {
        synchronize(0, filled(4096, 1));
        assertThrows(ExecutionException.class, () -> disks.settle().get(30, TimeUnit.SECONDS));
    }

    @Test
    void closingAnswersWhoeverWaits() throws Exception {
        begin();
        disks.close();
        assertThrows(ExecutionException.class, () -> disks.settle().get(30, TimeUnit.SECONDS));
        assertThrows(CheckpointException.class, disks::finishApplying);
        disks.close();
    }

    @Test
    void digestsAreThoseOfTheBlocksAndHolesAreNotRead() throws Exception {
        int block = BlockDigests.BLOCK_BYTES;
        byte[] bytes = new byte[1000];
        new Random(9).nextBytes(bytes);
        synchronize(2L * block + 77, bytes);
        CompletableFuture<byte[]> digests = new CompletableFuture<>();
        disks.digests(0, 1, 3, (disk, first, computed) -> {
            assertEquals(1, first);
            digests.complete(computed);
        });
        byte[] computed = digests.get(30, TimeUnit.SECONDS);
        MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
        for (int i = 0; i < 3; i++) {
            assertArrayEquals(
                    sha256.digest(content((1 + i) * block, block)), Arrays.copyOfRange(computed, 32 * i, 32 * i + 32));
        }
        assertEquals(List.of(2L * block), image.reads());
    }

    @Test
    void aShortLastBlockHasItsOwnDigest() throws Exception {
        int bytes = BlockDigests.BLOCK_BYTES + 512;
        CrashImage uneven = new CrashImage("/uneven.raw", bytes, power);
        byte[] digests = new BlockDigests(arena).of(uneven, 0, 2);
        MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
        assertArrayEquals(sha256.digest(new byte[BlockDigests.BLOCK_BYTES]), Arrays.copyOf(digests, 32));
        assertArrayEquals(sha256.digest(new byte[512]), Arrays.copyOfRange(digests, 32, 64));
        assertEquals(2, BlockDigests.count(bytes));
    }

    @Test
    void questionsThatNoPrimaryAsksAreRefused() throws Exception {
        assertRetry(() -> disks.digests(1, 0, 1, (disk, first, digests) -> {}));
        assertRetry(() -> disks.digests(0, 0, 0, (disk, first, digests) -> {}));
        assertRetry(() -> disks.digests(0, 0, 257, (disk, first, digests) -> {}));
        assertRetry(() -> disks.digests(0, 3, 2, (disk, first, digests) -> {}));
        assertRetry(() -> disks.digests(0, -1, 1, (disk, first, digests) -> {}));
        CrashImage.Stall stall = image.stall();
        synchronize(0, filled(512, 1));
        for (int i = 0; i < StandbyDisks.MAX_COMPARISONS; i++) {
            disks.digests(0, 0, 1, (disk, first, digests) -> {});
        }
        assertRetry(() -> disks.digests(0, 0, 1, (disk, first, digests) -> {}));
        stall.close();
    }

    private interface Attempt {
        void run() throws CheckpointException;
    }

    private static void assertRetry(Attempt attempt) {
        CheckpointException refused = assertThrows(CheckpointException.class, attempt::run);
        assertEquals(ErrorCategory.RETRY, refused.category(), refused::getMessage);
    }

    @Test
    void writesOfEpochsThatCannotComeAreRefused() throws Exception {
        begin();
        MemorySegment data = arena.allocate(8192);
        assertRetry(() -> disks.receive(E1, 0, DiskOperation.WRITE, 0, 512, data, 0));
        assertRetry(() -> disks.receive(EpochId.NONE, 0, DiskOperation.WRITE, 0, 512, data, 0));
        assertRetry(() -> disks.receive(new EpochId(6), 0, DiskOperation.WRITE, 0, 512, data, 0));
        assertRetry(() -> disks.synchronize(0, DiskOperation.WRITE, 0, 512, data, 0));
        disks.receive(E3, 0, DiskOperation.TRIM, 0, DISK_BYTES, data, 0);
        assertRetry(() -> disks.receive(E2, 0, DiskOperation.WRITE, 0, 512, data, 0));
    }

    @Test
    void checkpointsWithoutWritesTakeNoMemoryAndKeepTheLogEmpty() throws Exception {
        begin();
        CrashImage.Stall stall = logFile.stall();
        receive(E2, 0, filled(512, 2));
        disks.whole(E2);
        for (int epoch = 3; epoch < 2000; epoch++) {
            disks.whole(new EpochId(epoch));
            assertTrue(disks.mayAcknowledge());
        }
        stall.close();
        disks.finishApplying();
        await(() -> disks.figures().applied().value() == 1999);
        assertEquals(4096, disks.figures().logBytes());
    }

    @ParameterizedTest
    @EnumSource(DiskOperation.class)
    void everyOperationReachesTheImage(DiskOperation operation) throws Exception {
        synchronize(0, filled(16384, 1));
        begin();
        MemorySegment data = arena.allocate(4096);
        data.fill((byte) 7);
        disks.receive(E2, 0, operation, 4096, 4096, data, 0);
        disks.whole(E2);
        disks.finishApplying();
        assertArrayEquals(filled(4096, 1), content(0, 4096));
        assertArrayEquals(filled(4096, operation == DiskOperation.WRITE ? 7 : 0), content(4096, 4096));
        assertArrayEquals(filled(8192, 1), content(8192, 8192));
    }

    @Test
    void blocksAreUsedAgainWhenNothingLiesInThemAnyMore() {
        try (StagingBlocks blocks = new StagingBlocks()) {
            MemorySegment data = arena.allocate(StagingBlocks.BLOCK_BYTES);
            new Random(1)
                    .ints(256)
                    .forEach(at -> data.set(java.lang.foreign.ValueLayout.JAVA_BYTE, at & 0xffff, (byte) at));
            List<DiskWrite> held = new ArrayList<>();
            for (int round = 0; round < 500; round++) {
                int length = 1 + round * 7919 % StagingBlocks.BLOCK_BYTES;
                List<DiskWrite> pieces = blocks.copy(0, DiskOperation.WRITE, round, length, data, 0);
                long done = 0;
                for (DiskWrite piece : pieces) {
                    assertEquals(round + done, piece.offset());
                    assertEquals(
                            -1,
                            MemorySegment.mismatch(
                                    piece.data(),
                                    piece.at(),
                                    piece.at() + piece.length(),
                                    data,
                                    done,
                                    done + piece.length()));
                    done += piece.length();
                }
                assertEquals(length, done);
                held.addAll(pieces);
                while (held.size() > 8) {
                    blocks.release(held.removeFirst());
                }
                assertTrue(blocks.heldBytes() <= 9 << 20, blocks.heldBytes() + " bytes are held");
            }
            held.forEach(blocks::release);
            assertEquals(StagingBlocks.BLOCK_BYTES, blocks.heldBytes());
        }
    }

    @Test
    void settlingAfterAFatalFailureFailsAtOnce() throws Exception {
        disks.digests(0, 0, 1, (disk, firstBlock, digests) -> {
            throw new IllegalStateException("a defect");
        });
        assertEquals(ErrorCategory.FATAL, failure().category());
        for (int i = 0; i < 2; i++) {
            CompletableFuture<?> settled = disks.settle();
            assertTrue(settled.isCompletedExceptionally());
            CheckpointException cause = assertInstanceOf(CheckpointException.class, settled.exceptionNow());
            assertEquals(ErrorCategory.FATAL, cause.category());
        }
    }

    @Test
    void limitsThatContradictEachOtherAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> limits(191L << 20, 64L << 20, 256L << 20));
        assertThrows(IllegalArgumentException.class, () -> limits(192L << 20, 64L << 20, 96L << 20));
    }

    @ParameterizedTest
    @CsvSource({"1,256,256", "2,384,256", "3,512,320", "8,1152,640"})
    void aBackupTakesWhatItsPrimaryMayLetThroughInTwoPauses(int disks, long pendingMib, long logMib) {
        StandbyLimits limits = StandbyLimits.of(disks);
        long pause = (long) disks * NbdLimits.MAX_IN_FLIGHT * NbdLimits.MAX_PAYLOAD_BYTES;
        assertEquals(pendingMib << 20, limits.pendingBytes());
        assertEquals(logMib << 20, limits.logBytes());
        assertTrue(limits.pendingBytes() >= limits.acknowledgeBytes() + ForwardedWrites.LIMIT_BYTES + 2 * pause);
        assertTrue(limits.checkpointBytes() >= ForwardedWrites.LIMIT_BYTES + pause);
    }

    @Test
    void aCheckpointThatNoLogTakesIsRefused() throws Exception {
        StandbyLimits limits = new StandbyLimits(
                96 << 10,
                32 << 10,
                (1 << 20) + 4096,
                32 << 10,
                16 << 10,
                RedoLog.RECORDS_OFFSET + (64 << 10),
                64 << 10,
                3_600_000_000_000L);
        CrashImage smallFile = new CrashImage("/var/lib/remus/small.redo", (int) limits.logBytes(), power);
        RedoLog log = RedoLog.begin(smallFile, RedoWorld.header(List.of(image), limits.logBytes()));
        MemorySegment data = arena.allocate(4096);
        try (StandbyDisks small = StandbyDisks.open(
                log, RedoWorld.VM, List.of(new ReplicaDisk("d0", image)), limits, TIME, new Quiet())) {
            small.whole(E1);
            small.finishApplying();
            long sent = 0;
            while (sent + 4096 + 2 * StandbyLimits.OPERATION_BYTES <= limits.checkpointBytes()) {
                small.receive(E2, 0, DiskOperation.WRITE, 0, 4096, data, 0);
                sent += 4096 + StandbyLimits.OPERATION_BYTES;
            }
            assertRetry(() -> small.receive(E2, 0, DiskOperation.WRITE, 0, 4096, data, 0));
            small.whole(E2);
            small.finishApplying();
            assertEquals(E2, small.figures().applied());
        }
    }

    private static final class Quiet implements StandbyDisks.Listener {
        @Override
        public void consistent(EpochId base) {}

        @Override
        public void logged(EpochId last) {}

        @Override
        public void progressed() {}

        @Override
        public void failed(CheckpointException reason) {}
    }

    private static StandbyLimits limits(long pendingBytes, long acknowledgeBytes, long logBytes) {
        return new StandbyLimits(pendingBytes, acknowledgeBytes, 32 << 20, 1, 1, logBytes, 1, 1);
    }

    @Test
    void theDiskIsNamedInAnErrorWithItsPath() throws Exception {
        begin();
        image.failNext(CrashImage.Operation.WRITE, 1, Errno.EIO);
        CheckpointException failed = assertThrows(CheckpointException.class, () -> receive(E2, 0, filled(1, 1)));
        assertTrue(
                String.valueOf(failed.getMessage()).contains("d0")
                        && String.valueOf(failed.getMessage())
                                .contains(Path.of("/var/lib/remus/shop-0.raw").toString()),
                failed::getMessage);
    }
}
