package remus.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;

class PageFaultsTest {
    private static final int PAGE_BYTES = 4096;
    private static final int PAGES = 100;

    @Test
    void minorAndMajorFaultsAreAddedWhateverTheNameIs() {
        String stat = "4242 (IO) 7 (x ) S 1 4242 4242 0 -1 4194560 1200 99999 34 88888 5 6 7 8 20 0 5 0 777 1 2\n";
        try (Arena arena = Arena.ofConfined()) {
            byte[] bytes = stat.getBytes(StandardCharsets.US_ASCII);
            MemorySegment text = arena.allocateFrom(JAVA_BYTE, bytes);
            assertEquals(1234, PageFaults.sum(text, bytes.length));
        }
    }

    @Test
    void eachPageThatIsTouchedFirstCounts() throws Exception {
        try (PageFaults faults = PageFaults.ofProcess(ProcessHandle.current().pid());
                Arena arena = Arena.ofConfined()) {
            MemorySegment memory = freshMemory(arena);
            long before = faults.count();
            for (int page = 0; page < PAGES; page++) {
                memory.set(JAVA_BYTE, (long) page * PAGE_BYTES, (byte) 1);
            }
            assertTrue(faults.count() >= before + PAGES);
        }
    }

    private static MemorySegment freshMemory(Arena arena) throws IOException {
        Path file = Files.createTempFile(Path.of("/dev/shm"), "remus-test", "");
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            return channel.map(FileChannel.MapMode.READ_WRITE, 0, (long) PAGES * PAGE_BYTES, arena);
        } finally {
            Files.delete(file);
        }
    }
}
