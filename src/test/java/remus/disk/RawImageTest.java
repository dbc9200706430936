package remus.disk;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import remus.base.ErrorCategory;
import remus.linux.Errno;

class RawImageTest {
    private static final int BLOCK = 4096;
    private static final long BYTES = 256L * BLOCK;

    @TempDir
    Path directory;

    private Path path() {
        return directory.resolve("root.raw");
    }

    @Test
    void aNewImageIsAllHolesAndReadsAsZeros() throws Exception {
        try (RawImage image = RawImage.create(path(), BYTES)) {
            assertEquals(BYTES, image.bytes());
            assertEquals(path(), image.path());
            assertEquals(BYTES, image.nextData(0));
            assertEquals(0, image.nextHole(0));
            assertArrayEquals(new byte[BLOCK], read(image, 3 * BLOCK, BLOCK));
            assertEquals(0, allocatedBytes());
        }
        assertEquals(BYTES, Files.size(path()));
    }

    @Test
    void whatIsWrittenIsReadAndTheRestStaysAHole() throws Exception {
        byte[] data = random(3 * BLOCK);
        try (RawImage image = RawImage.create(path(), BYTES)) {
            write(image, 10 * BLOCK, data);
            write(image, BYTES - BLOCK, random(BLOCK));
            image.sync();
        }
        try (RawImage image = RawImage.open(path())) {
            assertArrayEquals(data, read(image, 10 * BLOCK, data.length));
            assertEquals(10 * BLOCK, image.nextData(0));
            assertEquals(13 * BLOCK, image.nextHole(10 * BLOCK));
            assertEquals(BYTES - BLOCK, image.nextData(13 * BLOCK));
            assertEquals(BYTES, image.nextHole(BYTES - BLOCK));
            assertEquals(BYTES, image.nextData(BYTES));
            assertEquals(BYTES, image.nextHole(BYTES));
        }
        assertTrue(allocatedBytes() <= 8 * BLOCK, "allocated " + allocatedBytes());
    }

    @Test
    void rangesNeedNoAlignment() throws Exception {
        byte[] data = random(1000);
        try (RawImage image = RawImage.create(path(), BYTES)) {
            write(image, 4095, data);
            image.trim(4095, 10);
            image.zero(4200, 1);
            data[4200 - 4095] = 0;
            java.util.Arrays.fill(data, 0, 10, (byte) 0);
            assertArrayEquals(data, read(image, 4095, data.length));
        }
    }

    @Test
    void aTrimmedRangeReadsAsZeroAndItsSpaceIsGivenBack() throws Exception {
        try (RawImage image = RawImage.create(path(), BYTES)) {
            write(image, 0, random((int) BYTES));
            image.trim(BLOCK, BYTES - 2 * BLOCK);
            assertArrayEquals(new byte[BLOCK], read(image, 5 * BLOCK, BLOCK));
            assertEquals(BLOCK, image.nextHole(0));
            assertEquals(BYTES - BLOCK, image.nextData(BLOCK));
            image.trim(0, 0);
        }
        assertTrue(allocatedBytes() <= 4 * BLOCK, "allocated " + allocatedBytes());
    }

    @ParameterizedTest
    @ValueSource(strings = {".", "/dev/shm"})
    void aZeroedRangeReadsAsZeroAndStaysAllocatedOnEveryFileSystem(String where) throws Exception {
        Path place = Files.createTempDirectory(where.equals(".") ? directory : Path.of(where), "remus-test");
        try (RawImage image = RawImage.create(place.resolve("i.raw"), BYTES)) {
            write(image, 0, random((int) BYTES));
            image.zero(BLOCK, BYTES - 2 * BLOCK);
            assertArrayEquals(new byte[(int) BYTES - 2 * BLOCK], read(image, BLOCK, (int) BYTES - 2 * BLOCK));
            assertTrue(blocks(place.resolve("i.raw")) * 512 >= BYTES);
        } finally {
            Files.deleteIfExists(place.resolve("i.raw"));
            Files.delete(place);
        }
    }

    @Test
    void reservingTakesSpaceAndChangesNothing() throws Exception {
        byte[] data = random(BLOCK);
        try (RawImage image = RawImage.create(path(), BYTES)) {
            write(image, 0, data);
            image.reserve(0, BYTES);
            assertArrayEquals(data, read(image, 0, BLOCK));
            assertArrayEquals(new byte[BLOCK], read(image, BLOCK, BLOCK));
            assertEquals(BYTES, Files.size(path()));
            assertTrue(allocatedBytes() >= BYTES);
        }
    }

