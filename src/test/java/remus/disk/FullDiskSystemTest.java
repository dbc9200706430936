package remus.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.base.Invariant;
import remus.base.Term;
import remus.base.Time;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.DiskOperation;
import remus.linux.Errno;

/** A backup whose file system is full, on a real one: a tmpfs of 2 MiB that the test mounts. */
@Tag("system")
@Timeout(60)
class FullDiskSystemTest {
    private static final int PIECE_BYTES = 64 << 10;
    private static final EpochId E1 = new EpochId(1);
    private static final EpochId E2 = new EpochId(2);

    @TempDir(cleanup = CleanupMode.ALWAYS)
    private Path directory;

    private Path small;
    private final BlockingQueue<CheckpointException> failures = new LinkedBlockingQueue<>();
    private final Arena arena = Arena.ofAuto();

    @BeforeEach
    void mount() throws Exception {
        small = Files.createDirectory(directory.resolve("small"));
        run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", small.toString());
    }

    @AfterEach
    void unmount() throws Exception {
        run("umount", small.toString());
    }

    private static void run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), () -> String.join(" ", command) + ": " + output);
    }

    private StandbyDisks open(RawImage image) throws DiskException {
        Time time = new Time() {
            @Override
            public long nanos() {
                return System.nanoTime();
            }

            @Override
            public long wallMillis() {
                return 0;
            }
        };
        StandbyDisks.Listener listener = new StandbyDisks.Listener() {
            @Override
            public void consistent(EpochId base) {
                // Only failures matter here.
            }

            @Override
            public void logged(EpochId last) {
                // Only a daemon's fault point wants to know.
            }

            @Override
            public void progressed() {
                // Only failures matter here.
            }

            @Override
            public void failed(CheckpointException reason) {
                failures.add(reason);
            }
        };
        return StandbyDisks.open(
                directory.resolve("shop.redo"),
                "shop",
                new Term(1),
                List.of(new ReplicaDisk("root", image)),
                time,
                listener);
    }

    private MemorySegment data(int value) {
        MemorySegment data = arena.allocate(PIECE_BYTES);
        data.fill((byte) value);
        return data;
    }

    @Test
    void aFullDiskRefusesAWriteBeforeItsCheckpointIsWhole() throws Exception {
        try (RawImage image = RawImage.create(small.resolve("root.raw"), 16 << 20);
                StandbyDisks disks = open(image)) {
            disks.whole(E1);
            CheckpointException full = assertThrows(CheckpointException.class, () -> {
                for (int piece = 0; piece < 64; piece++) {
                    disks.receive(E2, 0, DiskOperation.WRITE, (long) piece * PIECE_BYTES, PIECE_BYTES, data(2), 0);
                }
            });
            assertEquals(ErrorCategory.DEGRADE, full.category());
            assertTrue(String.valueOf(full.getMessage()).contains("ENOSPC"), full::getMessage);
            disks.dropAfter(E1);
            disks.finishApplying();
        }
        Recovery recovered = RedoLog.recover(directory.resolve("shop.redo"));
        assertEquals(E1, recovered.epoch());
        assertEquals(16 << 20, Files.size(small.resolve("root.raw")));
    }

    @Test
    void aSynchronizationGoesOnWhenThereIsRoomAgain() throws Exception {
        Path path = small.resolve("root.raw");
        try (RawImage image = RawImage.create(path, 4 << 20);
                StandbyDisks disks = open(image)) {
            for (int piece = 0; piece < 64; piece++) {
                try {
                    disks.synchronize(0, DiskOperation.WRITE, (long) piece * PIECE_BYTES, PIECE_BYTES, data(7), 0);
                } catch (CheckpointException e) {
                    assertEquals(ErrorCategory.DEGRADE, e.category());
                    run("mount", "-o", "remount,size=16m", small.toString());
                    disks.finishApplying();
                    piece--;
                }
            }
            CheckpointException full =
                    Invariant.present(failures.poll(10, TimeUnit.SECONDS), "what the owner was to be told");
            assertTrue(String.valueOf(full.getMessage()).contains("ENOSPC"), full::getMessage);
            assertTrue(full.getCause() instanceof DiskException cause && cause.errno() == Errno.ENOSPC);
            run("mount", "-o", "remount,size=16m", small.toString());
            disks.finishApplying();
            disks.whole(E1);
            disks.settle().get(30, TimeUnit.SECONDS);
        }
        byte[] expected = new byte[4 << 20];
        Arrays.fill(expected, (byte) 7);
        assertArrayEquals(expected, Files.readAllBytes(path));
        assertEquals(
                Recovery.Outcome.ENDED,
                RedoLog.recover(directory.resolve("shop.redo")).outcome());
    }

    @Test
    void aLogWithoutRoomIsRefusedAtOnce() throws Exception {
        Path redo = small.resolve("shop.redo");
        LogHeader header = RedoLog.firstHeader(
                1, "shop", new Term(1), 8 << 20, List.of(new LogHeader.Disk("root", 512, small.resolve("root.raw"))));
        DiskException full = assertThrows(DiskException.class, () -> RedoLog.create(redo, header));
        assertEquals(Errno.ENOSPC, full.errno(), full::getMessage);
        // What was begun does not stay and take the last room.
        try (var left = Files.list(small)) {
            assertEquals(List.of(), left.toList());
        }
    }
}
