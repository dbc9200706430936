package remus.memory;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SharedRamFileTest {
    private static final long MORE_THAN_ANY_MACHINE_HAS = 1L << 42;

    @Test
    void aNewFileHasItsSizeAndIsItsOwnersAlone() throws Exception {
        SharedRamFile file = RamFiles.create(16);
        try {
            assertEquals(16L * GuestMemory.PAGE_BYTES, Files.size(file.path()));
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file.path())));
            assertThrows(GuestMemoryException.class, () -> SharedRamFile.create(file.path(), file.bytes()));
        } finally {
            file.delete();
        }
        assertFalse(Files.exists(file.path()));
    }

    @Test
    void tooLittleRoomIsRefusedAndNothingIsLeftBehind() {
        Path path = RamFiles.path();
        GuestMemoryException failure =
                assertThrows(GuestMemoryException.class, () -> SharedRamFile.create(path, MORE_THAN_ANY_MACHINE_HAS));
        assertTrue(failure.toString().contains("the VM needs 4 TiB"), failure.toString());
        assertFalse(Files.exists(path));
    }

    @Test
    void aDirectoryThatIsNoMemoryIsRefused(@TempDir Path directory) throws Exception {
        Assumptions.assumeFalse(Files.getFileStore(directory).type().equals("tmpfs"), "temporary files are on tmpfs");
        GuestMemoryException failure =
                assertThrows(GuestMemoryException.class, () -> SharedRamFile.create(directory.resolve("ram"), 4096));
        assertTrue(failure.toString().contains("must lie on a tmpfs"), failure.toString());
    }

    @Test
    void aFileOfAnotherSizeIsNotMapped() throws Exception {
        SharedRamFile file = RamFiles.create(16);
        try {
            SharedRamFile wrong = new SharedRamFile(file.path(), file.bytes() * 2);
            GuestMemoryException failure =
                    assertThrows(GuestMemoryException.class, () -> GuestMemory.forReading(wrong));
            assertTrue(failure.toString().contains("has 65536 bytes, expected 131072"), failure.toString());
        } finally {
            file.delete();
        }
    }
}
