package remus.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import remus.base.EpochId;
import remus.checkpoint.DiskOperation;

/** What stands in a log, and what recovery makes of one that is cut, damaged or forged. */
class RedoLogTest {
    private static final int LOG_BYTES = (int) RedoLog.RECORDS_OFFSET + (64 << 10);
    private static final int RECORDS = (int) RedoLog.RECORDS_OFFSET;
    private static final int RECORD_BYTES = 4096;
    private static final int HEADER_BYTES = 140;

    private final CrashImage.Power power = new CrashImage.Power();
    private final List<CrashImage> images = new ArrayList<>(List.of(
            new CrashImage("/var/lib/remus/shop-0.raw", 4096, power),
            new CrashImage("/var/lib/remus/shop-1.raw", 2048, power)));
    private final CrashImage file = new CrashImage("/var/lib/remus/shop.redo", LOG_BYTES, power);
    private final Arena arena = Arena.ofAuto();

    /** Content of the first image after the base and each of the records. */
    private final List<byte[]> states = new ArrayList<>();

    private EpochWrites writes(int epoch, DiskWrite... operations) {
        EpochWrites writes = new EpochWrites(new EpochId(epoch));
        for (DiskWrite operation : operations) {
            writes.add(List.of(operation));
        }
        return writes;
    }

    private DiskWrite write(int disk, long offset, String text) {
        MemorySegment data = arena.allocateFrom(text, StandardCharsets.US_ASCII);
        return new DiskWrite(disk, DiskOperation.WRITE, offset, text.length(), data, 0);
    }

    /** A log with the checkpoint 1 as base and three records, for the epochs 2, 3 and 5; nothing is in the images. */
    private byte[] threeRecords(boolean together) throws DiskException {
        try (RedoLog log = RedoLog.begin(file, RedoWorld.header(images, LOG_BYTES))) {
            log.startFrom(new EpochId(1));
            List<EpochWrites> epochs = List.of(
                    writes(2, write(0, 0, "second"), write(1, 512, "other disk")),
                    writes(3, write(0, 3, "third"), new DiskWrite(0, DiskOperation.ZERO, 0, 2, MemorySegment.NULL, 0)),
                    writes(4),
                    writes(5, write(0, 0, "fifth")));
            if (together) {
                log.append(epochs);
            } else {
                for (EpochWrites each : epochs) {
                    log.append(List.of(each));
                }
            }
            states.clear();
            states.add(new byte[4096]);
            for (String text : List.of("second", "\0\0cthird", "fifthird")) {
                states.add(Arrays.copyOf(text.getBytes(StandardCharsets.US_ASCII), 4096));
            }
        }
        return file.content();
    }

    private Recovery recover(byte[] log) throws DiskException {
        images.replaceAll(image -> new CrashImage(image.path().toString(), (int) image.bytes(), power));
        return LogRecovery.recover(new CrashImage("/var/lib/remus/shop.redo", log, power), this::image);
    }