    @Test
    void whatIsInThePageCacheIsReadWithoutWaiting() throws Exception {
        byte[] data = random(BLOCK);
        try (RawImage image = RawImage.create(path(), BYTES);
                Arena arena = Arena.ofConfined()) {
            write(image, BLOCK, data);
            MemorySegment target = arena.allocate(BLOCK);
            // Not every file system can tell; what it says must be true.
            if (image.readCached(BLOCK, target, 0, BLOCK)) {
                assertArrayEquals(data, target.toArray(JAVA_BYTE));
            }
        }
    }

    @Test
    void rangesBeyondTheEndAndSegmentsOnTheHeapAreRefused() throws Exception {
        try (RawImage image = RawImage.create(path(), BYTES);
                Arena arena = Arena.ofConfined()) {
            MemorySegment block = arena.allocate(BLOCK);
            assertThrows(IndexOutOfBoundsException.class, () -> image.read(BYTES - 1, block, 0, 2));
            assertThrows(IndexOutOfBoundsException.class, () -> image.write(-1, block, 0, 2));
            assertThrows(IndexOutOfBoundsException.class, () -> image.zero(Long.MAX_VALUE, 2));
            assertThrows(IndexOutOfBoundsException.class, () -> image.trim(0, BYTES + 1));
            assertThrows(IndexOutOfBoundsException.class, () -> image.reserve(0, -1));
            assertThrows(IndexOutOfBoundsException.class, () -> image.read(0, block, 1, BLOCK));
            assertThrows(IndexOutOfBoundsException.class, () -> image.nextData(BYTES + 1));
            MemorySegment heap = MemorySegment.ofArray(new byte[BLOCK]);
            assertThrows(IllegalArgumentException.class, () -> image.write(0, heap, 0, BLOCK));
            assertArrayEquals(new byte[BLOCK], read(image, 0, BLOCK));
        }
    }

    @Test
    void anOpenImageCanNotBeOpenedAgainInThisProcess() throws Exception {
        try (RawImage first = RawImage.create(path(), BYTES)) {
            DiskException refusal = assertThrows(DiskException.class, () -> RawImage.open(first.path()));
            assertEquals(
                    "image " + path() + " is in use by another VM or process: end that first, or give this VM its own"
                            + " image",
                    refusal.getMessage());
            assertEquals(ErrorCategory.FATAL, refusal.category());
        }
        RawImage.open(path()).close();
    }

    @Test
    void anImageThatAnotherProcessLockedIsRefused() throws Exception {
        RawImage.create(path(), BYTES).close();
        // flock(1) takes the lock, says so, and holds it until its standard input ends.
        Process holder = new ProcessBuilder("flock", path().toString(), "sh", "-c", "echo locked; cat")
                .redirectErrorStream(true)
                .start();
        try {
            assertEquals("locked", holder.inputReader(StandardCharsets.UTF_8).readLine());
            DiskException refusal = assertThrows(DiskException.class, () -> RawImage.open(path()));
            assertTrue(String.valueOf(refusal.getMessage()).contains("in use"), refusal.getMessage());
        } finally {
            holder.getOutputStream().close();
            assertTrue(holder.waitFor(10, TimeUnit.SECONDS));
        }
        RawImage.open(path()).close();
    }

    @ParameterizedTest
    @CsvSource({
        "qcow2, 0, 51 46 49 fb 00 00 00 03",
        "qcow, 0, 51 46 49 fb 00 00 00 01",
        "vmdk, 0, 4b 44 4d 56",
        "vmdk, 0, 43 4f 57 44",
        "vdi, 64, 7f 10 da be",
        "vhdx, 0, 76 68 64 78 66 69 6c 65",
        "vpc, 0, 63 6f 6e 65 63 74 69 78",
        "vpc, -512, 63 6f 6e 65 63 74 69 78 00 00 00 02 00 01 00 00",
        "qed, 0, 51 45 44 00"
    })
    void otherFormatsAreRefusedWithTheCommandThatConvertsThem(String format, int place, String signature)
            throws Exception {
        try (RandomAccessFile file = new RandomAccessFile(path().toFile(), "rw")) {
            file.setLength(BYTES);
            file.seek(place < 0 ? BYTES + place : place);
            for (String octet : signature.split(" ", -1)) {
                file.write(Integer.parseInt(octet, 16));
            }
        }
        assertEquals(
                "image " + path() + " is " + format + ", a disk must be raw; run: qemu-img convert -f " + format
                        + " -O raw " + path() + " " + path() + ".raw",
                assertThrows(DiskException.class, () -> RawImage.open(path())).getMessage());
    }

