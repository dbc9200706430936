package remus.wire;

import java.nio.ByteBuffer;
import java.util.zip.CRC32C;
import remus.base.EpochId;
import remus.base.Term;

/**
 * The fixed part of every frame, checked: version, type and flags are known, and the payload is no longer than its type
 * allows.
 *
 * @param payloadBytes 0 to the limit of {@code type}
 * @param checksum CRC32C over the header, its checksum field taken as 0, and the payload
 */
public record FrameHeader(FrameType type, int payloadBytes, int checksum, Term term, EpochId epoch) {
    /** "RMUS". */
    static final int MAGIC = 0x524D5553;

    /** The version of the protocol that is spoken here; no other is understood. */
    public static final int VERSION = 5;

    static final int LENGTH_OFFSET = 8;
    static final int CHECKSUM_OFFSET = 12;
    static final int TERM_OFFSET = 16;

    private static final byte[] ZERO_CHECKSUM = new byte[4];

    /**
     * Reads and checks the header that starts at {@code at} of {@code bytes}; position and limit stay.
     *
     * @throws WireException naming the field, what it holds, and what was expected
     */
    public static FrameHeader decode(ByteBuffer bytes, int at) throws WireException {
        int magic = bytes.getInt(at);
        if (magic != MAGIC) {
            throw WireException.corrupt("no frame starts here: magic=0x%08x expected=0x%08x".formatted(magic, MAGIC));
        }
        int version = Byte.toUnsignedInt(bytes.get(at + 4));
        if (version != VERSION) {
            throw WireException.foreign("the peer speaks protocol version " + version + ", this host " + VERSION
                    + ": run the same release of Remus on both");
        }
        FrameType type = FrameType.ofCode(Byte.toUnsignedInt(bytes.get(at + 5)));
        int flags = Short.toUnsignedInt(bytes.getShort(at + 6));
        if (flags != 0) {
            throw WireException.foreign("unknown flags 0x%04x in a frame of type %s".formatted(flags, type));
        }
        long length = Integer.toUnsignedLong(bytes.getInt(at + LENGTH_OFFSET));
        if (length > type.maxPayloadBytes()) {
            throw WireException.corrupt(
                    "a frame of type " + type + " claims length=" + length + " limit=" + type.maxPayloadBytes());
        }
        long term = bytes.getLong(at + TERM_OFFSET);
        long epoch = bytes.getLong(at + TERM_OFFSET + Long.BYTES);
        if (term < 0 || epoch < 0) {
            throw WireException.corrupt("a frame of type " + type + " has term=" + term + " epoch=" + epoch);
        }
        int checksum = bytes.getInt(at + CHECKSUM_OFFSET);
        return new FrameHeader(type, (int) length, checksum, new Term(term), new EpochId(epoch));
    }

    /**
     * Checks the frame that starts at {@code at} of {@code bytes} and is there completely against its checksum.
     *
     * @throws WireException when they differ
     */
    public void verify(ByteBuffer bytes, int at) throws WireException {
        CRC32C crc = new CRC32C();
        ByteBuffer frame = bytes.duplicate();
        crc.update(frame.limit(at + CHECKSUM_OFFSET).position(at));
        crc.update(ZERO_CHECKSUM);
        crc.update(frame.limit(at + WireLimits.HEADER_BYTES + payloadBytes).position(at + TERM_OFFSET));
        int actual = (int) crc.getValue();
        if (actual != checksum) {
            throw WireException.corrupt(
                    "a frame of type %s is damaged: checksum=0x%08x expected=0x%08x".formatted(type, actual, checksum));
        }
    }
}
