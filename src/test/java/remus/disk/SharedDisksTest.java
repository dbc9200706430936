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
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.DiskWriteCount;
import remus.checkpoint.StagedCheckpoint;

/** What another host may come to own is durable before it can, and does not change from here any more. */
@Timeout(60)
class SharedDisksTest {
    private static final EpochId LAST = new EpochId(1);

    private final Arena arena = Arena.ofShared();
    private final MemorySegment data = arena.allocate(512).fill((byte) 7);
    private final StagedCheckpoint checkpoint = DiskRig.checkpoint();
    private final AtomicInteger noted = new AtomicInteger();

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path directory;

    @SuppressWarnings("NullAway.Init")
    private DiskRig rig;

    @SuppressWarnings("NullAway.Init")
    private TestImage image;

    @SuppressWarnings("NullAway.Init")
    private SharedDisks shared;

    @BeforeEach
    void open() throws Exception {
        rig = new DiskRig(directory, GuestDisks.Mode.OPEN, new SteppingTime(0), DiskRig.MIB, DiskRig.MIB);
        image = rig.images.getFirst();
        shared = new SharedDisks(rig.disks, noted::incrementAndGet);
    }

    @AfterEach
    void close() {
        image.letSyncsEnd();
        rig.close();
        checkpoint.close();
        arena.close();
    }

    private void write() throws DiskException {
        rig.disk(0).write(0, data, 0, 512, false);
    }

    private void suspend() {
        checkpoint.begin(LAST, true);
        shared.suspending(LAST);
    }

    private void seal() throws CheckpointException {
        shared.suspended(checkpoint);
        shared.saved(checkpoint);
    }

    @Test
    void whatWasWrittenIsDurableBeforeTheCheckpointIsSealedAndQemusOwnFlushDoesNotWaitForThat() throws Exception {
        image.holdSyncs();
        shared.setup();
        write();
        suspend();
        rig.disk(0).flush(); // as QEMU does when it stops
        Background sealing = Background.start(() -> {
            try {
                seal();
            } catch (CheckpointException e) {
                throw new AssertionError(e);
            }
        });
        sealing.awaitWaiting();
        assertEquals(0, noted.get());
        assertEquals(GuestDisks.Mode.OPEN, rig.disks.mode());
        image.letSyncsEnd();
        sealing.join();
        assertEquals(1, noted.get());
        assertEquals(GuestDisks.Mode.WITHHELD, rig.disks.mode());
        assertEquals(DiskWriteCount.NONE, checkpoint.diskWrites());
        assertTrue(rig.disks.mayCommit(LAST));
    }

    @Test
    void aGuestThatIsLetGoOnReadsAndFlushesAndItsWritesWaitUntilTheImagesAreThisHosts() throws Exception {
        suspend();
        seal();
        shared.resumed(LAST);
        shared.abort();
        rig.disk(0).read(0, data, 0, 512);
        rig.disk(0).flush();
        data.fill((byte) 9);
        Background writing = Background.start(this::write).awaitWaiting();
        assertTrue(rig.disks.isBusy(), "QEMU's stop would wait for it");
        assertEquals(0, image.content()[0]);
        rig.disks.open();
        writing.join();
        assertEquals(9, image.content()[0]);
        rig.disks.open();
    }

    @Test
    void disksThatCantBeMadeDurableAreNotHandedOverAndTheGuestHearsOfIt() throws Exception {
        write();
        suspend();
        image.failing = ImageFault.SYNC;
        rig.disk(0).flush();
        CheckpointException why = assertThrows(CheckpointException.class, this::seal);
        assertEquals(ErrorCategory.DEGRADE, why.category());
        assertTrue(String.valueOf(why.getMessage()).startsWith("the disks can't be handed over: "), why::toString);
        image.failing = null;
        shared.abort();
        assertEquals(0, noted.get());
        assertEquals(GuestDisks.Mode.OPEN, rig.disks.mode());
        assertThrows(DiskException.class, () -> rig.disk(0).flush());
        rig.disk(0).flush();
    }

    @Test
    void whoeverEndsTheVmMeanwhileWaitsForNobody() throws Exception {
        suspend();
        seal();
        Background writing = Background.start(this::write).awaitWaiting();
        rig.disks.shutDown();
        assertFalse(String.valueOf(writing.failure().getMessage()).isEmpty());
        assertEquals(0, image.content()[0]);
    }
}
