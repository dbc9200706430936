package remus.wire;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;

/** The values behind the golden frames, and a decoder for every type of payload. */
final class Samples {
    static final int PAGE_BYTES = 4096;
    static final long GUEST_PAGES = (256L << 20) / PAGE_BYTES;

    static final List<HelloDisk> DISKS =
            List.of(new HelloDisk("root", 8L << 30), new HelloDisk("data.1", (1L << 40) + 512));

    private Samples() {}

    static Hello hello(Hello.Mode mode) {
        byte[] reversed = new byte[32];
        for (int i = 0; i < 32; i++) {
            reversed[i] = (byte) (31 - i);
        }
        return new Hello(
                mode,
                "shop",
                "alpha",
                new HostAddress("192.0.2.7", 7420),
                "pc-q35-7.2",
                "7.2.22",
                256L << 20,
                PAGE_BYTES,
                Duration.ofMillis(25),
                Duration.ofMillis(300),
                10,
                "{\"x\"}".getBytes(StandardCharsets.UTF_8),
                List.of(
                        new HelloFile("vmlinuz", 8_000_000, digest()),
                        new HelloFile("initrd.img", 123, Digest.of(reversed))),
                DISKS);
    }

    static Digest digest() {
        byte[] counted = new byte[32];
        for (int i = 0; i < 32; i++) {
            counted[i] = (byte) i;
        }
        return Digest.of(counted);
    }

    static HostAnswer host() {
        return new HostAnswer(
                "beta",
                "0.1.0",
                "6.1.0-18-amd64",
                "7.2.22",
                "AMD EPYC",
                "kvm",
                List.of("pc-q35-7.2", "microvm"),
                List.of("EPYC", "host", "max"),
                21L << 30,
                1_795_404_572_064L);
    }

    /** The frame of {@code type} whose bytes are in the golden file. */
    static byte[] encode(FrameType type) {
        ByteBuffer frame = FrameEncoder.begin(ByteBuffer.allocate(WireLimits.HEADER_BYTES + type.maxPayloadBytes()));
        putPayload(type, frame);
        new FrameEncoder(termOf(type)).finish(type, epochOf(type), frame);
        byte[] bytes = new byte[frame.remaining()];
        frame.get(bytes);
        return bytes;
    }

    static Term termOf(FrameType type) {
        return switch (type) {
            case OWNER_QUERY, HOST_QUERY, HOST_ANSWER, ECHO, ECHOED, DISCARD -> Term.NONE;
            case FENCE, FENCED -> new Term(4);
            default -> new Term(3);
        };
    }

    static EpochId epochOf(FrameType type) {
        return switch (type) {
            case HELLO -> new EpochId(41);
            case WELCOME -> new EpochId(40);
            case REFUSAL, FILE_DATA, READY, ZERO_PAGES, INBOUND_FRAMES -> EpochId.NONE;
            case OWNER_QUERY, OWNER_ANSWER, FENCE, FENCED, DISK_COMPARE, DISK_DIGESTS -> EpochId.NONE;
            case HOST_QUERY, HOST_ANSWER, ECHO, ECHOED, DISCARD -> EpochId.NONE;
            default -> new EpochId(42);
        };
    }

