package remus.replication;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import java.util.function.Consumer;
import remus.base.EpochId;
import remus.base.Term;
import remus.wire.CheckpointBegin;
import remus.wire.CheckpointEnd;
import remus.wire.DiskBlocks;
import remus.wire.DiskWriteKind;
import remus.wire.DiskWrites;
import remus.wire.FrameEncoder;
import remus.wire.FrameHeader;
import remus.wire.FrameType;
import remus.wire.Payloads;
import remus.wire.WireLimits;

/** What may arrive at a replication port and should not: the same inputs for the same seed. */
final class HostileInputs {
    private static final int LENGTH_OFFSET = 8;
    private static final int MAX_GARBAGE_BYTES = 20_000;
    private static final Term TERM = new Term(9);

    private final Random random;
    private final byte[] hello = frame(FrameType.HELLO, TERM, EpochId.NONE, TestPrimary.hello()::encode);
    private final byte[] heartbeat = frame(FrameType.HEARTBEAT, TERM, EpochId.NONE, payload -> {});
    private final byte[] begin =
            frame(FrameType.CHECKPOINT_BEGIN, TERM, new EpochId(1), new CheckpointBegin(true, false, 0, 0)::encode);
    private final byte[] end =
            frame(FrameType.CHECKPOINT_END, TERM, new EpochId(1), new CheckpointEnd(0, 0, 0, 0, 0, null)::encode);
    private final byte[] write = frame(FrameType.DISK_WRITES, TERM, EpochId.NONE, HostileInputs::putWrites);
    private final byte[] compare =
            frame(FrameType.DISK_COMPARE, TERM, EpochId.NONE, new DiskBlocks(1, 1600, 1)::encode);
    private final byte[] question =
            frame(FrameType.OWNER_QUERY, Term.NONE, EpochId.NONE, payload -> Payloads.encodeVm(payload, "shop"));

    private final byte[] echo = frame(FrameType.ECHO, Term.NONE, EpochId.NONE, payload -> payload.put(new byte[64]));
    private final byte[] discard =
            frame(FrameType.DISCARD, Term.NONE, EpochId.NONE, payload -> payload.put(new byte[4096]));

    HostileInputs(long seed) {
        random = new Random(seed);
    }

    /** All that one connection sends. */
    byte[] next() {
        return switch (random.nextInt(14)) {
            case 0 -> garbage();
            case 1 -> truncated(hello);
            case 2 -> flipped(hello.clone(), 0);
            case 3 -> oversized(hello);
            case 4 -> {
                byte[] otherVersion = hello.clone();
                otherVersion[4] = (byte) random.nextInt(FrameHeader.VERSION + 1, 256);
                yield otherVersion;
            }
            // A good hello and what can't follow it: another term, no order, damage on the way, something cut off.
            case 5 -> join(hello, frame(FrameType.HEARTBEAT, new Term(random.nextInt(9)), EpochId.NONE, payload -> {}));
            case 6 -> random.nextBoolean() ? join(hello, end, begin) : join(hello, begin, heartbeat, begin);
            case 7 -> flipped(join(hello, heartbeat, begin, end), hello.length);
            case 8 -> join(hello, random.nextBoolean() ? truncated(join(begin, end)) : oversized(begin));
            // Disk writes and comparisons: damaged on the way or by who made them, of an epoch out of order, cut off.
            case 9 -> {
                byte[] wrong = changed(random.nextBoolean() ? write : compare);
                yield join(hello, write, compare, wrong, heartbeat);
            }
            case 10 -> {
                EpochId epoch = new EpochId(random.nextInt(6));
                byte[] some = frame(FrameType.DISK_WRITES, TERM, epoch, HostileInputs::putWrites);
                yield random.nextBoolean()
                        ? join(hello, some, begin, end)
                        : join(hello, begin, random.nextBoolean() ? truncated(some) : oversized(some));
            }
            // Measurements with what does not belong to them, damaged, or cut off.
            case 11 -> join(echo, discard, random.nextBoolean() ? heartbeat : hello);
            case 12 -> join(echo, random.nextBoolean() ? truncated(discard) : oversized(discard));
            // A question with something behind it, or about nothing.
            default ->
                random.nextBoolean()
                        ? join(question, garbage())
                        : frame(
                                FrameType.OWNER_QUERY,
                                Term.NONE,
                                EpochId.NONE,
                                payload -> Payloads.encodeVm(payload, "No Such/Name"));
        };
    }

    private static void putWrites(ByteBuffer payload) {
        payload.putInt(3);
        DiskWrites.putEntry(payload, 0, DiskWriteKind.WRITE, 4096, 512);
        DiskWrites.putEntry(payload, 1, DiskWriteKind.TRIM, 1 << 20, 1 << 20);
        DiskWrites.putEntry(payload, 1, DiskWriteKind.WRITE, 100L << 20, 512);
        payload.put(new byte[1024]);
    }

    /** With other contents, behind a right checksum. */
    private byte[] changed(byte[] frame) {
        ByteBuffer payload = ByteBuffer.wrap(frame, WireLimits.HEADER_BYTES, frame.length - WireLimits.HEADER_BYTES);
        byte[] contents = new byte[payload.remaining()];
        payload.get(contents);
        for (int i = 1 + random.nextInt(4); i > 0; i--) {
            contents[random.nextInt(Math.min(contents.length, 46))] = (byte) random.nextInt();
        }
        FrameType type = frame[5] == write[5] ? FrameType.DISK_WRITES : FrameType.DISK_COMPARE;
        return frame(type, TERM, EpochId.NONE, target -> target.put(contents));
    }

    private byte[] garbage() {
        byte[] garbage = new byte[random.nextInt(MAX_GARBAGE_BYTES)];
        random.nextBytes(garbage);
        return garbage;
    }

    private byte[] truncated(byte[] bytes) {
        return Arrays.copyOf(bytes, random.nextInt(bytes.length));
    }

    private byte[] flipped(byte[] bytes, int from) {
        bytes[random.nextInt(from, bytes.length)] ^= (byte) (1 << random.nextInt(8));
        return bytes;
    }

    /** Says that it is longer than it is, or than anything may be. */
    private byte[] oversized(byte[] frame) {
        return ByteBuffer.wrap(frame.clone())
                .putInt(LENGTH_OFFSET, random.nextBoolean() ? random.nextInt() : Integer.MAX_VALUE)
                .array();
    }

    /** A frame as it should be. */
    static byte[] frame(FrameType type, Term term, EpochId epoch, Consumer<ByteBuffer> payload) {
        ByteBuffer frame = FrameEncoder.begin(ByteBuffer.allocate(128 << 10));
        payload.accept(frame);
        new FrameEncoder(term).finish(type, epoch, frame);
        byte[] bytes = new byte[frame.remaining()];
        frame.get(bytes);
        return bytes;
    }

    private static byte[] join(byte[]... parts) {
        ByteBuffer joined = ByteBuffer.allocate(
                Arrays.stream(parts).mapToInt(part -> part.length).sum());
        for (byte[] part : parts) {
            joined.put(part);
        }
        return joined.array();
    }
}