    private BlockImage image(Path path) {
        return images.stream()
                .filter(image -> image.path().equals(path))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void theFormatIsTheDocumentedOne() throws Exception {
        byte[] log = threeRecords(true);
        StringBuilder text = new StringBuilder();
        describe(text, "header, generation 1, SYNCHRONIZING", log, LogHeader.SLOT_BYTES, HEADER_BYTES);
        describe(text, "header, generation 2, CONSISTENT", log, 0, HEADER_BYTES);
        describe(text, "record of epoch 2", log, RECORDS, 64 + 2 * 24 + 6 + 10);
        describe(text, "record of epoch 3", log, RECORDS + RECORD_BYTES, 64 + 2 * 24 + 5);
        try (InputStream in = RedoLogTest.class.getResourceAsStream("golden-redo-log.txt")) {
            String golden = in == null ? "" : new String(in.readAllBytes(), StandardCharsets.UTF_8);
            assertEquals(golden, text.toString());
        }
    }

    private static void describe(StringBuilder text, String name, byte[] log, int offset, int length) {
        text.append("# ").append(name).append(" at ").append(offset).append('\n');
        for (int at = 0; at < length; at += 32) {
            int end = offset + Math.min(length, at + 32);
            text.append(HexFormat.of().formatHex(log, offset + at, end)).append('\n');
        }
    }

    @Test
    void recoveryAppliesAllRecordsAndEmptiesTheLog() throws Exception {
        byte[] log = threeRecords(false);
        CrashImage kept = new CrashImage("/var/lib/remus/shop.redo", log, power);
        Recovery recovered = LogRecovery.recover(kept, this::image);
        assertEquals(
                new Recovery(
                        Recovery.Outcome.CHECKPOINT,
                        RedoWorld.VM,
                        RedoWorld.TERM,
                        new EpochId(5),
                        images.stream().map(CrashImage::path).toList(),
                        3),
                recovered);
        assertArrayEquals(states.get(3), images.getFirst().content());
        Recovery again = LogRecovery.recover(kept, this::image);
        assertEquals(new EpochId(5), again.epoch());
        assertEquals(0, again.replayedRecordCount());
    }

    @Test
    void aLogCutAnywhereGivesTheCheckpointsBeforeTheCut() throws Exception {
        byte[] log = threeRecords(false);
        int[] lengths = {64 + 2 * 24 + 16, 64 + 2 * 24 + 5, 64 + 24 + 5};
        Random garbage = new Random(1);
        for (int record = 0; record < 3; record++) {
            int start = RECORDS + record * RECORD_BYTES;
            for (int cut = start; cut <= start + lengths[record]; cut++) {
                byte[] rest = Arrays.copyOf(Arrays.copyOf(log, cut), LOG_BYTES);
                if (cut % 2 == 0) {
                    byte[] noise = new byte[LOG_BYTES - cut];
                    garbage.nextBytes(noise);
                    System.arraycopy(noise, 0, rest, cut, noise.length);
                }
                int complete = cut == start + lengths[record] ? record + 1 : record;
                Recovery recovered = recover(rest);
                assertEquals(complete, recovered.replayedRecordCount(), "cut at " + cut);
                assertArrayEquals(states.get(complete), images.getFirst().content(), "cut at " + cut);
            }
        }
    }

    @Test
    void damageInTheMiddleOfWhatWasDurableIsRefused() throws Exception {
        byte[] log = threeRecords(false);
        for (int at = RECORDS; at < RECORDS + 64; at++) {
            byte[] damaged = log.clone();
            damaged[at] ^= 1;
            DiskException refused = assertThrows(DiskException.class, () -> recover(damaged), "at " + at);
            assertTrue(String.valueOf(refused.getMessage()).contains("is damaged"), refused::getMessage);
            assertArrayEquals(states.getFirst(), images.getFirst().content());
        }
    }

    @Test
    void aTornBatchIsIgnoredFromItsFirstGapOn() throws Exception {
        byte[] log = threeRecords(true);
        Arrays.fill(log, RECORDS + RECORD_BYTES, RECORDS + RECORD_BYTES + 512, (byte) 0);
        Recovery recovered = recover(log);
        assertEquals(new EpochId(2), recovered.epoch());
        assertArrayEquals(states.get(1), images.getFirst().content());
    }

    @Test
    void noBitOfAHeaderCanBeLostUnnoticed() throws Exception {
        byte[] log = threeRecords(false);
        for (int at = 0; at < HEADER_BYTES; at++) {
            byte[] damaged = log.clone();
            damaged[at] ^= 4;
            // The header before says that a synchronization is under way: nothing is made of its images.
            assertEquals(Recovery.Outcome.INCOMPLETE, recover(damaged).outcome());
            damaged[LogHeader.SLOT_BYTES + at] ^= 4;
            assertThrows(DiskException.class, () -> recover(damaged));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "8, 0002, version 2",
        "10, 00, state 0",
        "10, 04, state 4",
        "11, 00, 0 disks",
        "11, 09, 9 disks",
        "11, 03, fields do not fit",
        "11, 01, bytes follow",
        "16, 0000000000000000, generation=0",
        "16, ffffffffffffffff, generation=-1",
        "16, 0000000000000003, wrong place",
        "24, ffffffffffffffff, term=-1",
        "32, ffffffffffffffff, epoch=-1",
        "40, 0000000000040000, expected=262144",
        "48, 0000000000000000, different logs",
        "56, ffff, a text of 65535",
        "56, 00ff, a text of 255",
        "58, ff, fields do not fit",
        "66, ffffffffffffffff, has -1 bytes",
        "66, 0000000000000200, bytes expected=512",
        "76, 2e, d0 has 4096",
    })
    void aForgedHeaderIsRefused(int offset, String hex, String why) throws Exception {
        byte[] log = threeRecords(false);
        byte[] forged = HexFormat.of().parseHex(hex);
        System.arraycopy(forged, 0, log, offset, forged.length);
        seal(log, 0, ByteBuffer.wrap(log).getInt(12));
        DiskException refused = assertThrows(DiskException.class, () -> recover(log));
        assertTrue(String.valueOf(refused.getMessage()).contains(why), refused::getMessage);
    }

    @ParameterizedTest
    @CsvSource({
        "64, 02, disk 2",
        "65, 00, does not exist",
        "65, 04, does not exist",
        "66, 0001, does not exist",
        "72, ffffffffffffffff, at -1",
        "72, 0000000000000ffb, at 4091",
        "72, 7fffffffffffffff, at 9223372036854775807",
        "80, 0000000000000000, 0 bytes",
        "80, ffffffffffffffff, -1 bytes",
        "80, 7fffffffffffffff, 9223372036854775807 bytes",
        "80, 0000000000000020, 32 bytes",
        "80, 0000000000000005, data",
        "40, 0000000000000001, follows epoch=1",
    })
    void aForgedRecordIsRefusedBeforeAnythingIsApplied(int offset, String hex, String why) throws Exception {
        byte[] log = threeRecords(false);
        byte[] forged = HexFormat.of().parseHex(hex);
        System.arraycopy(forged, 0, log, RECORDS + offset, forged.length);
        seal(log, RECORDS, 64 + 2 * 24 + 16);
        DiskException refused = assertThrows(DiskException.class, () -> recover(log));
        assertTrue(String.valueOf(refused.getMessage()).contains(why), refused::getMessage);
        assertArrayEquals(states.getFirst(), images.getFirst().content());
    }

    private static void seal(byte[] log, int offset, int length) {
        CRC32C crc = new CRC32C();
        crc.update(log, offset + 8, length - 8);
        ByteBuffer.wrap(log).putInt(offset + 4, (int) crc.getValue());
    }

    @ParameterizedTest
    @ValueSource(ints = {512, 4096, RECORDS - 512, RECORDS, LOG_BYTES - 512})
    void aLogThatBecameShorterIsRefused(int bytes) throws Exception {
        byte[] log = Arrays.copyOf(threeRecords(false), bytes);
        assertThrows(DiskException.class, () -> recover(log));
    }

    @Test
    void aGuestCantWriteRecordsOfItsOwn() throws Exception {
        byte[] log = threeRecords(false);
        byte[] foreign = log.clone();
        // A log within the guest's disk has another id, however equal the rest: as good as garbage behind the tail.
        ByteBuffer.wrap(foreign).putLong(RECORDS + 2 * RECORD_BYTES + 8, 42);
        seal(foreign, RECORDS + 2 * RECORD_BYTES, 64 + 24 + 5);
        assertEquals(new EpochId(3), recover(foreign).epoch());
    }

    @Test
    void afterItsEndALogTouchesNoImage() throws Exception {
        threeRecords(false);
        try (RedoLog log = RedoLog.begin(file, RedoWorld.header(images, LOG_BYTES))) {
            log.startFrom(new EpochId(1));
            log.append(List.of(writes(2, write(0, 0, "late"))));
            log.end(new EpochId(2));
        }
        for (int lost = 0; lost < 2; lost++) {
            byte[] log = file.content();
            Arrays.fill(log, lost * LogHeader.SLOT_BYTES, (lost + 1) * LogHeader.SLOT_BYTES, (byte) 0);
            Recovery recovered = recover(log);
            assertEquals(Recovery.Outcome.ENDED, recovered.outcome());
            assertEquals(new EpochId(2), recovered.epoch());
            assertArrayEquals(new byte[4096], images.getFirst().content());
        }
    }

    @Test
    void aRecordLargerThanAnyBufferIsReadAsItWasWritten() throws Exception {
        int bytes = 5 << 20;
        CrashImage large = new CrashImage("/large.raw", bytes, power);
        CrashImage log = new CrashImage("/large.redo", RECORDS + 2 * bytes, power);
        byte[] content = new byte[bytes];
        new Random(5).nextBytes(content);
        EpochWrites writes = new EpochWrites(new EpochId(2));
        MemorySegment data = arena.allocate(bytes);
        MemorySegment.copy(MemorySegment.ofArray(content), 0, data, 0, bytes);
        // Odd lengths, and more operations than the table is read in at once.
        int at = 0;
        for (int length = 1; at < bytes; length = length * 7 % 3989 + 1) {
            int part = Math.min(length, bytes - at);
            writes.add(List.of(new DiskWrite(0, DiskOperation.WRITE, at, part, data, at)));
            at += part;
        }
        try (RedoLog redo = RedoLog.begin(log, RedoWorld.header(List.of(large), log.bytes()))) {
            redo.startFrom(new EpochId(1));
            redo.append(List.of(writes));
            assertEquals(RedoLog.recordBytes(writes), redo.usedBytes());
        }
        assertEquals(1, LogRecovery.recover(log, path -> large).replayedRecordCount());
        assertArrayEquals(content, large.content());
    }

    @Test
    void aLogOnDiskIsMadeRecoveredAndRemoved(@TempDir Path directory) throws Exception {
        Path path = directory.resolve("shop.redo");
        Path root = directory.resolve("root.raw");
        try (RawImage image = RawImage.create(root, 8192)) {
            List<LogHeader.Disk> disks = LogHeader.Disk.of(List.of(new ReplicaDisk("root", image)));
            try (RedoLog log =
                    RedoLog.create(path, RedoLog.firstHeader(1, RedoWorld.VM, RedoWorld.TERM, LOG_BYTES, disks))) {
                DiskException inUse = assertThrows(DiskException.class, () -> RedoLog.recover(path));
                assertEquals("redo log " + path + " is in use by another process: end that first", inUse.getMessage());
                assertThrows(DiskException.class, () -> RedoLog.remove(path), "it is in use");
                log.startFrom(new EpochId(1));
                log.append(List.of(writes(2, write(0, 100, "hello"))));
            }
            assertThrows(DiskException.class, () -> RedoLog.recover(path), "the image is in use");
        }
        LogHeader second = RedoLog.firstHeader(
                2, RedoWorld.VM, RedoWorld.TERM, LOG_BYTES, List.of(new LogHeader.Disk("root", 8192, root)));
        assertThrows(DiskException.class, () -> RedoLog.create(path, second), "a log is never lost by another");
        assertEquals(new EpochId(2), RedoLog.recover(path).epoch());
        assertEquals("hello", new String(Files.readAllBytes(root), 100, 5, StandardCharsets.US_ASCII));
        assertEquals(List.of(path, root), list(directory));
        RedoLog.remove(path);
        RedoLog.remove(path);
        assertFalse(Files.exists(path));
    }

    private static List<Path> list(Path directory) throws IOException {
        try (var files = Files.list(directory)) {
            return files.sorted(java.util.Comparator.comparing(Path::toString).reversed())
                    .toList();
        }
    }
}
