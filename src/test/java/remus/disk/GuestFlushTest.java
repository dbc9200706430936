package remus.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.checkpoint.StagedCheckpoint;
import remus.linux.Errno;

/** What a guest's flush means, and what a pause may make of it. */
class GuestFlushTest {
    private static final EpochId TWO = new EpochId(2);
    private static final EpochId THREE = new EpochId(3);

    private final Arena arena = Arena.ofShared();
    private final MemorySegment data = arena.allocate(4096);
    private final SteppingTime time = new SteppingTime(0);
    private final StagedCheckpoint checkpoint = DiskRig.checkpoint();

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path directory;

    @SuppressWarnings("NullAway.Init")
    private DiskRig rig;

    @SuppressWarnings("NullAway.Init")
    private FakeBackup backup;

    @SuppressWarnings("NullAway.Init")
    private TestImage image;

    @SuppressWarnings("NullAway.Init")
    private GuestDisk disk;

    @BeforeEach
    void open() throws Exception {
        rig = new DiskRig(directory, GuestDisks.Mode.OPEN, time, DiskRig.MIB, DiskRig.MIB);
        backup = rig.protectThroughFirst();
        image = rig.images.getFirst();
        disk = rig.disk(0);
    }

    @AfterEach
    void close() {
        rig.close();
        backup.close();
        checkpoint.close();
        arena.close();
    }

    private void change() throws DiskException {
        disk.write(0, data, 0, 512, false);
    }

    /** Begins the pause at the end of {@code epoch}, with a checkpoint. */
    private void suspend(EpochId epoch) {
        checkpoint.begin(epoch, false);
        rig.disks.suspending(epoch);
    }

    private void sealAndResume(EpochId epoch) throws Exception {
        rig.disks.suspended(checkpoint);
        rig.disks.saved(checkpoint);
        rig.disks.resumed(epoch);
    }

    @Test
    void aFlushIsAnsweredOnlyWhenTheImageIsOnTheDisk() throws Exception {
        image.holdSyncs();
        change();
        Background flush = Background.start(disk::flush).awaitWaiting();
        image.letOneSyncEnd();
        flush.join();
        assertEquals(1, image.syncsBegun.get());
    }

    @Test
    void aDurableWriteIsAnsweredOnlyWhenItIsOnTheDisk() throws Exception {
        image.holdSyncs();
        Background write =
                Background.start(() -> disk.write(0, data, 0, 512, true)).awaitWaiting();
        change(); // others go on meanwhile
        image.letOneSyncEnd();
        write.join();
    }

    @Test
    void aBrokenInvariantFailsTheFlushesThatWaitAndIsReported() throws Exception {
        AssertionError defect = new AssertionError("a defect");
        image.broken = defect;
        change();
        assertEquals(
                ErrorCategory.FATAL,
                assertThrows(DiskException.class, disk::flush).category());
        // Reported before anything else is flushed.
        image.broken = null;
        disk.flush();
        assertEquals(defect, rig.failures.getFirst().cause().getCause());
    }

    @Test
    void whereNothingHasChangedAFlushDoesNothing() throws Exception {
        disk.flush();
        assertEquals(0, image.syncsBegun.get());
        change();
        disk.flush();
        disk.flush();
        assertEquals(1, image.syncsBegun.get());
    }

    @Test
    void aFlushIsNotAnsweredByAnEarlierOnesSync() throws Exception {
        image.holdSyncs();
        change();
        Background first = Background.start(disk::flush).awaitWaiting();
        Background.await("the first sync", () -> image.syncsBegun.get() == 1);
        change();
        Background second = Background.start(disk::flush).awaitWaiting();
        image.letOneSyncEnd();
        first.join();
        second.awaitWaiting();
        image.letOneSyncEnd();
        second.join();
    }

    @Test
    void aFlushInThePauseIsAnsweredAtOnceAndItsEpochIsCommittedOnlyWhenItIsDone() throws Exception {
        image.holdSyncs();
        change();
        suspend(TWO);
        disk.flush();
        sealAndResume(TWO);
        assertTrue(rig.disks.mayCommit(new EpochId(1)));
        assertFalse(rig.disks.mayCommit(TWO));
        assertFalse(rig.disks.mayCommit(THREE));
        AtomicInteger durable = new AtomicInteger();
        rig.disks.whenDurable(TWO, durable::incrementAndGet);
        rig.disks.whenDurable(new EpochId(1), durable::incrementAndGet);
        assertEquals(1, durable.get());
        image.letOneSyncEnd();
        Background.await("the owed sync", () -> rig.owedSyncsDone.get() == 1);
        assertTrue(rig.disks.mayCommit(TWO));
        assertEquals(2, durable.get());
        rig.disks.whenDurable(THREE, durable::incrementAndGet);
        assertEquals(3, durable.get());
    }