    @Test
    void anotherFormatOfAnOddSizeIsRefusedAsThatFormat() throws Exception {
        byte[] qcow2 = new byte[1000];
        System.arraycopy(new byte[] {'Q', 'F', 'I', (byte) 0xfb, 0, 0, 0, 3}, 0, qcow2, 0, 8);
        Files.write(path(), qcow2);
        DiskException refusal = assertThrows(DiskException.class, () -> RawImage.open(path()));
        assertTrue(String.valueOf(refusal.getMessage()).contains("is qcow2"), refusal.getMessage());
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 511, 513, -512})
    void sizesThatNoDiskHasAreRefused(long bytes) throws Exception {
        assertThrows(DiskException.class, () -> RawImage.create(path(), bytes));
        assertFalse(Files.exists(path()));
        if (bytes >= 0) {
            Files.write(path(), new byte[(int) bytes]);
            DiskException refusal = assertThrows(DiskException.class, () -> RawImage.open(path()));
            assertTrue(String.valueOf(refusal.getMessage()).contains("has " + bytes + " bytes"), refusal.getMessage());
        }
    }

    @Test
    void whatIsNotThereOrNoDiskIsNamed() throws Exception {
        assertEquals(
                "image " + path() + " can't be opened: there is no such file",
                assertThrows(DiskException.class, () -> RawImage.open(path())).getMessage());
        assertEquals(
                "image " + directory + " is neither a file nor a block device",
                assertThrows(DiskException.class, () -> RawImage.open(directory))
                        .getMessage());
        RawImage.create(path(), BYTES).close();
        assertEquals(
                "image " + path() + " exists already",
                assertThrows(DiskException.class, () -> RawImage.create(path(), BYTES))
                        .getMessage());
    }

    @Test
    void anImageThatBecameShorterIsAnErrorAndNotZeros() throws Exception {
        try (RawImage image = RawImage.create(path(), BYTES)) {
            try (RandomAccessFile file = new RandomAccessFile(path().toFile(), "rw")) {
                file.setLength(BLOCK);
            }
            DiskException failure = assertThrows(DiskException.class, () -> read(image, 0, 2 * BLOCK));
            assertEquals(Errno.EIO, failure.errno());
            assertEquals(ErrorCategory.DEGRADE, failure.category());
        }
    }

    @Test
    void aFullDiskIsToldByItsNumberAtReservationAndAtWriting() throws Exception {
        // A file system's limit on the file's size gives EFBIG at the latest; tmpfs has the whole machine's memory.
        try (RawImage image = RawImage.create(path(), 1L << 43)) {
            DiskException failure = assertThrows(DiskException.class, () -> image.reserve(0, 1L << 43));
            assertTrue(failure.errno() == Errno.ENOSPC || failure.errno() == Errno.EFBIG, failure.getMessage());
            image.trim(0, 1L << 43);
        } catch (DiskException e) {
            Assumptions.abort("this file system has no file of that size: " + e.getMessage());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"READ", "WRITE", "SYNC"})
    void theOperationOfTheFaultPropertyFailsOnThatImageFromTheTriggerOn(String operation) throws Exception {
        Path trigger = directory.resolve("trigger");
        System.setProperty(ImageFault.PROPERTY, operation + "@root.raw@" + trigger);
        try (RawImage image = RawImage.create(path(), BYTES);
                RawImage other = RawImage.create(directory.resolve("other-root.raw"), BYTES)) {
            useAll(image);
            Files.createFile(trigger);
            DiskException failure = assertThrows(DiskException.class, () -> useAll(image));
            assertEquals(Errno.EIO, failure.errno());
            useAll(other);
            Files.delete(trigger);
            useAll(image);
        } finally {
            System.clearProperty(ImageFault.PROPERTY);
        }
    }

    private static void useAll(RawImage image) throws DiskException {
        write(image, 0, new byte[BLOCK]);
        image.zero(0, BLOCK);
        image.trim(0, BLOCK);
        image.sync();
        read(image, 0, BLOCK);
    }

    private static byte[] random(int bytes) {
        byte[] data = new byte[bytes];
        new Random(bytes).nextBytes(data);
        return data;
    }

    private static void write(RawImage image, long offset, byte[] data) throws DiskException {
        try (Arena arena = Arena.ofConfined()) {
            image.write(offset, arena.allocateFrom(JAVA_BYTE, data), 0, data.length);
        }
    }

    private static byte[] read(RawImage image, long offset, int length) throws DiskException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment target = arena.allocate(length);
            image.read(offset, target, 0, length);
            return target.toArray(JAVA_BYTE);
        }
    }

    private long allocatedBytes() throws Exception {
        return blocks(path()) * 512;
    }

    /** Blocks of 512 bytes behind a file (stat(1)). */
    private static long blocks(Path file) throws Exception {
        Process stat = new ProcessBuilder("stat", "--format=%b", file.toString()).start();
        String blocks = new String(stat.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(stat.waitFor(10, TimeUnit.SECONDS));
        return Long.parseLong(blocks.strip());
    }
}
