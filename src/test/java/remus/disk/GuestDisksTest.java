package remus.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import remus.base.EpochId;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.DiskForwarding;
import remus.checkpoint.DiskOperation;
import remus.checkpoint.DiskWriteCount;
import remus.checkpoint.StagedCheckpoint;
import remus.linux.Errno;

class GuestDisksTest {
    private static final long[] SIZES = {4 * DiskRig.MIB, 3 * DiskRig.MIB};
    private static final EpochId ONE = new EpochId(1);
    private static final EpochId TWO = new EpochId(2);

    private final Arena arena = Arena.ofShared();
    private final MemorySegment data = arena.allocate(3L * DiskRig.MIB);
    private final SteppingTime time = new SteppingTime(0);
    private final StagedCheckpoint checkpoint = DiskRig.checkpoint();

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path directory;

    @SuppressWarnings("NullAway.Init")
    private DiskRig rig;

    @BeforeEach
    void open() throws DiskException {
        rig = new DiskRig(directory, GuestDisks.Mode.OPEN, time, SIZES);
    }

    @AfterEach
    void close() {
        rig.close();
        checkpoint.close();
        arena.close();
    }

    /** A lock stands for QEMU, whose stop returns when all requests are answered. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    void theWritesOfAllEpochsUpToOneMakeTheImagesAsTheyWereAtItsSeal(long seed) throws Exception {
        int epochs = 8;
        rig.fill(seed, 50);
        FakeBackup backup = rig.protect();
        ReentrantReadWriteLock running = new ReentrantReadWriteLock(true);
        AtomicBoolean stop = new AtomicBoolean();
        List<Background> guests = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            guests.add(Background.start(writing(rig.disk(i % 2), new SeededGuest(10 * seed + i), running, stop)));
        }
        List<List<byte[]>> sealed = new ArrayList<>();
        List<DiskWriteCount> counts = new ArrayList<>();
        for (long epoch = 1; epoch <= epochs; epoch++) {
            long before = backup.log().size();
            Background.await("writes in the epoch", () -> backup.log().size() > before + 20);
            rig.disks.suspending(new EpochId(epoch));
            running.writeLock().lock();
            try {
                checkpoint.begin(new EpochId(epoch), epoch == 1);
                rig.disks.suspended(checkpoint);
                rig.disks.saved(checkpoint);
                sealed.add(rig.contents());
                counts.add(checkpoint.diskWrites());
            } finally {
                running.writeLock().unlock();
            }
            rig.disks.resumed(new EpochId(epoch));
        }
        stop.set(true);
        for (Background guest : guests) {
            guest.join();
        }
        assertEquals(DiskWriteCount.NONE, counts.getFirst(), "before the first checkpoint nothing has an epoch");
        for (int i = 0; i < epochs; i++) {
            EpochId epoch = new EpochId(i + 1);
            DiskRig.assertSame(sealed.get(i), backup.imagesAfter(epoch), "seed " + seed + " epoch " + epoch);
            assertEquals(i == 0 ? DiskWriteCount.NONE : backup.count(epoch), counts.get(i));
        }
        DiskRig.assertSame(rig.contents(), backup.imagesAfter(new EpochId(epochs + 1)), "after the last");
        backup.close();
    }

    private static Background.Request writing(
            GuestDisk disk, SeededGuest guest, ReentrantReadWriteLock running, AtomicBoolean stop) {
        return () -> {
            while (!stop.get()) {
                running.readLock().lock();
                try {
                    guest.change(disk);
                } finally {
                    running.readLock().unlock();
                }
            }
        };
    }

    /** What the claim above rests on: a write tagged one epoch too late is noticed. */
    @Test
    void aWriteThatCarriesTheNextEpochIsNotInTheImageOfItsOwn() throws Exception {
        FakeBackup backup = rig.protectThroughFirst();
        data.fill((byte) 3);
        rig.disk(0).write(0, data, 0, 512, false);
        List<FakeBackup.Forwarded> late = backup.log().stream()
                .filter(entry -> entry.epoch().value() <= 1)
                .toList();
        assertThrows(
                AssertionError.class, () -> DiskRig.assertSame(rig.contents(), backup.imagesFrom(late), "epoch 2"));
        DiskRig.assertSame(rig.contents(), backup.imagesAfter(TWO), "epoch 2");
        backup.close();
    }

