package remus.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import remus.base.ErrorCategory;

/** What the other side sends is hostile: every wrong frame is refused by a {@link WireException} and nothing else. */
class HostileFramesTest {
    private static final long SEED = 20080416;
    private static final int INPUTS = 60_000;

    /** Their last field goes as far as the frame. */
    private static final Set<FrameType> OPEN_ENDED =
            Set.of(FrameType.FILE_DATA, FrameType.DEVICE_STATE, FrameType.ECHO, FrameType.ECHOED, FrameType.DISCARD);

    @Test
    void noInputIsAnsweredWithAnythingButAWireException() {
        Random random = new Random(SEED);
        List<byte[]> samples =
                Stream.of(FrameType.values()).map(Samples::encode).toList();
        int refused = 0;
        for (int input = 0; input < INPUTS; input++) {
            byte[] bytes = mutate(samples.get(random.nextInt(samples.size())), random);
            try {
                Samples.decode(bytes);
            } catch (WireException e) {
                refused++;
            } catch (RuntimeException | Error e) {
                throw new AssertionError("seed=" + SEED + " input=" + input, e);
            }
        }
        assertTrue(refused > INPUTS / 2, "refused only " + refused);
    }

    @ParameterizedTest
    @CsvSource({
        "999999, 300000000",
        "0, 300000000",
        "600000000001, 300000000",
        "25000000, 9999999",
        "25000000, 600000000001"
    })
    void timesThatNoPrimaryCanMeanAreRefused(long intervalNanos, long detectNanos) {
        byte[] hello = Samples.encode(FrameType.HELLO);
        ByteBuffer payload = ByteBuffer.wrap(hello);
        int at = WireLimits.HEADER_BYTES + 1;
        for (int text = 0; text < 5; text++) {
            at += 2 + payload.getShort(at);
        }
        payload.putLong(at + 12, intervalNanos).putLong(at + 20, detectNanos);
        seal(hello);
        assertThrows(WireException.class, () -> Samples.decode(hello));
    }

