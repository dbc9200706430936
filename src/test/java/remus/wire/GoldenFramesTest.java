package remus.wire;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Pins the code to the bytes of the protocol. */
class GoldenFramesTest {
    private final Map<FrameType, byte[]> golden = readGolden();

    private static Map<FrameType, byte[]> readGolden() {
        Map<FrameType, byte[]> frames = new EnumMap<>(FrameType.class);
        try (InputStream file = GoldenFramesTest.class.getResourceAsStream("golden-frames.txt")) {
            assertNotNull(file);
            for (String line : new String(file.readAllBytes(), StandardCharsets.UTF_8).split("\n", -1)) {
                if (!line.isBlank() && !line.startsWith("#")) {
                    String[] parts = line.split(" ", -1);
                    frames.put(FrameType.valueOf(parts[0]), HexFormat.of().parseHex(parts[1]));
                }
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        return frames;
    }

    @Test
    void thereIsAFrameOfEveryType() {
        assertEquals(FrameType.values().length, golden.size());
    }

    /** Rows of the table of types: number, name, way, limit. */
    @ParameterizedTest
    @EnumSource
    void theProtocolPageSaysTheNumberAndLimitOfEachType(FrameType type) throws IOException {
        String row = Files.readAllLines(Path.of("docs/PROTOCOL.md")).stream()
                .filter(line -> line.startsWith("| " + type.code() + " | " + type.name() + " | "))
                .findFirst()
                .orElseThrow();
        String[] cells = row.split(" \\| ", -1);
        assertEquals(type.maxPayloadBytes(), Integer.parseInt(cells[3]));
    }

    @ParameterizedTest
    @EnumSource
    void encodedFramesAreTheGoldenBytes(FrameType type) {
        assertEquals(HexFormat.of().formatHex(golden(type)), HexFormat.of().formatHex(Samples.encode(type)));
    }

    @ParameterizedTest
    @EnumSource
    void goldenBytesAreDecoded(FrameType type) throws WireException {
        FrameHeader header = Samples.decode(golden(type));
        assertEquals(type, header.type());
        assertEquals(Samples.termOf(type), header.term());
        assertEquals(Samples.epochOf(type), header.epoch());
    }

    @Test
    void helloComesBackAsItWas() throws WireException {
        Hello hello = Hello.decode(payload(FrameType.HELLO));
        Hello expected = Samples.hello(Hello.Mode.RESUME);
        assertArrayEquals(expected.definition(), hello.definition());
        assertEquals(expected.mode(), hello.mode());
        assertEquals(expected.vm(), hello.vm());
        assertEquals(expected.host(), hello.host());
        assertEquals(expected.replicationAddress(), hello.replicationAddress());
        assertEquals(expected.machine(), hello.machine());
        assertEquals(expected.qemuVersion(), hello.qemuVersion());
        assertEquals(expected.memoryBytes(), hello.memoryBytes());
        assertEquals(expected.pageBytes(), hello.pageBytes());
        assertEquals(expected.interval(), hello.interval());
        assertEquals(expected.detect(), hello.detect());
        assertEquals(expected.verifyEvery(), hello.verifyEvery());
        assertEquals(expected.files(), hello.files());
        assertEquals(expected.disks(), hello.disks());
    }

    @Test
    void smallPayloadsComeBackAsTheyWere() throws WireException {
        assertEquals(
                new Welcome("beta", "7.2.22", List.of("initrd.img"), List.of("data.1")),
                Welcome.decode(payload(FrameType.WELCOME)));
        assertEquals(
                new Refusal(Refusal.Code.INCOMPATIBLE, "no machine type pc-q35-7.2 here"),
                Refusal.decode(payload(FrameType.REFUSAL)));
        assertEquals(
                new CheckpointBegin(false, true, 99, 5_000_000),
                CheckpointBegin.decode(payload(FrameType.CHECKPOINT_BEGIN)));
        assertEquals(
                new CheckpointEnd(6, 5, 2, 3, 4099, Samples.digest()),
                CheckpointEnd.decode(payload(FrameType.CHECKPOINT_END)));
        assertEquals(
                new OwnerAnswer(
                        "shop", "beta", OwnerState.RUNNING_UNCERTAIN, Samples.termOf(FrameType.HELLO), "holds output"),
                OwnerAnswer.decode(payload(FrameType.OWNER_ANSWER), Samples.termOf(FrameType.HELLO)));
        assertEquals("image dropped – gut", Payloads.decodeReason(payload(FrameType.SIGNED_OFF)));
        assertEquals("shop", Payloads.decodeVm(payload(FrameType.FENCE)));
        assertEquals(Samples.host(), HostAnswer.decode(payload(FrameType.HOST_ANSWER)));
        assertTrue(Payloads.decodeVerified(payload(FrameType.VERIFIED)));
    }

    @Test
    void pagesLieWhereTheTableSays() throws WireException {
        byte[] frame = golden(FrameType.PAGES);
        MemorySegment memory = MemorySegment.ofArray(frame);
        PageRuns runs = new PageRuns(Samples.GUEST_PAGES, Samples.PAGE_BYTES);
        runs.decode(payload(FrameType.PAGES), memory);
        assertEquals(2, runs.runCount());
        assertEquals(4096, runs.firstPage(1));
        assertEquals((byte) 0x11, memory.get(ValueLayout.JAVA_BYTE, runs.dataOffset(0)));
        assertEquals((byte) 0x22, memory.get(ValueLayout.JAVA_BYTE, runs.dataOffset(1) + Samples.PAGE_BYTES - 1));
    }

    @Test
    void diskWritesAndTheirDataLieWhereTheTableSays() throws WireException {
        byte[] frame = golden(FrameType.DISK_WRITES);
        MemorySegment memory = MemorySegment.ofArray(frame);
        DiskWrites writes = new DiskWrites(Samples.DISKS);
        writes.decode(payload(FrameType.DISK_WRITES), memory);
        assertEquals(3, writes.count());
        assertEquals(5, writes.dataBytes());
        assertEquals(
                List.of(DiskWriteKind.WRITE, DiskWriteKind.TRIM, DiskWriteKind.WRITE),
                List.of(writes.kind(0), writes.kind(1), writes.kind(2)));
        assertEquals(0xF000_0000L, writes.length(1));
        assertEquals(1, writes.disk(2));
        assertEquals((1L << 40) + 510, writes.offset(2));
        assertEquals((byte) 'd', memory.get(ValueLayout.JAVA_BYTE, writes.dataOffset(2)));
        assertEquals(new DiskBlocks(1, 1L << 24, 1), DiskBlocks.decode(payload(FrameType.DISK_COMPARE), Samples.DISKS));
        ByteBuffer digests = payload(FrameType.DISK_DIGESTS);
        assertEquals(new DiskBlocks(0, 7, 2), DiskBlocks.decodeBeforeDigests(digests, Samples.DISKS));
        assertEquals(64, digests.remaining());
    }

    @Test
    void guestFramesAreShownInOrder() throws WireException {
        byte[] frame = golden(FrameType.OUTPUT_FRAMES);
        EthernetFrames frames = new EthernetFrames();
        frames.decode(payload(FrameType.OUTPUT_FRAMES), MemorySegment.ofArray(frame));
        List<String> seen = new ArrayList<>();
        frames.forEach((index, memory, offset, length) -> seen.add(index
                + new String(memory.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8)));
        assertEquals(List.of("0abc", "1d"), seen);
    }

    private byte[] golden(FrameType type) {
        return Objects.requireNonNull(golden.get(type), () -> "no golden frame of type " + type);
    }

    private ByteBuffer payload(FrameType type) {
        return ByteBuffer.wrap(golden(type)).position(WireLimits.HEADER_BYTES);
    }
}
