package remus.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import remus.linux.Errno;

/** An image that comes here with its VM is let alone until then, and is another host's to lock until that has gone. */
class AwaitedImageTest {
    private static final long BYTES = 1 << 20;

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path directory;

    @Test
    void nothingTouchesTheFileBeforeItIsOpenedAndEverythingDoesAfterwards() throws Exception {
        Path path = directory.resolve("not-there-yet.raw");
        try (Arena arena = Arena.ofConfined();
                AwaitedImage image = new AwaitedImage(path, BYTES)) {
            MemorySegment data = arena.allocate(512).fill((byte) 5);
            image.read(0, data, 0, 512);
            assertEquals(0, data.get(ValueLayout.JAVA_BYTE, 0));
            assertEquals(0, image.nextData(0));
            assertEquals(BYTES, image.nextHole(0));
            assertEquals(
                    Errno.EPERM,
                    assertThrows(DiskException.class, () -> image.write(0, data, 0, 512))
                            .errno());
            assertThrows(DiskException.class, () -> image.zero(0, 512));
            assertThrows(DiskException.class, () -> image.trim(0, 512));
            assertThrows(DiskException.class, () -> image.reserve(0, 512));
            assertThrows(DiskException.class, image::sync);
            assertThrows(DiskException.class, image::open);
            assertFalse(Files.exists(path));

            RawImage opened;
            try (RawImage former = RawImage.create(path, BYTES)) {
                former.write(0, data.fill((byte) 8), 0, 512);
                former.sync();
                opened = image.open();
                assertSame(opened, image.open());
                image.read(0, data.fill((byte) 0), 0, 512);
                assertEquals(8, data.get(ValueLayout.JAVA_BYTE, 511));
                image.write(512, data, 0, 512);
                image.sync();
                assertFalse(opened.tryLock(), "its former host has the lock");
            }
            try (opened) {
                assertTrue(opened.tryLock());
                assertTrue(opened.tryLock());
                assertThrows(DiskException.class, () -> RawImage.open(path));
            }
        }
    }

    @Test
    void anImageOfAnotherSizeIsNotOpened() throws Exception {
        Path path = directory.resolve("root.raw");
        RawImage.create(path, BYTES).close();
        try (AwaitedImage image = new AwaitedImage(path, 2 * BYTES)) {
            assertTrue(String.valueOf(
                            assertThrows(DiskException.class, image::open).getMessage())
                    .contains("has 1048576 bytes here, and 2097152 on the host that it comes from"));
        }
        RawImage.open(path).close();
    }
}