    private static byte[] mutate(byte[] sample, Random random) {
        byte[] bytes = sample.clone();
        switch (random.nextInt(5)) {
            case 0 -> random.nextBytes(bytes);
            case 1 -> bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length + 64));
            case 2 -> bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
            default -> {
                // Damage behind a right checksum and length: what a hostile peer would send.
                int flips = 1 + random.nextInt(6);
                int end = Math.min(bytes.length, WireLimits.HEADER_BYTES + 200);
                for (int i = 0; i < flips && end > WireLimits.HEADER_BYTES; i++) {
                    int at = random.nextInt(WireLimits.HEADER_BYTES, end);
                    bytes[at] = random.nextBoolean() ? (byte) random.nextInt() : (byte) 0xff;
                }
                if (random.nextInt(4) == 0) {
                    bytes = Arrays.copyOf(bytes, random.nextInt(WireLimits.HEADER_BYTES, bytes.length + 20));
                }
                seal(bytes);
            }
        }
        return bytes;
    }

    /** Makes length and checksum right. */
    private static void seal(byte[] bytes) {
        ByteBuffer.wrap(bytes).putInt(8, bytes.length - WireLimits.HEADER_BYTES).putInt(12, 0);
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        ByteBuffer.wrap(bytes).putInt(12, (int) crc.getValue());
    }

    @ParameterizedTest
    @EnumSource
    void everyFlippedBitIsFound(FrameType type) {
        byte[] frame = Samples.encode(type);
        int checked = Math.min(frame.length, 300);
        for (int bit = 0; bit < checked * 8; bit++) {
            byte[] damaged = frame.clone();
            damaged[bit / 8] ^= (byte) (1 << (bit % 8));
            assertThrows(WireException.class, () -> Samples.decode(damaged), "bit " + bit);
        }
    }

    @ParameterizedTest
    @EnumSource
    void everyFrameWithBytesLeftOverOrMissingIsRefused(FrameType type) throws WireException {
        byte[] frame = Samples.encode(type);
        boolean openEnded = OPEN_ENDED.contains(type);
        if (!openEnded) {
            byte[] longer = Arrays.copyOf(frame, frame.length + 1);
            seal(longer);
            assertThrows(WireException.class, () -> Samples.decode(longer));
        }
        if (frame.length > WireLimits.HEADER_BYTES && !openEnded) {
            byte[] shorter = Arrays.copyOf(frame, frame.length - 1);
            seal(shorter);
            assertThrows(WireException.class, () -> Samples.decode(shorter));
        }
    }

    @ParameterizedTest
    @EnumSource
    void aLengthBeyondTheTypesLimitIsRefusedByTheHeaderAlone(FrameType type) {
        ByteBuffer header = ByteBuffer.wrap(Samples.encode(type), 0, WireLimits.HEADER_BYTES);
        header.putInt(8, type.maxPayloadBytes() + 1);
        WireException tooLong = assertThrows(WireException.class, () -> FrameHeader.decode(header, 0));
        assertTrue(String.valueOf(tooLong.getMessage()).contains("limit=" + type.maxPayloadBytes()));
        header.putInt(8, -1);
        assertThrows(WireException.class, () -> FrameHeader.decode(header, 0));
    }

    @Test
    void otherVersionsTypesAndFlagsAreForeignNotDamaged() {
        assertForeign(4, (byte) (FrameHeader.VERSION - 1));
        assertForeign(4, (byte) (FrameHeader.VERSION + 1));
        assertForeign(5, (byte) 0);
        assertForeign(5, (byte) (FrameType.values().length + 1)); // codes begin with 1 and have no gaps
        assertForeign(5, (byte) 255);
        assertForeign(7, (byte) 1);
    }

    private static void assertForeign(int offset, byte value) {
        ByteBuffer frame = ByteBuffer.wrap(Samples.encode(FrameType.HEARTBEAT)).put(offset, value);
        WireException refused = assertThrows(WireException.class, () -> FrameHeader.decode(frame, 0));
        assertEquals(ErrorCategory.FATAL, refused.category());
    }

    @Test
    void pagesOutsideTheGuestAreRefused() {
        for (long[] run : new long[][] {
            {Samples.GUEST_PAGES, 1}, {Samples.GUEST_PAGES - 1, 2}, {-1, 1}, {0, 0}, {0, -1}, {Long.MAX_VALUE, 1}
        }) {
            ByteBuffer payload = ByteBuffer.allocate(16)
                    .putInt(1)
                    .putLong(run[0])
                    .putInt((int) run[1])
                    .flip();
            assertThrows(
                    WireException.class,
                    () -> new PageRuns(Samples.GUEST_PAGES, Samples.PAGE_BYTES).decodeZero(payload));
        }
    }

    @Test
    void diskWritesOutsideOfTheirDiskAreRefused() {
        long bytes = Samples.DISKS.getFirst().bytes();
        for (long[] write : new long[][] {
            {0, 0, 0, 1},
            {0, 4, 0, 1},
            {0, 1, 0, 0},
            {0, 1, bytes, 1},
            {0, 1, bytes - 1, 2},
            {0, 1, -1, 1},
            {0, 2, Long.MAX_VALUE, 1},
            {0, 3, bytes - 1, 0xFFFF_FFFFL},
            {2, 2, 0, 1},
            {255, 2, 0, 1}
        }) {
            assertRefused(writes(1, 5, write));
        }
    }

    @Test
    void diskWritesThatTellOfOtherDataThanTheyBringAreRefused() {
        long[] five = {0, 1, 0, 5};
        assertRefused(writes(1, 4, five));
        assertRefused(writes(1, 6, five));
        assertRefused(writes(2, 5, five));
        assertRefused(writes(2, 5, five, five));
        assertRefused(writes(0, 0));
        assertRefused(writes(-1, 5, five));
        assertRefused(writes(WireLimits.MAX_DISK_WRITES + 1, 5, five));
        assertRefused(writes(1, WireLimits.MAX_BULK_BYTES + 1, new long[] {0, 1, 0, WireLimits.MAX_BULK_BYTES + 1}));
        assertRefused(writes(1, 1, new long[] {0, 1, 0, 0xFFFF_FFFFL}));
    }

    @Test
    void aVmWithoutDisksHasNoWrites() {
        ByteBuffer payload = writes(1, 0, new long[] {0, 2, 0, 1});
        assertThrows(
                WireException.class, () -> new DiskWrites(List.of()).decode(payload, MemorySegment.ofBuffer(payload)));
    }

    private static ByteBuffer writes(int count, int dataBytes, long[]... entries) {
        ByteBuffer payload = ByteBuffer.allocate(4 + entries.length * WireLimits.DISK_WRITE_BYTES + dataBytes);
        payload.putInt(count);
        for (long[] entry : entries) {
            payload.put((byte) entry[0]).put((byte) entry[1]).putLong(entry[2]).putInt((int) entry[3]);
        }
        return payload.rewind();
    }

    private static void assertRefused(ByteBuffer payload) {
        DiskWrites writes = new DiskWrites(Samples.DISKS);
        assertThrows(WireException.class, () -> writes.decode(payload, MemorySegment.ofBuffer(payload)));
        assertEquals(0, writes.count());
    }

    @Test
    void blocksOutsideOfTheirDiskAreNotCompared() throws WireException {
        long blocks = Samples.DISKS.get(1).blockCount();
        assertEquals((1L << 24) + 1, blocks, "the last one is shorter");
        for (long[] asked : new long[][] {
            {1, blocks, 1},
            {1, blocks - 1, 2},
            {1, -1, 1},
            {1, 0, 0},
            {1, 0, -1},
            {1, 0, WireLimits.MAX_COMPARED_BLOCKS + 1},
            {1, Long.MAX_VALUE, 1},
            {2, 0, 1}
        }) {
            ByteBuffer payload = ByteBuffer.allocate(DiskBlocks.BYTES)
                    .put((byte) asked[0])
                    .putLong(asked[1])
                    .putInt((int) asked[2])
                    .flip();
            assertThrows(WireException.class, () -> DiskBlocks.decode(payload, Samples.DISKS));
        }
        ByteBuffer last = ByteBuffer.allocate(DiskBlocks.BYTES);
        new DiskBlocks(1, blocks - 256, 256).encode(last);
        assertEquals(256, DiskBlocks.decode(last.flip(), Samples.DISKS).count());
    }

    @Test
    void disksThatNoVmCanHaveAreNotIntroduced() {
        for (long bytes : new long[] {0, -512, 511, 513, WireLimits.MAX_DISK_BYTES + 512}) {
            assertThrows(IllegalArgumentException.class, () -> new HelloDisk("root", bytes));
        }
        for (String name : new String[] {"", "..", "a/b", ".hidden"}) {
            assertThrows(IllegalArgumentException.class, () -> new HelloDisk(name, 512));
        }
    }

    @Test
    void fileNamesThatCouldLeaveTheirDirectoryAreRefused() {
        for (String name : new String[] {"..", ".", "", "a/b", "/etc/passwd", ".hidden", "a\\b", "a\nb", "-rf"}) {
            ByteBuffer payload = ByteBuffer.allocate(600);
            Payloads.encodeFileData(payload, name, 0);
            assertThrows(WireException.class, () -> Payloads.decodeFileName(payload.flip()), name);
        }
    }

    @Test
    void aHostThatTellsOfMoreThanItMayIsRefused() {
        ByteBuffer answer = ByteBuffer.allocate(FrameType.HOST_ANSWER.maxPayloadBytes() * 2);
        for (int text = 0; text < 6; text++) {
            WireText.putName(answer, "x");
        }
        int lists = answer.position();
        for (byte[] wrong : new byte[][] {
            {(byte) (WireLimits.MAX_MACHINES + 1)}, {0, (byte) (WireLimits.MAX_CPU_MODELS + 1)}, {1, 0, 41}
        }) {
            answer.clear().position(lists).put(wrong).position(answer.capacity());
            assertThrows(WireException.class, () -> HostAnswer.decode(answer.flip()));
        }
        answer.clear()
                .position(lists)
                .put((byte) 0)
                .put((byte) 0)
                .putLong(-1)
                .putLong(0)
                .flip();
        assertThrows(WireException.class, () -> HostAnswer.decode(answer));
    }

    @Test
    void theLargestAnswerOfAHostFitsItsFrame() throws WireException {
        String name = "n".repeat(WireLimits.MAX_TEXT_BYTES);
        String model = "m".repeat(WireLimits.MAX_MODEL_BYTES);
        HostAnswer largest = new HostAnswer(
                name,
                name,
                name,
                name,
                name,
                name,
                Collections.nCopies(WireLimits.MAX_MACHINES, model),
                Collections.nCopies(WireLimits.MAX_CPU_MODELS, model),
                0,
                0);
        ByteBuffer payload = ByteBuffer.allocate(FrameType.HOST_ANSWER.maxPayloadBytes());
        largest.encode(payload);
        assertFalse(payload.hasRemaining());
        assertEquals(largest, HostAnswer.decode(payload.flip()));
        List<String> tooMany = Collections.nCopies(WireLimits.MAX_MACHINES + 1, model);
        assertThrows(
                IllegalArgumentException.class,
                () -> new HostAnswer(name, name, name, name, name, name, tooMany, List.of(), 0, 0));
    }

    @Test
    void reasonsAreCutBetweenCharactersAndShownWithoutControlCharacters() throws WireException {
        ByteBuffer payload = ByteBuffer.allocate(4096);
        Payloads.encodeReason(payload, "x" + "ü".repeat(2000));
        assertEquals("x" + "ü".repeat(511), Payloads.decodeReason(payload.flip()));
        payload.clear();
        Payloads.encodeReason(payload, "one\ntwo\u001b[31m");
        String shown = Payloads.decodeReason(payload.flip());
        assertFalse(shown.contains("\n"));
        assertEquals("one?two?[31m", shown);
    }
}
