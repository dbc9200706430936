package remus.bench;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("system")
class DiskGuestImageSystemTest {
    @TempDir
    Path directory;

    @Test
    void aCopyHasTheSameContentAndItsHoles() throws Exception {
        Path from = directory.resolve("from.raw");
        long bytes = 64L << 20;
        try (RandomAccessFile file = new RandomAccessFile(from.toFile(), "rw")) {
            file.setLength(bytes);
            file.seek(33L << 20);
            file.write(new byte[] {1, 2, 3});
        }
        Path to = directory.resolve("to.raw");
        DiskGuestImage.copy(from, to);
        assertEquals(-1, Files.mismatch(from, to));
        Process stat = new ProcessBuilder("stat", "-c", "%b", to.toString()).start();
        long blocksOf512 = Long.parseLong(new String(stat.getInputStream().readAllBytes(), UTF_8).strip());
        assertTrue(blocksOf512 * 512 < bytes / 4, blocksOf512 + " blocks");
    }

    @Test
    void aCopyThatFailsSaysWhy() {
        BenchException refused = assertThrows(
                BenchException.class,
                () -> DiskGuestImage.copy(directory.resolve("none.raw"), directory.resolve("to.raw")));
        assertTrue(String.valueOf(refused.getMessage()).contains("No such file"), refused.toString());
    }
}