    @Test
    void aLargeWriteIsForwardedInPiecesThatTheChannelTakes() throws Exception {
        FakeBackup backup = rig.protectThroughFirst();
        data.fill((byte) 5);
        rig.disk(0).write(512, data, 512, 2L * DiskRig.MIB + 512, false);
        rig.disk(1).trim(0, 2L * DiskRig.MIB, false);
        rig.take(checkpoint, TWO, () -> {});
        assertEquals(new DiskWriteCount(4, 2L * DiskRig.MIB + 512), checkpoint.diskWrites());
        assertEquals(backup.count(TWO), checkpoint.diskWrites());
        DiskRig.assertSame(rig.contents(), backup.imagesAfter(TWO), "pieces");
        backup.close();
    }

    @Test
    void trimsAndZerosAreForwardedAsSuch() throws Exception {
        FakeBackup backup = rig.protectThroughFirst();
        int before = backup.log().size();
        rig.disk(0).trim(0, 512, false);
        rig.disk(0).zero(0, 512, false, false);
        rig.disk(0).zero(0, 512, true, true);
        assertEquals(
                List.of(DiskOperation.TRIM, DiskOperation.ZERO, DiskOperation.TRIM),
                backup.log().stream()
                        .skip(before)
                        .map(FakeBackup.Forwarded::operation)
                        .toList());
        backup.close();
    }

    @Test
    void forwardedBytesArePendingUntilTheirEpochIsCommitted() throws Exception {
        FakeBackup backup = rig.protectThroughFirst();
        rig.disk(0).write(0, data, 0, 1024, false);
        rig.take(checkpoint, TWO, () -> {});
        rig.disk(0).write(0, data, 0, 512, false);
        rig.disk(1).write(0, data, 0, 512, false);
        assertEquals(1536, rig.disks.pendingBytes(0));
        rig.disks.commit(TWO);
        assertEquals(512, rig.disks.pendingBytes(0));
        rig.take(checkpoint, TWO.next(), () -> {});
        rig.disks.commit(TWO.next());
        assertEquals(0, rig.disks.pendingBytes(0));
        assertEquals(0, rig.disks.pendingBytes(1));
        backup.close();
    }

    @Test
    void protectionCantBeginBeforeTheDisksAreSynchronized() {
        assertThrows(CheckpointException.class, rig.disks::setup);
        FakeBackup backup = FakeBackup.empty(rig.disks.disks());
        rig.disks.attach(backup);
        assertThrows(CheckpointException.class, rig.disks::setup);
        backup.close();
    }

    @Test
    void aWriteWhileTheGuestStandsStillSpoilsTheCheckpoint() throws Exception {
        FakeBackup backup = rig.protectThroughFirst();
        checkpoint.begin(TWO, false);
        rig.disks.suspending(TWO);
        rig.disks.suspended(checkpoint);
        rig.disk(1).write(0, data, 0, 512, false);
        CheckpointException refused = assertThrows(CheckpointException.class, () -> rig.disks.saved(checkpoint));
        assertTrue(String.valueOf(refused.getMessage()).contains("disk1"), refused.getMessage());
        backup.close();
    }

    @Test
    void aWriterThatWaitsForRoomIsLetThroughWhenAPauseBegins() throws Exception {
        FakeBackup backup = rig.protectThroughFirst();
        backup.setFull(true);
        Background first = Background.start(() -> rig.disk(0).write(0, data, 0, 512, false));
        Background.await("a full channel", () -> backup.waiting() == 1);
        Background second = Background.start(() -> rig.disk(0).write(512, data, 0, 512, false));
        first.awaitWaiting();
        second.awaitWaiting();
        rig.disk(0).read(0, data, 512, 512);
        rig.disk(0).flush();
        rig.disks.suspending(TWO);
        first.join();
        second.join();
        checkpoint.begin(TWO, false);
        rig.disks.suspended(checkpoint);
        rig.disks.saved(checkpoint);
        assertEquals(new DiskWriteCount(2, 1024), checkpoint.diskWrites());
        rig.disks.resumed(TWO);
        Background third = Background.start(() -> rig.disk(0).write(0, data, 0, 512, false))
                .awaitWaiting();
        backup.setFull(false);
        third.join();
        backup.close();
    }

