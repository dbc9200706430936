package remus.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class SparseFileTest {
    private static final int PAGE_BYTES = 4096;
    private static final long BYTES = 100L * PAGE_BYTES;

    private Path path = Path.of("/dev/shm");

    @BeforeEach
    void makeFileWithDataInPagesTenToTwelve() throws Exception {
        path = Files.createTempFile(Path.of("/dev/shm"), "remus-test", "");
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength(BYTES);
            file.seek(10 * PAGE_BYTES);
            file.write(new byte[3 * PAGE_BYTES]);
        }
    }

    @AfterEach
    void removeFile() throws Exception {
        Files.delete(path);
    }

    @Test
    void dataAndHolesAreToldApart() throws Exception {
        try (SparseFile file = SparseFile.open(path, false)) {
            assertEquals(10 * PAGE_BYTES, file.nextData(0));
            assertEquals(13 * PAGE_BYTES, file.nextHole(10 * PAGE_BYTES));
            assertEquals(SparseFile.NONE, file.nextData(13 * PAGE_BYTES));
        }
    }

    @Test
    void whatLiesBehindItIsCountedWithoutItsHoles() throws Exception {
        try (SparseFile file = SparseFile.open(path, true)) {
            assertEquals(3 * PAGE_BYTES, file.allocatedBytes());
            file.punchHole(11 * PAGE_BYTES, PAGE_BYTES);
            assertEquals(2 * PAGE_BYTES, file.allocatedBytes());
        }
    }

    @Test
    void aPunchedRangeIsAHoleAndTheFileKeepsItsSize() throws Exception {
        try (SparseFile file = SparseFile.open(path, true)) {
            file.punchHole(11 * PAGE_BYTES, PAGE_BYTES);
            assertEquals(11 * PAGE_BYTES, file.nextHole(10 * PAGE_BYTES));
            assertEquals(12 * PAGE_BYTES, file.nextData(11 * PAGE_BYTES));
            file.punchHole(0, BYTES);
            assertEquals(SparseFile.NONE, file.nextData(0));
        }
        assertEquals(BYTES, Files.size(path));
    }

    @Test
    void aMissingFileIsNamed() {
        LinuxException failure =
                assertThrows(LinuxException.class, () -> SparseFile.open(Path.of("/dev/shm/absent"), false));
        assertEquals("open(/dev/shm/absent): ENOENT (no such file or directory)", failure.getMessage());
    }
}
