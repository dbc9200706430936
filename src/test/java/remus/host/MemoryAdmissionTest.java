package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import remus.base.ByteSize;
import remus.memory.SharedRamFile;

/** By the memory that this machine has; others take and give some meanwhile, so guests here ask for most of it. */
@SuppressWarnings("NullAway.Init") // open
class MemoryAdmissionTest {
    private static final long PAGE_BYTES = 4096;

    @TempDir
    private Path state;

    private RuntimeDirectory runtime;
    private MemoryAdmission admission;

    @BeforeEach
    void open() throws Exception {
        runtime = RuntimeDirectory.open(state);
        admission = new MemoryAdmission(runtime, new VmRegistry());
    }

    @AfterEach
    void close() throws Exception {
        runtime.close();
    }

    private static MemoryNeed most() throws Exception {
        GuestRoom room = GuestRoom.read();
        return MemoryNeed.ofRunning(
                new ByteSize(Math.min(room.tmpfsFreeBytes(), room.availableBytes()) * 2 / 3 / PAGE_BYTES * PAGE_BYTES));
    }

    @Test
    void vmsThatBeginAtTheSameTimeAreNotEachPromisedTheSameMemory() throws Exception {
        MemoryNeed need = most();
        MemoryAdmission.Promise first = admission.admit("VM first", need);
        OperationException refused = assertThrows(OperationException.class, () -> admission.admit("VM second", need));
        assertTrue(String.valueOf(refused.getMessage()).startsWith("VM second needs "), refused.getMessage());
        first.close();
        first.close();
        admission.admit("VM second", need).close();
    }

    @Test
    void onlyWhatLiesBehindTheGuestsHereCountsAsFilled() throws Exception {
        assertEquals(0, runtime.filledBytes());
        Path shop = Files.createDirectories(runtime.of("shop", 1));
        SharedRamFile ram = SharedRamFile.create(shop.resolve("ram"), 1 << 20);
        assertEquals(0, runtime.filledBytes());
        Path other = Files.write(Files.createTempFile(GuestRoom.TMPFS, "remus-test", ""), new byte[1 << 20]);
        try {
            assertEquals(0, runtime.filledBytes());
            Files.write(ram.path(), new byte[3 * (int) PAGE_BYTES]);
            assertEquals(3 * PAGE_BYTES, runtime.filledBytes());
        } finally {
            Files.delete(other);
        }
    }

    @Test
    void whatIsPromisedIsNoRoomForOthers() throws Exception {
        MemoryNeed need = most();
        try (var _ = admission.admit("VM first", need)) {
            assertTrue(admission.room().largestRunningBytes() < need.guest().bytes(), "two thirds are promised");
            assertEquals(need.guest().bytes(), admission.figures().unfilledGuestBytes());
        }
        assertEquals(0, admission.figures().unfilledGuestBytes());
    }
}
