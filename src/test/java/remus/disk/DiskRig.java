package remus.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.Time;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;

/** Disks of a VM in temporary files, what their owner hears, and the steps of a session. */
final class DiskRig implements AutoCloseable {
    static final int MIB = 1 << 20;

    /** A failure that was reported. */
    record Failure(String disk, DiskRequest request, DiskException cause) {}

    /** What becomes of a synchronization. */
    static final class Outcome implements DiskSynchronizer.Listener {
        final List<SyncProgress> reports = new CopyOnWriteArrayList<>();
        final CountDownLatch ended = new CountDownLatch(1);
        volatile @Nullable Throwable cause;
        volatile boolean done;
        volatile Consumer<SyncProgress> onProgress = progress -> {};

        @Override
        public void progress(SyncProgress progress) {
            reports.add(progress);
            onProgress.accept(progress);
        }

        @Override
        public void done() {
            done = true;
            ended.countDown();
        }

        @Override
        public void failed(CheckpointException failure) {
            cause = failure;
            ended.countDown();
        }

        @Override
        public void broken(Throwable failure) {
            cause = failure;
            ended.countDown();
        }

        Outcome await() throws InterruptedException {
            if (!ended.await(30, TimeUnit.SECONDS)) {
                throw new AssertionError("the synchronization has not ended");
            }
            return this;
        }

        void awaitDone() throws InterruptedException {
            await();
            if (!done) {
                throw new AssertionError("the synchronization has failed", cause);
            }
        }
    }

    final List<TestImage> images = new ArrayList<>();
    final GuestDisks disks;
    final List<Failure> failures = new CopyOnWriteArrayList<>();
    final AtomicInteger owedSyncsDone = new AtomicInteger();

    DiskRig(Path directory, GuestDisks.Mode mode, Time time, long... bytes) throws DiskException {
        List<GuestDisks.Disk> named = new ArrayList<>();
        for (int i = 0; i < bytes.length; i++) {
            TestImage image = new TestImage(directory.resolve("disk" + i + ".raw"), bytes[i]);
            images.add(image);
            named.add(new GuestDisks.Disk("disk" + i, image));
        }
        GuestDisks.Listener listener = new GuestDisks.Listener() {
            @Override
            public void diskFailed(String disk, DiskRequest request, DiskException cause) {
                failures.add(new Failure(disk, request, cause));
            }

            @Override
            public void owedSyncDone() {
                owedSyncsDone.incrementAndGet();
            }
        };
        disks = new GuestDisks(named, mode, listener, time);
    }

    GuestDisk disk(int index) {
        return disks.disks().get(index);
    }

    /** Fills the images with extents at random, so that holes stay. */
    void fill(long seed, int changes) throws DiskException {
        SeededGuest guest = new SeededGuest(seed);
        Random random = new Random(seed);
        for (int i = 0; i < changes; i++) {
            guest.change(disk(random.nextInt(images.size())));
        }
    }

    /** What the images hold now. */
    List<byte[]> contents() throws DiskException {
        List<byte[]> contents = new ArrayList<>();
        for (TestImage image : images) {
            contents.add(image.content());
        }
        return contents;
    }

    /** Begins a session and its synchronization. */
    DiskSynchronizer synchronize(FakeBackup backup, DiskSynchronizer.Settings settings, Outcome outcome) {
        disks.attach(backup);
        DiskSynchronizer synchronizer = disks.synchronizer(settings, outcome);
        backup.answersTo = synchronizer;
        synchronizer.start();
        return synchronizer;
    }

    /** Begins a session with an empty backup and brings it to where its first checkpoint may be taken. */
    FakeBackup protect() throws Exception {
        FakeBackup backup = FakeBackup.empty(disks.disks());
        Outcome outcome = new Outcome();
        synchronize(backup, new DiskSynchronizer.Settings(0, java.util.Set.of()), outcome);
        outcome.awaitDone();
        disks.setup();
        return backup;
    }

    /** As {@link #protect}, with the first checkpoint taken and committed. */
    FakeBackup protectThroughFirst() throws Exception {
        FakeBackup backup = protect();
        try (StagedCheckpoint first = checkpoint()) {
            take(first, new EpochId(1), () -> {});
        }
        disks.commit(new EpochId(1));
        return backup;
    }

    static StagedCheckpoint checkpoint() {
        return new StagedCheckpoint(new StagedPages(4096, 4096), 4096);
    }

    /** Takes a checkpoint; {@code inPause} runs when the epoch is sealed. */
    void take(StagedCheckpoint checkpoint, EpochId epoch, Background.Request inPause) throws Exception {
        checkpoint.begin(epoch, epoch.value() == 1);
        disks.suspending(epoch);
        disks.suspended(checkpoint);
        disks.saved(checkpoint);
        inPause.run();
        disks.resumed(epoch);
    }

    static void assertSame(List<byte[]> expected, List<byte[]> actual, String what) {
        for (int i = 0; i < expected.size(); i++) {
            assertArrayEquals(expected.get(i), actual.get(i), what + ", disk " + i);
        }
    }

    @Override
    public void close() {
        images.forEach(TestImage::letSyncsEnd);
        disks.abort();
        disks.close();
    }
}
