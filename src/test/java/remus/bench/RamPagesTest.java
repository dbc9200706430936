package remus.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RamPagesTest {
    private static final int PAGE_BYTES = 4096;
    private static final int PAGES = 600;

    @TempDir
    private Path directory;

    private Path ram(String name) throws IOException {
        Path file = directory.resolve(name);
        try (RandomAccessFile opened = new RandomAccessFile(file.toFile(), "rw")) {
            opened.setLength((long) PAGES * PAGE_BYTES);
        }
        return file;
    }

    private static void write(Path file, long at, int value) throws IOException {
        try (RandomAccessFile opened = new RandomAccessFile(file.toFile(), "rw")) {
            opened.seek(at);
            opened.write(value);
        }
    }

    @Test
    void eachPageThatDiffersCountsOnceWhereverItLies() throws Exception {
        Path source = ram("source");
        Path destination = ram("destination");
        assertEquals(0, RamPages.differing(source, destination));
        write(source, 0, 1);
        write(source, 5, 1);
        write(destination, 5L * PAGE_BYTES + 4_095, 1);
        write(source, (PAGES - 1L) * PAGE_BYTES, 1);
        assertEquals(3, RamPages.differing(source, destination));
        // The same content, once written and once a hole.
        write(destination, 300L * PAGE_BYTES, 0);
        assertEquals(3, RamPages.differing(source, destination));
    }

    @Test
    void memoriesOfTwoSizesAreNotCompared() throws Exception {
        Path source = ram("source");
        Path destination = ram("destination");
        write(destination, (long) PAGES * PAGE_BYTES, 0);
        assertThrows(IOException.class, () -> RamPages.differing(source, destination));
    }

    @Test
    void whatWasWrittenMeanwhileHasAnotherChecksum() throws Exception {
        Path ram = ram("ram");
        int[] before = RamPages.checksums(ram);
        assertEquals(PAGES, before.length);
        write(ram, 7L * PAGE_BYTES + 9, 1);
        write(ram, 400L * PAGE_BYTES, 1);
        assertEquals(2, RamPages.changed(before, RamPages.checksums(ram)));
        assertThrows(IllegalArgumentException.class, () -> RamPages.changed(before, new int[1]));
    }
}
