package remus.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import remus.base.EpochId;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.DiskOperation;
import remus.linux.BootTime;

class DiskSynchronizerTest {
    private static final int BLOCK = DiskSynchronizer.BLOCK_BYTES;
    private static final long[] SIZES = {6 * DiskRig.MIB + 3 * 512, 5 * DiskRig.MIB};
    private static final DiskSynchronizer.Settings FRESH = new DiskSynchronizer.Settings(0, Set.of());
    private static final DiskSynchronizer.Settings COMPARED =
            new DiskSynchronizer.Settings(0, Set.of("disk0", "disk1"));
    private static final SteppingTime STEPS = new SteppingTime(DiskSynchronizer.PROGRESS_NANOS);

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path directory;

    /** The guest changes its disks between every two steps; the order is the same in each run. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void theBackupEqualsTheImageWhateverTheGuestChangesBetweenSteps(long seed) throws Exception {
        synchronizeBetweenChanges(seed, FRESH, null);
    }

    @ParameterizedTest
    @ValueSource(longs = {11, 12, 13, 14, 15})
    void aBackupWithEarlierContentEqualsTheImageWhateverTheGuestChangesBetweenSteps(long seed) throws Exception {
        synchronizeBetweenChanges(seed, COMPARED, new SeededGuest(-seed));
    }

    private void synchronizeBetweenChanges(long seed, DiskSynchronizer.Settings settings, @Nullable SeededGuest earlier)
            throws Exception {
        try (DiskRig rig = new DiskRig(directory, GuestDisks.Mode.OPEN, STEPS, SIZES)) {
            rig.fill(seed, 60);
            FakeBackup backup = FakeBackup.empty(rig.disks.disks());
            if (earlier != null) {
                List<byte[]> content = rig.contents();
                rig.fill(-seed, 30);
                backup = new FakeBackup(content);
            }
            SeededGuest guest = new SeededGuest(100 + seed);
            Random random = new Random(seed);
            DiskRig.Outcome outcome = new DiskRig.Outcome();
            outcome.onProgress = progress -> changeSome(rig, guest, random);
            rig.synchronize(backup, settings, outcome);
            outcome.awaitDone();
            changeSome(rig, guest, random);
            assertTrue(outcome.reports.size() > 10, "steps: " + outcome.reports.size());
            DiskRig.assertSame(rig.contents(), backup.imagesAfter(EpochId.NONE), "seed " + seed);
            backup.close();
        }
    }

    private static void changeSome(DiskRig rig, SeededGuest guest, Random random) {
        try {
            for (int i = random.nextInt(4); i > 0; i--) {
                guest.change(rig.disk(random.nextInt(SIZES.length)));
            }
        } catch (DiskException e) {
            throw new AssertionError(e);
        }
    }

    /** A write across the cursor, whose upper part is trimmed before the cursor comes there: the backup must not have it. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whatIsWrittenAcrossTheCursorAndTrimmedAheadOfItIsNotLeftAtTheBackup(boolean compared) throws Exception {
        try (DiskRig rig = new DiskRig(directory, GuestDisks.Mode.OPEN, STEPS, 4L * DiskRig.MIB);
                Arena arena = Arena.ofConfined()) {
            GuestDisk disk = rig.disk(0);
            MemorySegment data = arena.allocate(4L * BLOCK);
            data.fill((byte) 5);
            for (long offset = 0; offset < disk.bytes(); offset += DiskRig.MIB) {
                disk.write(offset, data, 0, 4L * BLOCK, false);
            }
            FakeBackup backup = FakeBackup.empty(rig.disks.disks());
            DiskRig.Outcome outcome = new DiskRig.Outcome();
            MemorySegment shared = Arena.ofAuto().allocate(4L * BLOCK).fill((byte) 9);
            outcome.onProgress = progress -> writeAcrossAndTrimAhead(disk, shared);
            rig.synchronize(backup, compared ? COMPARED : FRESH, outcome);
            outcome.awaitDone();
            DiskRig.assertSame(rig.contents(), backup.imagesAfter(EpochId.NONE), "across the cursor");
            backup.close();
        }
    }

    private static void writeAcrossAndTrimAhead(GuestDisk disk, MemorySegment data) {
        long cursor = disk.presentReplica().cursor();
        if (cursor + 2L * BLOCK > disk.bytes()) {
            return;
        }
        try {
            disk.write(cursor - BLOCK, data, 0, 3L * BLOCK, false);
            disk.trim(cursor, 2L * BLOCK, false);
        } catch (DiskException e) {
            throw new AssertionError(e);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {21, 22, 23})
    void theBackupEqualsTheImageAlsoWhenTheGuestWritesInParallel(long seed) throws Exception {
        try (DiskRig rig = new DiskRig(directory, GuestDisks.Mode.OPEN, new BootTime(), SIZES)) {
            rig.fill(seed, 60);
            List<byte[]> earlier = rig.contents();
            rig.fill(-seed, 40);
            AtomicBoolean stop = new AtomicBoolean();
            List<Background> guests = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                SeededGuest guest = new SeededGuest(seed + 1000L * i);
                GuestDisk disk = rig.disk(i % SIZES.length);
                guests.add(Background.start(() -> {
                    while (!stop.get()) {
                        guest.change(disk);
                    }
                }));
            }
            FakeBackup backup = new FakeBackup(earlier);
            DiskRig.Outcome outcome = new DiskRig.Outcome();
            rig.synchronize(
                    backup, new DiskSynchronizer.Settings(40L * DiskRig.MIB, Set.of("disk0", "disk1")), outcome);
            outcome.awaitDone();
            stop.set(true);
            for (Background guest : guests) {
                guest.join();
            }
            DiskRig.assertSame(rig.contents(), backup.imagesAfter(EpochId.NONE), "seed " + seed);
            backup.close();
        }
    }

    /** What the checks above rest on: they notice a single change that is missing. */
    @Test
    void aBackupThatLostOneChangeDoesNotEqualTheImage() throws Exception {
        try (DiskRig rig = new DiskRig(directory, GuestDisks.Mode.OPEN, STEPS, SIZES)) {
            rig.fill(31, 60);
            FakeBackup backup = rig.protect();
            List<FakeBackup.Forwarded> log = new ArrayList<>(backup.log());
            log.removeLast();
            assertThrows(
                    AssertionError.class,
                    () -> DiskRig.assertSame(rig.contents(), backup.imagesFrom(log), "a change is missing"));
            backup.close();
        }
    }

