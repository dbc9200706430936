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
    private final Term term;
    private final CRC32C crc = new CRC32C();
    private final ByteBuffer[] single = new ByteBuffer[1];

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
        single[0] = frame;
        finish(type, epoch, single, 1);
        return frame;
    }

    /**
     * Completes a frame that is made of the first {@code partCount} buffers of {@code parts}. The first one was begun
     * with {@link #begin} and is made ready to be written; the others go from their position to their limit and stay
     * as they are.
     */
    public void finish(FrameType type, EpochId epoch, ByteBuffer[] parts, int partCount) {
        ByteBuffer head = parts[0];
        long payloadBytes = (long) head.position() - WireLimits.HEADER_BYTES;
        for (int i = 1; i < partCount; i++) {
            payloadBytes += parts[i].remaining();
        }
        Invariant.check(
                payloadBytes >= 0 && payloadBytes <= type.maxPayloadBytes(),
                "a frame of type %s with %d bytes, limit %d",
                type,
                payloadBytes,
                type.maxPayloadBytes());
        head.putInt(0, FrameHeader.MAGIC);
        head.put(4, (byte) FrameHeader.VERSION);
        head.put(5, (byte) type.code());
        head.putShort(6, (short) 0);
        head.putInt(FrameHeader.LENGTH_OFFSET, (int) payloadBytes);
        head.putInt(FrameHeader.CHECKSUM_OFFSET, 0);
        head.putLong(FrameHeader.TERM_OFFSET, term.value());
        head.putLong(FrameHeader.TERM_OFFSET + Long.BYTES, epoch.value());
        head.flip();
        crc.reset();
        for (int i = 0; i < partCount; i++) {
            int position = parts[i].position();
            crc.update(parts[i]);
            parts[i].position(position);
        }
        head.putInt(FrameHeader.CHECKSUM_OFFSET, (int) crc.getValue());
    }
}
