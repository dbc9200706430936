package remus.wire;

import java.nio.ByteBuffer;
import java.util.zip.CRC32C;
import remus.base.EpochId;
import remus.base.Invariant;
import remus.base.Term;

/**
 * Completes frames for sending: {@link #begin} a buffer, put the payload (or the start of it) after the header's place,
 * then {@link #finish}. The rest of a bulk payload stays where it is and is only read for the checksum, so that it can
 * be sent from there. Confined to one thread; allocates nothing.
 */
public final class FrameEncoder {
    private static final ByteBuffer[] NOTHING = {};

    private final Term term;
    private final CRC32C crc = new CRC32C();

    /** @param term the term that all frames carry */
    public FrameEncoder(Term term) {
        this.term = term;
    }

    /** Empties {@code frame} and leaves room for the header. */
    public static ByteBuffer begin(ByteBuffer frame) {
        return frame.clear().position(WireLimits.HEADER_BYTES);
    }

    /** Completes a frame whose payload is what was put since {@link #begin}, and makes it ready to be written. */
    public ByteBuffer finish(FrameType type, EpochId epoch, ByteBuffer frame) {
        return finish(type, epoch, frame, NOTHING, 0);
    }

    /**
     * Completes a frame whose payload goes on in the first {@code restCount} buffers of {@code rest}, each from its
     * position to its limit; these are not changed.
     */
    public ByteBuffer finish(FrameType type, EpochId epoch, ByteBuffer frame, ByteBuffer[] rest, int restCount) {
        int headBytes = frame.position();
        long payloadBytes = (long) headBytes - WireLimits.HEADER_BYTES;
        for (int i = 0; i < restCount; i++) {
            payloadBytes += rest[i].remaining();
        }
        Invariant.check(
                payloadBytes >= 0 && payloadBytes <= type.maxPayloadBytes(),
                "a frame of type %s with %d bytes, limit %d",
                type,
                payloadBytes,
                type.maxPayloadBytes());
        frame.putInt(0, FrameHeader.MAGIC);
        frame.put(4, (byte) FrameHeader.VERSION);
        frame.put(5, (byte) type.code());
        frame.putShort(6, (short) 0);
        frame.putInt(FrameHeader.LENGTH_OFFSET, (int) payloadBytes);
        frame.putInt(FrameHeader.CHECKSUM_OFFSET, 0);
        frame.putLong(FrameHeader.TERM_OFFSET, term.value());
        frame.putLong(FrameHeader.TERM_OFFSET + Long.BYTES, epoch.value());
        crc.reset();
        crc.update(frame.flip());
        for (int i = 0; i < restCount; i++) {
            int position = rest[i].position();
            crc.update(rest[i]);
            rest[i].position(position);
        }
        frame.putInt(FrameHeader.CHECKSUM_OFFSET, (int) crc.getValue());
        return frame.rewind();
    }
}
