package remus.disk;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.Term;
import remus.checkpoint.DiskForwarding;

/**
 * What a redo log says about itself, as it stands in one of the log's two header slots (docs/DISK-FORMAT.md). Immutable.
 *
 * @param generation grows by one with each header that is written; records belong to one generation
 * @param logId drawn at random when the log is made. Records carry it too: without it, what a guest has written could
 *     pass for a record
 * @param base the checkpoint that the images equal before any record of this generation is applied to them
 * @param capacityBytes size of the log's file
 */
record LogHeader(
        State state,
        long generation,
        long logId,
        String vm,
        Term term,
        EpochId base,
        long capacityBytes,
        List<Disk> disks) {

    /**
     * What the images are. SYNCHRONIZING → CONSISTENT when the first checkpoint is whole and in the images;
     * CONSISTENT → CONSISTENT with a new base whenever the log is emptied; CONSISTENT → ENDED when the images are given
     * to a guest that runs here.
     */
    enum State {
        /** A synchronization is under way: no checkpoint at all. */
        SYNCHRONIZING(1),
        /** The base checkpoint once the log's records are applied. */
        CONSISTENT(2),
        /** No concern of this log any more: a guest of this host writes to them. */
        ENDED(3);

        private final int code;

        State(int code) {
            this.code = code;
        }

        private static @Nullable State of(int code) {
            for (State state : values()) {
                if (state.code == code) {
                    return state;
                }
            }
            return null;
        }
    }

    /**
     * An image that the log belongs to.
     *
     * @param path absolute
     */
    record Disk(String name, long bytes, Path path) {
        static List<Disk> of(List<ReplicaDisk> disks) {
            return disks.stream()
                    .map(disk -> new Disk(
                            disk.name(),
                            disk.image().bytes(),
                            disk.image().path().toAbsolutePath()))
                    .toList();
        }
    }

    static final int MAGIC = 0x524D444C; // "RMDL"
    static final int VERSION = 1;

    /** Room for one header; the second slot follows the first. */
    static final int SLOT_BYTES = 64 << 10;

    static final int SLOTS = 2;
    static final int MAX_DISKS = DiskForwarding.MAX_DISKS;
    static final int MAX_NAME_BYTES = 255;
    static final int MAX_PATH_BYTES = 4096; // PATH_MAX of include/uapi/linux/limits.h
    private static final int CRC_OFFSET = 4;
    private static final int CRC_FROM = 8;
    private static final int FIXED_BYTES = 56;

    static {
        int longest = FIXED_BYTES
                + Short.BYTES
                + MAX_NAME_BYTES
                + MAX_DISKS * (2 * Short.BYTES + MAX_NAME_BYTES + Long.BYTES + MAX_PATH_BYTES);
        if (longest > SLOT_BYTES) {
            throw new AssertionError("a header of " + longest + " bytes has no room in its slot");
        }
    }

    LogHeader {
        disks = List.copyOf(disks);
    }

    /** The header that follows this one. */
    LogHeader next(State nextState, EpochId nextBase) {
        return new LogHeader(nextState, generation + 1, logId, vm, term, nextBase, capacityBytes, disks);
    }

    /** Where in the file this header belongs: never where the one before it stands. */
    long slotOffset() {
        return generation % SLOTS * SLOT_BYTES;
    }

    /** The header's bytes, from position 0 to the limit. */
    ByteBuffer encode() throws DiskException {
        ByteBuffer target = ByteBuffer.allocate(SLOT_BYTES);
        target.putInt(MAGIC).putInt(0).putShort((short) VERSION);
        target.put((byte) state.code).put((byte) disks.size()).putInt(0);
        target.putLong(generation).putLong(term.value()).putLong(base.value());
        target.putLong(capacityBytes).putLong(logId);
        putText(target, vm, MAX_NAME_BYTES);
        for (Disk disk : disks) {
            putText(target, disk.name(), MAX_NAME_BYTES);
            target.putLong(disk.bytes());
            putText(target, disk.path().toString(), MAX_PATH_BYTES);
        }
        target.flip();
        target.putInt(12, target.limit());
        target.putInt(CRC_OFFSET, checksum(target, target.limit()));
        return target;
    }

    private static void putText(ByteBuffer target, String text, int limitBytes) throws DiskException {
        byte[] bytes = text.getBytes(UTF_8);
        if (bytes.length > limitBytes) {
            throw DiskException.unusable(
                    "'%s' has %d bytes; a redo log holds names and paths of at most %d"
                            .formatted(text, bytes.length, limitBytes),
                    null);
        }
        target.putShort((short) bytes.length).put(bytes);
    }

    private static int checksum(ByteBuffer header, int length) {
        CRC32C crc = new CRC32C();
        crc.update(header.slice(CRC_FROM, length - CRC_FROM));
        return (int) crc.getValue();
    }

    /**
     * Reads a slot: what it holds may be anything.
     *
     * @return null where no header was ever written completely
     * @throws DiskException when there is a header that this version can't understand
     */
    static @Nullable LogHeader decode(ByteBuffer slot) throws DiskException {
        if (slot.limit() < FIXED_BYTES || slot.getInt(0) != MAGIC) {
            return null;
        }
        int length = slot.getInt(12);
        if (length < FIXED_BYTES
                || length > Math.min(slot.limit(), SLOT_BYTES)
                || slot.getInt(CRC_OFFSET) != checksum(slot, length)) {
            return null;
        }
        int version = Short.toUnsignedInt(slot.getShort(8));
        if (version != VERSION) {
            throw refusal("version " + version + " is not " + VERSION + "; use the version of Remus that wrote it");
        }
        try {
            return decodeFields(slot.slice(0, length));
        } catch (BufferUnderflowException | CharacterCodingException | InvalidPathException e) {
            throw refusal("its fields do not fit each other: " + e);
        }
    }

    private static LogHeader decodeFields(ByteBuffer source) throws DiskException, CharacterCodingException {
        @Nullable State state = State.of(source.get(10));
        int diskCount = source.get(11);
        source.position(16);
        long generation = source.getLong();
        long term = source.getLong();
        long base = source.getLong();
        long capacityBytes = source.getLong();
        long logId = source.getLong();
        if (state == null || diskCount < 1 || diskCount > MAX_DISKS) {
            throw refusal("state " + source.get(10) + " with " + diskCount + " disks");
        }
        if (generation < 1 || generation == Long.MAX_VALUE || term < 0 || base < 0 || capacityBytes < 0) {
            throw refusal(
                    "generation=%d term=%d epoch=%d capacity=%d".formatted(generation, term, base, capacityBytes));
        }
        String vm = takeText(source, MAX_NAME_BYTES);
        List<Disk> disks = new ArrayList<>();
        for (int disk = 0; disk < diskCount; disk++) {
            String name = takeText(source, MAX_NAME_BYTES);
            long bytes = source.getLong();
            Path path = Path.of(takeText(source, MAX_PATH_BYTES));
            if (bytes <= 0 || !path.isAbsolute()) {
                throw refusal("disk %s has %d bytes in '%s'".formatted(name, bytes, path));
            }
            disks.add(new Disk(name, bytes, path));
        }
        if (source.hasRemaining()) {
            throw refusal(source.remaining() + " bytes follow its last field");
        }
        return new LogHeader(state, generation, logId, vm, new Term(term), new EpochId(base), capacityBytes, disks);
    }

    private static String takeText(ByteBuffer source, int limitBytes) throws DiskException, CharacterCodingException {
        int length = Short.toUnsignedInt(source.getShort());
        if (length > limitBytes || length > source.remaining()) {
            throw refusal("a text of " + length + " bytes");
        }
        ByteBuffer bytes = source.slice(source.position(), length);
        source.position(source.position() + length);
        return UTF_8.newDecoder().decode(bytes).toString();
    }

    private static DiskException refusal(String why) {
        return DiskException.unusable("the redo log's header is refused: " + why, null);
    }
}