    @Test
    void aFlushThatWaitsWhenThePauseBeginsIsAnsweredAndOwed() throws Exception {
        image.holdSyncs();
        change();
        Background flush = Background.start(disk::flush).awaitWaiting();
        suspend(TWO);
        flush.join();
        sealAndResume(TWO);
        assertFalse(rig.disks.mayCommit(TWO));
        image.letOneSyncEnd();
        Background.await("the owed sync", () -> rig.disks.mayCommit(TWO));
        assertEquals(1, image.syncsBegun.get());
    }

    @Test
    void flushesOfQemusOwnCostNothingWhereNothingHasChanged() throws Exception {
        change();
        disk.flush();
        image.holdSyncs();
        suspend(TWO);
        disk.flush();
        rig.disks.suspended(checkpoint);
        disk.flush();
        rig.disks.saved(checkpoint);
        rig.disks.resumed(TWO);
        assertTrue(rig.disks.mayCommit(TWO));
        assertEquals(1, image.syncsBegun.get());
    }

    /** The guest may run, and flush, before its owner has heard that it does. */
    @Test
    void onceTheStateIsSavedAFlushWaitsAgainAlsoBeforeTheGuestIsKnownToRun() throws Exception {
        image.holdSyncs();
        suspend(TWO);
        rig.disks.suspended(checkpoint);
        rig.disks.saved(checkpoint);
        change();
        Background flush = Background.start(disk::flush).awaitWaiting();
        rig.disks.resumed(TWO);
        flush.awaitWaiting();
        image.letOneSyncEnd();
        flush.join();
        assertTrue(rig.disks.mayCommit(TWO));
    }

    @Test
    void eachEpochWaitsForWhatItIsOwedAndForWhatThoseBeforeItAre() throws Exception {
        image.holdSyncs();
        change();
        suspend(TWO);
        disk.flush();
        sealAndResume(TWO);
        Background.await("the first owed sync", () -> image.syncsBegun.get() == 1);
        rig.disk(1).write(0, data, 0, 512, false);
        suspend(THREE);
        rig.disk(1).flush();
        sealAndResume(THREE);
        Background.await("the other disk's sync", () -> rig.owedSyncsDone.get() == 1);
        assertFalse(rig.disks.mayCommit(THREE));
        image.letOneSyncEnd();
        Background.await("all owed syncs", () -> rig.disks.mayCommit(THREE));
    }

    @Test
    void whatIsOwedStaysOwedAfterTheSession() throws Exception {
        image.holdSyncs();
        change();
        suspend(TWO);
        disk.flush();
        rig.disks.abort();
        AtomicInteger durable = new AtomicInteger();
        rig.disks.whenDurable(EpochId.NONE, durable::incrementAndGet);
        assertEquals(0, durable.get());
        change();
        Background flush = Background.start(disk::flush).awaitWaiting(); // the pause has ended with the session
        image.letSyncsEnd();
        flush.join();
        Background.await("the owed sync", () -> durable.get() == 1);
    }

    @Test
    void aFlushThatFailsIsAnsweredWithTheErrorAndTheNextOneTriesAgain() throws Exception {
        image.failing = ImageFault.SYNC;
        change();
        DiskException failed = assertThrows(DiskException.class, disk::flush);
        assertEquals(Errno.EIO, failed.errno());
        Background.await("the report", () -> !rig.failures.isEmpty());
        assertEquals(DiskRequest.FLUSH, rig.failures.getFirst().request());
        assertThrows(DiskException.class, disk::flush);
        image.failing = null;
        disk.flush();
        assertEquals(3, image.syncsBegun.get());
        assertEquals(1, rig.failures.size());
    }

    @Test
    void anOwedSyncThatFailsIsTheNextFlushesErrorAndCheckpointsGoOn() throws Exception {
        image.holdSyncs();
        change();
        suspend(TWO);
        disk.flush();
        sealAndResume(TWO);
        image.failing = ImageFault.SYNC;
        image.letOneSyncEnd();
        Background.await("the owed sync", () -> rig.owedSyncsDone.get() == 1);
        assertTrue(rig.disks.mayCommit(TWO));
        image.failing = null;
        image.letSyncsEnd();
        suspend(THREE);
        disk.flush(); // may be QEMU's own: the guest would not hear of the error
        sealAndResume(THREE);
        assertThrows(DiskException.class, disk::flush);
        disk.flush();
    }

    @Test
    void whatIsOwedIsStillDoneWhenTheVmEnds() throws Exception {
        image.holdSyncs();
        change();
        suspend(TWO);
        disk.flush();
        rig.disks.shutDown();
        image.letSyncsEnd();
        Background.await("the owed sync", () -> rig.disks.mayCommit(TWO));
    }
}
