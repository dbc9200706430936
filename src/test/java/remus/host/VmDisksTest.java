package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.base.ByteSize;
import remus.disk.DiskException;
import remus.disk.GuestDisk;
import remus.disk.GuestDisks;
import remus.disk.RawImage;
import remus.qemu.Accelerator;
import remus.qemu.MachineType;
import remus.qemu.VmDefinition;

/** What becomes of the disks of one standby and of the next. */
@Timeout(30)
class VmDisksTest {
    private final HungImage image = HungImage.thatWorks();

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path directory;

    private VmDisks standby() {
        return new VmDisks(
                "shop", List.of(new GuestDisks.Disk("root", image)), GuestDisks.Mode.STANDBY, new SettableTime());
    }

    /** A write of a guest that has just been loaded, which waits to be let in. */
    private static CompletableFuture<Void> waitingWrite(VmDisks disks, MemorySegment data) throws InterruptedException {
        GuestDisk disk = disks.guest().disks().getFirst();
        CompletableFuture<Void> written = new CompletableFuture<>();
        Thread worker = Thread.ofPlatform().daemon().start(() -> {
            try {
                disk.write(0, data, 0, 512, false);
                written.complete(null);
            } catch (DiskException e) {
                written.completeExceptionally(e);
            }
        });
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (worker.getState() != Thread.State.WAITING) {
            assertTrue(System.nanoTime() < deadline && !written.isDone(), "the write does not wait");
            Thread.onSpinWait();
        }
        return written;
    }

    @Test
    void imagesOfAnotherHostAreLockedWhenThatHasLetGoOfThemAndTheirWritersWaitForTheRecordOnly() throws Exception {
        Path path = directory.resolve("root.raw");
        RawImage.create(path, 1 << 20).close();
        try (Arena arena = Arena.ofShared();
                VmDisks disks = VmDisks.openWithheld(vm(path), new SettableTime())) {
            try (RawImage _ = RawImage.open(path)) {
                CompletableFuture<Void> written = waitingWrite(disks, arena.allocate(512));
                disks.release();
                written.get(20, TimeUnit.SECONDS);
            }
            awaitLocked(path);
            disks.release();
        }
        RawImage.open(path).close();
    }

    private static VmDefinition vm(Path image) {
        return new VmDefinition(
                "shop",
                MachineType.Q35,
                1,
                new ByteSize(64 << 20),
                Accelerator.TCG,
                "max",
                null,
                List.of(new VmDefinition.Disk("root", image)),
                List.of(),
                null);
    }

    private static void awaitLocked(Path path) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (true) {
            try (RawImage free = RawImage.openUnlocked(path)) {
                if (!free.tryLock()) {
                    return;
                }
            }
            assertTrue(System.nanoTime() < deadline, "the image is not locked");
            TimeUnit.MILLISECONDS.sleep(5);
        }
    }

    @Test
    void whatAStandbyThatFailedHasAskedForNeverReachesTheImagesOfTheNext() throws Exception {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment data = arena.allocate(512);
            VmDisks first = standby();
            first.guest().activate();
            CompletableFuture<Void> lost = waitingWrite(first, data);
            first.shutDown();
            first.close();
            ExecutionException refused = assertThrows(ExecutionException.class, () -> lost.get(20, TimeUnit.SECONDS));
            assertTrue(refused.getCause() instanceof DiskException, refused::toString);

            try (VmDisks second = standby()) {
                second.guest().activate();
                CompletableFuture<Void> kept = waitingWrite(second, data);
                first.guest().open(); // an activation that has failed opens nothing, whatever it still does
                assertEquals(0, image.writes.get());
                second.guest().open();
                kept.get(20, TimeUnit.SECONDS);
                assertEquals(1, image.writes.get());
            }
        }
    }
}
