package remus.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
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
        boolean openEnded = type == FrameType.FILE_DATA || type == FrameType.DEVICE_STATE;
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
        assertForeign(4, (byte) 1);
        assertForeign(4, (byte) 3);
        assertForeign(5, (byte) 0);
        assertForeign(5, (byte) 29);
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
    void fileNamesThatCouldLeaveTheirDirectoryAreRefused() {
        for (String name : new String[] {"..", ".", "", "a/b", "/etc/passwd", ".hidden", "a\\b", "a\nb", "-rf"}) {
            ByteBuffer payload = ByteBuffer.allocate(600);
            Payloads.encodeFileData(payload, name, 0);
            assertThrows(WireException.class, () -> Payloads.decodeFileName(payload.flip()), name);
        }
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