    @Test
    void aStopForAnotherReasonLetsWritersThroughUntilTheGuestRunsAgain() throws Exception {
        FakeBackup backup = rig.protectThroughFirst();
        backup.setFull(true);
        Background writer = Background.start(() -> rig.disk(0).write(0, data, 0, 512, false))
                .awaitWaiting();
        rig.disks.letWritesThrough(true);
        writer.join();
        rig.take(checkpoint, TWO, () -> {});
        rig.disk(0).write(0, data, 0, 512, false); // the end of a pause does not take it back
        rig.disks.letWritesThrough(false);
        Background.start(() -> rig.disk(0).write(0, data, 0, 512, false)).awaitWaiting();
        backup.close();
    }

    @Test
    void theEndOfASessionReleasesWhoWaitsAndTheGuestGoesOnUnreplicated() throws Exception {
        FakeBackup backup = rig.protectThroughFirst();
        backup.setFull(true);
        List<Background> writers = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            GuestDisk disk = rig.disk(i % 2);
            writers.add(Background.start(() -> disk.write(0, data, 0, 2L * DiskRig.MIB, true))
                    .awaitWaiting());
        }
        rig.disks.abort(); // the channel is closed only later
        for (Background writer : writers) {
            writer.join();
        }
        int forwarded = backup.log().size();
        rig.disk(0).write(0, data, 0, 512, true);
        assertEquals(forwarded, backup.log().size());
        assertFalse(rig.disks.isReplicated());
        assertEquals(0, rig.disks.syncedPercent(0));
        rig.disks.abort();
        backup.close();
    }

    @Test
    void aChannelThatEndsByItselfReleasesWhoWaits() throws Exception {
        FakeBackup backup = rig.protectThroughFirst();
        backup.setFull(true);
        Background writer = Background.start(() -> rig.disk(0).write(0, data, 0, 512, false))
                .awaitWaiting();
        backup.close();
        writer.join();
        assertFalse(rig.disks.isReplicated());
    }

    @Test
    void aLaterSessionBeginsFromNothing() throws Exception {
        rig.fill(7, 40);
        FakeBackup former = rig.protectThroughFirst();
        rig.disk(0).write(0, data, 0, 512, false);
        rig.disks.abort();
        former.close();
        rig.fill(8, 40);
        try (FakeBackup next = rig.protect()) {
            assertEquals(0, rig.disks.pendingBytes(0));
            DiskRig.assertSame(rig.contents(), next.imagesAfter(EpochId.NONE), "the next session");
            rig.disk(0).write(0, data, 0, 512, false);
            rig.take(checkpoint, ONE, () -> {});
            assertEquals(DiskWriteCount.NONE, checkpoint.diskWrites());
        }
    }

    @Test
    void whatFailsLocallyIsAnsweredReportedOnceAndNotForwarded() throws Exception {
        FakeBackup backup = rig.protectThroughFirst();
        int before = backup.log().size();
        rig.images.getFirst().failing = ImageFault.WRITE;
        for (int i = 0; i < 3; i++) {
            time.advance(GuestDisk.BURST_NANOS);
            DiskException error =
                    assertThrows(DiskException.class, () -> rig.disk(0).write(0, data, 0, 512, false));
            assertEquals(Errno.EIO, error.errno());
        }
        assertThrows(DiskException.class, () -> rig.disk(0).trim(0, 512, false));
        assertEquals(1, rig.failures.size());
        assertEquals(DiskRequest.WRITE, rig.failures.getFirst().request());
        assertEquals("disk0", rig.failures.getFirst().disk());
        time.advance(GuestDisk.BURST_NANOS + 1);
        assertThrows(DiskException.class, () -> rig.disk(0).zero(0, 512, false, false));
        assertEquals(2, rig.failures.size());
        assertEquals(before, backup.log().size());
        rig.images.getFirst().failing = ImageFault.READ;
        time.advance(GuestDisk.BURST_NANOS + 1);
        assertThrows(DiskException.class, () -> rig.disk(0).read(0, data, 0, 512));
        assertEquals(DiskRequest.READ, rig.failures.getLast().request());
        rig.disk(1).write(0, data, 0, 512, false);
        assertEquals(before + 1, backup.log().size());
        backup.close();
    }

    @Test
    void aStandbysDisksCanOnlyBeRead() throws Exception {
        try (DiskRig standby = new DiskRig(
                Files.createDirectory(directory.resolve("standby")), GuestDisks.Mode.STANDBY, time, 4 * DiskRig.MIB)) {
            GuestDisk disk = standby.disk(0);
            disk.read(0, data, 0, 512);
            disk.flush();
            DiskException refused = assertThrows(DiskException.class, () -> disk.write(0, data, 0, 512, false));
            assertEquals(Errno.EPERM, refused.errno());
            assertThrows(DiskException.class, () -> disk.trim(0, 512, false));
            assertThrows(DiskException.class, () -> disk.zero(0, 512, true, false));
        }
    }

    @Test
    void anActivatedVmReadsAtOnceAndChangesItsDisksWhenTheImagesAreSettled() throws Exception {
        Path place = Files.createDirectory(directory.resolve("gated"));
        try (DiskRig gated = new DiskRig(place, GuestDisks.Mode.STANDBY, time, 4 * DiskRig.MIB)) {
            GuestDisk disk = gated.disk(0);
            gated.disks.activate();
            Background writer =
                    Background.start(() -> disk.write(0, data, 0, 512, false)).awaitWaiting();
            Background flusher = Background.start(disk::flush).awaitWaiting();
            disk.read(0, data, 512, 512);
            gated.disks.open();
            writer.join();
            flusher.join();
            assertEquals(GuestDisks.Mode.OPEN, gated.disks.mode());
        }
    }

    @Test
    void theEndOfTheVmFailsWhoWaits() throws Exception {
        Path place = Files.createDirectory(directory.resolve("ended"));
        try (DiskRig gated = new DiskRig(place, GuestDisks.Mode.GATED, time, 4 * DiskRig.MIB)) {
            Background writer = Background.start(() -> gated.disk(0).write(0, data, 0, 512, false));
            writer.awaitWaiting();
            gated.disks.shutDown();
            assertEquals(Errno.ESHUTDOWN, writer.failure().errno());
            gated.disks.open();
            assertEquals(GuestDisks.Mode.CLOSED, gated.disks.mode());
        }
        rig.images.getFirst().holdSyncs();
        FakeBackup backup = rig.protect();
        rig.disk(0).write(0, data, 0, 512, false);
        Background flusher = Background.start(rig.disk(0)::flush).awaitWaiting();
        backup.setFull(true);
        Background writer = Background.start(() -> rig.disk(1).write(0, data, 0, 512, false))
                .awaitWaiting();
        rig.disks.shutDown();
        assertEquals(Errno.ESHUTDOWN, flusher.failure().errno());
        writer.join();
        DiskException late = assertThrows(DiskException.class, () -> rig.disk(1).write(0, data, 0, 512, false));
        assertEquals(Errno.ESHUTDOWN, late.errno());
        backup.close();
    }

    @Test
    void aVmHasALimitedNumberOfDisks() {
        List<GuestDisks.Disk> nine = new ArrayList<>();
        for (int i = 0; i <= DiskForwarding.MAX_DISKS; i++) {
            nine.add(new GuestDisks.Disk("disk" + i, rig.images.getFirst()));
        }
        GuestDisks.Listener listener = new GuestDisks.Listener() {
            @Override
            public void diskFailed(String disk, DiskRequest request, DiskException cause) {}

            @Override
            public void owedSyncDone() {}
        };
        assertThrows(IllegalArgumentException.class, () -> new GuestDisks(nine, GuestDisks.Mode.OPEN, listener, time));
    }
}
