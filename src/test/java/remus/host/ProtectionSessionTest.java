package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remus.api.CompressMode;
import remus.api.StandbyMode;
import remus.api.WhenAlone;
import remus.base.ByteSize;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.checkpoint.BackupChannel;
import remus.checkpoint.CheckpointDevice;
import remus.checkpoint.CheckpointEngine;
import remus.checkpoint.EpochLengths;
import remus.checkpoint.GuestControl;
import remus.checkpoint.PreCopySource;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;
import remus.disk.DiskException;
import remus.disk.GuestDisks;

/** What a session makes of the time that a pause takes, and tells its backup and its owner of it. */
@Timeout(30)
class ProtectionSessionTest {
    private static final long DETECT_MILLIS = 400;

    private final SettableTime time = new SettableTime();
    private final HungImage image = new HungImage();
    private final VmDisks disks =
            new VmDisks("shop", List.of(new GuestDisks.Disk("root", image)), GuestDisks.Mode.OPEN, new SettableTime());
    private final List<String> sent = Collections.synchronizedList(new ArrayList<>());
    private final List<Boolean> priorities = new ArrayList<>();
    private final List<String> told = new ArrayList<>();
    private final CountDownLatch released = new CountDownLatch(1);
    private final SlowDevice device = new SlowDevice();
    private final ProtectionSession session = new ProtectionSession(
            new SessionPlan(
                    new Term(2),
                    new HostAddress("192.0.2.7", 7420),
                    new ProtectionSettings(
                            List.of(),
                            Duration.ofMillis(25),
                            20,
                            Duration.ofMillis(DETECT_MILLIS),
                            WhenAlone.HOLD,
                            true,
                            1,
                            new ByteSize(0),
                            StandbyMode.WARM,
                            CompressMode.AUTO),
                    null),
            new CheckpointEngine.Settings(EpochLengths.fixed(25_000_000), 1 << 20, 4096, 1 << 20),
            new ProtectionSession.Parts(
                    new GuestThatNeverStops(),
                    new NoPages(),
                    List.of(device),
                    disks,
                    listener -> channel(),
                    priorities::add,
                    () -> {},
                    released::countDown),
            noting(SessionOwner.class, told),
            new Agent(() -> {}),
            time);

    private static final class GuestThatNeverStops implements GuestControl {
        @Override
        public void suspendAndSave() {}

        @Override
        public void resume() {}
    }

    private static final class NoPages implements PreCopySource {
        @Override
        public long beginRound() {
            return 0;
        }

        @Override
        public boolean copyChunk(StagedPages chunk, int maxPages) {
            return false;
        }
    }

    /** Computes for as long as a test says, when the epoch is sealed. */
    private static final class SlowDevice implements CheckpointDevice {
        private Runnable work = () -> {};

        @Override
        public void setup() {}

        @Override
        public void suspending(EpochId epoch) {}

        @Override
        public void suspended(StagedCheckpoint checkpoint) {}

        @Override
        public void saved(StagedCheckpoint checkpoint) {
            work.run();
        }

        @Override
        public void resumed(EpochId epoch) {}

        @Override
        public void commit(EpochId epoch) {}

        @Override
        public void abort() {}
    }

    private static <T> T noting(Class<T> port, List<String> calls) {
        return port.cast(Proxy.newProxyInstance(port.getClassLoader(), new Class<?>[] {port}, (proxy, method, args) -> {
            boolean counts = method.getReturnType().equals(long.class);
            if (!counts) {
                calls.add(method.getName());
            }
            return counts ? 0L : null;
        }));
    }

    private BackupChannel channel() {
        return noting(BackupChannel.class, sent);
    }

    @AfterEach
    void close() throws Exception {
        image.letGo.countDown();
        session.end();
        assertTrue(released.await(20, TimeUnit.SECONDS));
        disks.close();
    }

    private long heartbeats() {
        synchronized (sent) { // the pause's own thread may be adding one
            return Collections.frequency(sent, "heartbeat");
        }
    }

    /** A quarter of the detection time later, which is when a sign of life is due. */
    private void tick() {
        time.wallMillis.addAndGet(DETECT_MILLIS / 4);
        session.tick(time.nanos());
    }

    private void beginPause() {
        session.begin();
        session.engine().backupReady();
        tick();
        assertTrue(session.engine().isPausing());
        sent.clear();
    }

    @Test
    void aPauseThatQemuDoesNotEndGivesNoSignOfLife() {
        beginPause();
        tick();
        tick();
        assertEquals(0, heartbeats(), "the backup is to take over from a QEMU that hangs");
    }

    @Test
    void aPauseThatWaitsForASlowDiskGivesSignsOfLifeUntilTheDiskIsDone() throws Exception {
        beginPause();
        try (Arena arena = Arena.ofShared()) {
            MemorySegment data = arena.allocate(512);
            Thread worker = Thread.ofPlatform().daemon().start(() -> write(data));
            assertTrue(image.reached.await(20, TimeUnit.SECONDS));
            tick();
            tick();
            assertEquals(2, heartbeats(), "no backup would be quicker than the disk");
            image.letGo.countDown();
            worker.join();
        }
        tick();
        assertEquals(2, heartbeats(), "from here on it is QEMU that is slow");
    }

    private void write(MemorySegment data) {
        try {
            disks.guest().disks().getFirst().write(0, data, 0, 512, false);
        } catch (DiskException e) {
            throw new AssertionError(e);
        }
    }

    private void awaitHeartbeats(long count) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (heartbeats() < count) {
            assertTrue(System.nanoTime() - deadline < 0, "the backup is told of life");
            Thread.onSpinWait();
        }
    }

    private void saveWith(Runnable work) {
        beginPause();
        session.engine().guestSuspended();
        device.work = work;
        session.guestSaved(time.nanos());
        told.clear();
        session.tick(time.nanos());
    }

    @Test
    void itsThreadsRunAheadOfOthersFromTheFirstCommitToTheEnd() {
        beginPause();
        session.engine().guestSuspended();
        session.guestSaved(time.nanos());
        session.engine().guestResumed(time.nanos());
        assertEquals(List.of(), priorities, "all memory is being copied");
        session.acknowledged(EpochId.NONE.next());
        session.release(EpochId.NONE.next());
        session.tick(time.nanos());
        assertEquals(List.of(true), priorities);
        session.end();
        session.end();
        assertEquals(List.of(true, false), priorities);
    }

    @Test
    void whoComputesADigestForLongerThanTheDetectionTimeWasAwake() {
        saveWith(() -> {
            for (int beat = 1; beat <= 6; beat++) {
                time.wallMillis.addAndGet(DETECT_MILLIS / 4);
                awaitHeartbeats(beat);
            }
        });
        assertFalse(told.contains("wokeLate"), told.toString());
    }

    @Test
    void whoSleepsWhileADigestIsComputedIsNoticed() {
        saveWith(() -> time.wallMillis.addAndGet(2 * DETECT_MILLIS));
        assertTrue(told.contains("wokeLate"), told.toString());
    }
}