    private static void putPayload(FrameType type, ByteBuffer target) {
        switch (type) {
            case HELLO -> hello(Hello.Mode.RESUME).encode(target);
            case WELCOME -> new Welcome("beta", "7.2.22", List.of("initrd.img"), List.of("data.1")).encode(target);
            case REFUSAL -> new Refusal(Refusal.Code.INCOMPATIBLE, "no machine type pc-q35-7.2 here").encode(target);
            case FILE_DATA -> {
                Payloads.encodeFileData(target, "initrd.img", 100);
                for (int i = 0; i < 23; i++) {
                    target.put((byte) i);
                }
            }
            case PAGES -> {
                target.putInt(2).putLong(7).putInt(1).putLong(4096).putInt(1);
                for (int i = 0; i < 2 * PAGE_BYTES; i++) {
                    target.put((byte) (i < PAGE_BYTES ? 0x11 : 0x22));
                }
            }
            case ZERO_PAGES ->
                target.putInt(2).putLong(8).putInt(3).putLong(65535).putInt(1);
            case CODED_PAGES -> {
                target.putInt(2).putLong(7).putInt(1).put((byte) 1);
                target.putLong(4096).putInt(1).put((byte) 0);
                target.put((byte) 1).putInt(208);
                // LZ4: mask and first byte of a page's blocks as they are, then that byte repeated; five at the end.
                target.put((byte) 0x9F).putLong(1L << 63 | 1).put((byte) 0x11).put(new byte[] {1, 0, 108});
                target.put((byte) 0x9F).putLong(1L << 1).put((byte) 0x22).put(new byte[] {1, 0, 39});
                target.put((byte) 0x50).put(new byte[] {0x22, 0x22, 0x22, 0x22, 0x22});
            }
            case CHECKPOINT_BEGIN -> new CheckpointBegin(false, true, 99, 5_000_000).encode(target);
            case DEVICE_STATE -> target.putLong(2).putLong(5).put(new byte[] {'a', 'b', 'c'});
            case OUTPUT_FRAMES ->
                target.putInt(2)
                        .putInt(3)
                        .put(new byte[] {'a', 'b', 'c'})
                        .putInt(1)
                        .put((byte) 'd');
            case CHECKPOINT_END -> new CheckpointEnd(6, 5, 2, 3, 4099, digest()).encode(target);
            case INBOUND_FRAMES ->
                target.putLong(1234567890123L)
                        .putInt(2)
                        .putInt(1)
                        .put((byte) 'x')
                        .putInt(2)
                        .put(new byte[] {'y', 'z'});
            case GUEST_DEAD -> Payloads.encodeReason(target, "QEMU ended with signal 9");
            case HAND_OVER -> Payloads.encodeHandOver(target, 2_500_000, "by command");
            case SIGN_OFF -> Payloads.encodeReason(target, "unprotect");
            case SIGNED_OFF -> Payloads.encodeReason(target, "image dropped – gut");
            case OWNER_QUERY, FENCE -> Payloads.encodeVm(target, "shop");
            case OWNER_ANSWER ->
                new OwnerAnswer("shop", "beta", OwnerState.RUNNING_UNCERTAIN, new Term(3), "holds output")
                        .encode(target);
            case FENCED -> new OwnerAnswer("shop", "beta", OwnerState.FENCED, new Term(4), "").encode(target);
            case STANDBY_LOST -> Payloads.encodeReason(target, "QEMU died");
            case RELIEF -> Payloads.encodeReason(target, "being drained");
            case VERIFIED -> Payloads.encodeVerified(target, true);
            case ACTIVATED -> Payloads.encodeReason(target, "primary silent");
            case DISK_WRITES -> {
                target.putInt(3);
                DiskWrites.putEntry(target, 0, DiskWriteKind.WRITE, 4096, 3);
                DiskWrites.putEntry(target, 1, DiskWriteKind.TRIM, 1L << 39, 0xF000_0000L);
                DiskWrites.putEntry(target, 1, DiskWriteKind.WRITE, (1L << 40) + 510, 2);
                target.put(new byte[] {'a', 'b', 'c', 'd', 'e'});
            }
            case DISK_COMPARE -> new DiskBlocks(1, 1L << 24, 1).encode(target);
            case DISK_DIGESTS -> {
                byte[] two = new byte[64];
                Arrays.fill(two, 0, 32, (byte) 0x33);
                Arrays.fill(two, 32, 64, (byte) 0x44);
                new DiskBlocks(0, 7, 2).encodeDigests(target, two);
            }
            case HOST_ANSWER -> host().encode(target);
            case ECHO, ECHOED -> target.put(new byte[] {'a', 'b', 'c'});
            case DISCARD -> target.put(new byte[5]);
            case READY, ACKNOWLEDGE, RELEASED, HEARTBEAT, HOST_QUERY -> {}
        }
    }