    @Test
    void holesAndZerosAreNotSentToAnEmptyBackup() throws Exception {
        try (DiskRig rig = new DiskRig(directory, GuestDisks.Mode.OPEN, STEPS, SIZES);
                Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocate(8L * BLOCK);
            rig.disk(0).write(BLOCK, data, 0, 8L * BLOCK, false); // zeros
            data.fill((byte) 7);
            rig.disk(0).write(3L * BLOCK, data, 0, 2L * BLOCK, false);
            FakeBackup backup = FakeBackup.empty(rig.disks.disks());
            DiskRig.Outcome outcome = new DiskRig.Outcome();
            rig.synchronize(backup, FRESH, outcome);
            outcome.awaitDone();
            long total = SIZES[0] + SIZES[1];
            SyncProgress last = outcome.reports.getLast();
            assertEquals(1, backup.log().size(), "forwarded");
            assertEquals(2L * BLOCK, last.bytesSent());
            assertEquals(total - 2L * BLOCK, last.bytesSkipped());
            assertEquals(total, last.bytesDone());
            assertEquals(total, last.bytesTotal());
            assertEquals("disk1", last.disk());
            assertEquals(Duration.ZERO, last.remaining());
            assertEquals(100, rig.disks.syncedPercent(0));
            assertEquals(0, backup.comparedBlocks());
            backup.close();
        }
    }

