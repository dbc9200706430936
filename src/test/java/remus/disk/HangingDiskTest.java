package remus.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.linux.BootTime;

/** A disk that does not come back: whoever closes goes on without it, and nothing is lost when it does come back. */
@Timeout(60)
class HangingDiskTest {
    private static final Duration SHORT = Duration.ofMillis(20);

    private final Arena arena = Arena.ofShared();
    private final MemorySegment data = arena.allocate(4096);

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path directory;

    @SuppressWarnings("NullAway.Init")
    private DiskRig rig;

    @SuppressWarnings("NullAway.Init")
    private TestImage image;

    @BeforeEach
    void open() throws Exception {
        rig = new DiskRig(directory, GuestDisks.Mode.OPEN, new BootTime(), DiskRig.MIB);
        image = rig.images.getFirst();
    }

    @AfterEach
    void close() {
        rig.close();
        arena.close();
    }

    @Test
    void aFlushThatHangsKeepsNobodyFromClosing() throws Exception {
        CountDownLatch end = image.hang(ImageFault.SYNC);
        rig.disk(0).write(0, data, 0, 4096, false);
        Background flush = Background.start(() -> rig.disk(0).flush()).awaitWaiting();
        Background.await("the fdatasync", image::hangs);
        assertFalse(rig.disks.closeWithin(SHORT));
        flush.failure();
        end.countDown();
        assertTrue(rig.disks.closeWithin(Closing.LIMIT));
    }

    @Test
    void aWriteThatHangsKeepsNobodyFromClosing() throws Exception {
        CountDownLatch end = image.hang(ImageFault.WRITE);
        data.fill((byte) 7);
        Background write = Background.start(() -> rig.disk(0).write(0, data, 0, 4096, false));
        Background.await("the write", image::hangs);
        assertFalse(rig.disks.closeWithin(SHORT));
        end.countDown();
        write.join();
        assertTrue(rig.disks.closeWithin(Closing.LIMIT));
        assertEquals(7, image.content()[0]);
    }

    @Test
    void aReadThatHangsKeepsTheSynchronizationFromNothingButItsOwnEnd() throws Exception {
        rig.disk(0).write(0, data, 0, 4096, false);
        CountDownLatch end = image.hang(ImageFault.READ);
        FakeBackup backup = FakeBackup.empty(rig.disks.disks());
        DiskRig.Outcome outcome = new DiskRig.Outcome();
        DiskSynchronizer synchronizer = rig.synchronize(backup, new DiskSynchronizer.Settings(0, Set.of()), outcome);
        Background.await("the read", image::hangs);
        assertFalse(synchronizer.close(Closing.within(SHORT)));
        assertFalse(rig.disks.closeWithin(SHORT));
        end.countDown();
        assertTrue(synchronizer.close(Closing.within(Closing.LIMIT)));
        assertEquals(1, outcome.ended.getCount(), "nothing is said by what was left");
        backup.close();
    }

    @Test
    void anInterruptIsKeptWhileClosing() throws Exception {
        CountDownLatch end = image.hang(ImageFault.SYNC);
        rig.disk(0).write(0, data, 0, 4096, false);
        Background.start(() -> rig.disk(0).flush()).awaitWaiting();
        Background.await("the fdatasync", image::hangs);
        Thread.currentThread().interrupt();
        assertFalse(rig.disks.closeWithin(SHORT));
        assertTrue(Thread.interrupted());
        end.countDown();
    }
}