    /** Decodes a whole frame as a receiver would; everything it finds is read once. */
    static FrameHeader decode(byte[] bytes) throws WireException {
        MemorySegment memory = MemorySegment.ofArray(bytes);
        ByteBuffer frame = ByteBuffer.wrap(bytes);
        if (bytes.length < WireLimits.HEADER_BYTES) {
            throw WireException.corrupt("short");
        }
        FrameHeader header = FrameHeader.decode(frame, 0);
        if (WireLimits.HEADER_BYTES + header.payloadBytes() != bytes.length) {
            throw WireException.corrupt("another length");
        }
        header.verify(frame, 0);
        decodePayload(header, frame.position(WireLimits.HEADER_BYTES), memory);
        return header;
    }

    static Object decodePayload(FrameHeader header, ByteBuffer payload, MemorySegment memory) throws WireException {
        return switch (header.type()) {
            case HELLO -> Hello.decode(payload);
            case WELCOME -> Welcome.decode(payload);
            case REFUSAL -> Refusal.decode(payload);
            case FILE_DATA -> Payloads.decodeFileName(payload) + Payloads.decodeCount(payload, "offset");
            case PAGES -> {
                PageRuns runs = new PageRuns(GUEST_PAGES, PAGE_BYTES);
                runs.decode(payload, memory);
                for (int run = 0; run < runs.runCount(); run++) {
                    memory.asSlice(runs.dataOffset(run), (long) runs.pageCount(run) * PAGE_BYTES);
                }
                yield runs;
            }
            case ZERO_PAGES -> {
                PageRuns runs = new PageRuns(GUEST_PAGES, PAGE_BYTES);
                runs.decodeZero(payload);
                yield runs;
            }
            case CODED_PAGES -> {
                CodedPages pages = new CodedPages(GUEST_PAGES, PAGE_BYTES);
                pages.decode(payload);
                MemorySegment page = MemorySegment.ofArray(new byte[PAGE_BYTES]);
                for (int index = 0; index < pages.count(); index++) {
                    pages.apply(index, page, 0);
                }
                yield pages;
            }
            case CHECKPOINT_BEGIN -> CheckpointBegin.decode(payload);
            case DEVICE_STATE -> Payloads.decodeCount(payload, "offset") + Payloads.decodeCount(payload, "total");
            case OUTPUT_FRAMES -> frames(payload, memory);
            case CHECKPOINT_END -> CheckpointEnd.decode(payload);
            case INBOUND_FRAMES -> {
                Payloads.decodeCount(payload, "first sequence");
                yield frames(payload, memory);
            }
            case GUEST_DEAD, SIGN_OFF, SIGNED_OFF, STANDBY_LOST, ACTIVATED, RELIEF -> Payloads.decodeReason(payload);
            case HAND_OVER -> Payloads.decodeCount(payload, "pause") + Payloads.decodeReason(payload);
            case OWNER_QUERY, FENCE -> Payloads.decodeVm(payload);
            case OWNER_ANSWER, FENCED -> OwnerAnswer.decode(payload, header.term());
            case VERIFIED -> Payloads.decodeVerified(payload);
            case DISK_WRITES -> {
                DiskWrites writes = new DiskWrites(DISKS);
                writes.decode(payload, memory);
                for (int i = 0; i < writes.count(); i++) {
                    boolean hasData = writes.kind(i) == DiskWriteKind.WRITE;
                    writes.data().asSlice(writes.dataOffset(i), hasData ? writes.length(i) : 0);
                }
                yield writes;
            }
            case DISK_COMPARE -> DiskBlocks.decode(payload, DISKS);
            case DISK_DIGESTS -> DiskBlocks.decodeBeforeDigests(payload, DISKS);
            case HOST_ANSWER -> HostAnswer.decode(payload);
            case ECHO, ECHOED, DISCARD -> payload;
            case READY, ACKNOWLEDGE, RELEASED, HEARTBEAT, HOST_QUERY -> {
                Payloads.decodeEmpty(payload);
                yield "";
            }
        };
    }

    private static EthernetFrames frames(ByteBuffer payload, MemorySegment memory) throws WireException {
        EthernetFrames frames = new EthernetFrames();
        frames.decode(payload, memory);
        frames.forEach((index, where, offset, length) -> where.asSlice(offset, length));
        return frames;
    }
}