    @Test
    void onlyBlocksThatDifferAreSentToABackupWithEarlierContent() throws Exception {
        try (DiskRig rig = new DiskRig(directory, GuestDisks.Mode.OPEN, STEPS, 40L * DiskRig.MIB);
                Arena arena = Arena.ofConfined()) {
            rig.fill(41, 400);
            List<byte[]> earlier = rig.contents();
            MemorySegment data = arena.allocate(BLOCK);
            data.fill((byte) 9);
            Set<Integer> written = Set.of(5, 6, 100, 300, 639);
            for (int block : written) {
                rig.disk(0).write((long) block * BLOCK + 512, data, 0, 512, false);
            }
            rig.disk(0).trim(200L * BLOCK, BLOCK, false);
            FakeBackup backup = new FakeBackup(earlier);
            DiskRig.Outcome outcome = new DiskRig.Outcome();
            rig.synchronize(backup, new DiskSynchronizer.Settings(0, Set.of("disk0")), outcome);
            outcome.awaitDone();
            DiskRig.assertSame(rig.contents(), backup.imagesAfter(EpochId.NONE), "compared");
            assertEquals(
                    (long) written.size() * BLOCK, outcome.reports.getLast().bytesSent());
            assertEquals(
                    List.of(DiskOperation.TRIM),
                    backup.log().stream()
                            .map(FakeBackup.Forwarded::operation)
                            .filter(operation -> operation != DiskOperation.WRITE)
                            .toList());
            assertEquals(640, backup.comparedBlocks());
            backup.close();
        }
    }

    @Test
    void aVmWithoutDisksIsSynchronizedAtOnce() throws Exception {
        try (DiskRig rig = new DiskRig(directory, GuestDisks.Mode.OPEN, STEPS)) {
            rig.protectThroughFirst().close();
            assertTrue(rig.disks.isReplicated());
        }
    }

    @Test
    void itCanBeCancelledWhileTheBackupOwesDigestsAndNothingIsReportedAfterwards() throws Exception {
        try (DiskRig rig = new DiskRig(directory, GuestDisks.Mode.OPEN, new BootTime(), SIZES)) {
            FakeBackup backup = FakeBackup.empty(rig.disks.disks());
            DiskRig.Outcome outcome = new DiskRig.Outcome();
            rig.disks.attach(backup);
            DiskSynchronizer synchronizer = rig.disks.synchronizer(COMPARED, outcome);
            synchronizer.start();
            Background.await("the comparison", () -> backup.comparedBlocks() > 0);
            assertTrue(synchronizer.close(Closing.within(Closing.LIMIT)));
            assertEquals(1, outcome.ended.getCount());
            assertTrue(outcome.reports.isEmpty());
            backup.close();
        }
    }

    @Test
    void itCanBeCancelledWhileItKeepsToItsRate() throws Exception {
        try (DiskRig rig = new DiskRig(directory, GuestDisks.Mode.OPEN, new SteppingTime(0), SIZES)) {
            rig.fill(51, 60);
            FakeBackup backup = FakeBackup.empty(rig.disks.disks());
            DiskRig.Outcome outcome = new DiskRig.Outcome();
            DiskSynchronizer synchronizer =
                    rig.synchronize(backup, new DiskSynchronizer.Settings(1000, Set.of()), outcome);
            Background.await("the first write", () -> !backup.log().isEmpty());
            assertTrue(synchronizer.close(Closing.within(Closing.LIMIT)));
            assertEquals(1, outcome.ended.getCount());
            backup.close();
        }
    }

    @Test
    void itEndsSilentlyWhenTheChannelDoesAlsoWhileItWaitsForRoom() throws Exception {
        try (DiskRig rig = new DiskRig(directory, GuestDisks.Mode.OPEN, new BootTime(), SIZES)) {
            rig.fill(61, 60);
            FakeBackup backup = FakeBackup.empty(rig.disks.disks());
            backup.setFull(true);
            DiskRig.Outcome outcome = new DiskRig.Outcome();
            DiskSynchronizer synchronizer = rig.synchronize(backup, FRESH, outcome);
            Background.await("a full channel", () -> backup.waiting() > 0);
            backup.close();
            assertTrue(synchronizer.close(Closing.within(Closing.LIMIT)));
            assertEquals(1, outcome.ended.getCount());
            assertFalse(rig.disks.isReplicated());
        }
    }

    @Test
    void anImageThatCantBeReadEndsTheSessionWithTheReason() throws Exception {
        try (DiskRig rig = new DiskRig(directory, GuestDisks.Mode.OPEN, STEPS, SIZES)) {
            rig.fill(71, 60);
            rig.images.get(1).failing = ImageFault.READ;
            FakeBackup backup = FakeBackup.empty(rig.disks.disks());
            DiskRig.Outcome outcome = new DiskRig.Outcome();
            rig.synchronize(backup, FRESH, outcome);
            Throwable cause = outcome.await().cause;
            assertInstanceOf(CheckpointException.class, cause);
            assertTrue(String.valueOf(cause.getMessage()).contains("disk1.raw"), cause.getMessage());
            assertThrows(CheckpointException.class, rig.disks::setup);
            backup.close();
        }
    }

    @Test
    void aBackupThatNeverAnswersEndsTheSession() throws Exception {
        try (DiskRig rig = new DiskRig(
                directory, GuestDisks.Mode.OPEN, new SteppingTime(DigestWindows.ANSWER_LIMIT_NANOS / 2), SIZES)) {
            FakeBackup backup = FakeBackup.empty(rig.disks.disks());
            DiskRig.Outcome outcome = new DiskRig.Outcome();
            rig.disks.attach(backup);
            rig.disks.synchronizer(COMPARED, outcome).start();
            Throwable cause = outcome.await().cause;
            assertTrue(String.valueOf(cause).contains("has not answered"), String.valueOf(cause));
            backup.close();
        }
    }

    @Test
    void digestsThatNobodyAskedForEndTheSession() throws Exception {
        try (DiskRig rig = new DiskRig(directory, GuestDisks.Mode.OPEN, new BootTime(), SIZES)) {
            for (long[] answer : new long[][] {{0, 256, 96}, {1, 0, 97}, {0, 0, 96}, {0, 1, 96}, {0, -256, 97}}) {
                FakeBackup backup = FakeBackup.empty(rig.disks.disks());
                DiskRig.Outcome outcome = new DiskRig.Outcome();
                rig.disks.attach(backup);
                DiskSynchronizer synchronizer = rig.disks.synchronizer(COMPARED, outcome);
                synchronizer.start();
                Background.await("the comparison", () -> backup.comparedBlocks() > 0);
                synchronizer.digests((int) answer[0], answer[1], new byte[32 * (int) answer[2]]);
                Throwable cause = outcome.await().cause;
                assertTrue(String.valueOf(cause).contains("not asked for"), String.valueOf(cause));
                rig.disks.abort();
                backup.close();
            }
        }
    }

    @Test
    void readsGoOnWhileTheSynchronizationWaitsForRoom() throws Exception {
        try (DiskRig rig = new DiskRig(directory, GuestDisks.Mode.OPEN, new BootTime(), SIZES);
                Arena arena = Arena.ofConfined()) {
            rig.fill(81, 60);
            FakeBackup backup = FakeBackup.empty(rig.disks.disks());
            backup.setFull(true);
            rig.synchronize(backup, FRESH, new DiskRig.Outcome());
            Background.await("a full channel", () -> backup.waiting() > 0);
            rig.disk(0).read(0, arena.allocate(512), 0, 512);
            rig.disk(0).flush();
            assertEquals(1, backup.waiting());
            backup.close();
        }
    }

    @Test
    void itStandsStillWhileWritesAreLetThroughForNothingWouldHoldItUp() throws Exception {
        try (DiskRig rig = new DiskRig(directory, GuestDisks.Mode.OPEN, new BootTime(), SIZES)) {
            rig.fill(91, 60);
            FakeBackup backup = FakeBackup.empty(rig.disks.disks());
            backup.setFull(true);
            DiskRig.Outcome outcome = new DiskRig.Outcome();
            rig.synchronize(backup, FRESH, outcome);
            Background.await("a full channel", () -> backup.waiting() > 0);
            long reached = rig.disks.disks().getFirst().presentReplica().cursor();
            rig.disks.letWritesThrough(true);
            Background.await(
                    "the end of the step", () -> rig.disk(0).presentReplica().cursor() > reached);
            long stopped = rig.disk(0).presentReplica().cursor();
            rig.disk(0).flush();
            assertTrue(stopped - reached <= DiskSynchronizer.COPY_STEP_BYTES);
            assertEquals(stopped, rig.disk(0).presentReplica().cursor());
            backup.setFull(false);
            rig.disks.letWritesThrough(false);
            outcome.awaitDone();
            DiskRig.assertSame(rig.contents(), backup.imagesAfter(EpochId.NONE), "after the hold");
            backup.close();
        }
    }
}
