package remus.wire;

import java.nio.ByteBuffer;

/**
 * A checkpoint starts: the payload of CHECKPOINT_BEGIN.
 *
 * @param first whether it completes the synchronization
 * @param still whether the guest is kept paused, by command: so it is after an activation, too
 * @param inboundMark sequence number of the first mirrored inbound frame whose effect the checkpoint may not contain
 * @param clockLagNanos how far the guest's clock is behind where it goes on from the checkpoint at the moment of sending
 */
public record CheckpointBegin(boolean first, boolean still, long inboundMark, long clockLagNanos) {
    static final int BYTES = 2 + 2 * Long.BYTES;

    public void encode(ByteBuffer target) {
        target.put((byte) (first ? 1 : 0))
                .put((byte) (still ? 1 : 0))
                .putLong(inboundMark)
                .putLong(clockLagNanos);
    }

    public static CheckpointBegin decode(ByteBuffer source) throws WireException {
        WireText.need(source, BYTES, "fields");
        boolean first = WireFlag.take(source, "first");
        boolean still = WireFlag.take(source, "still");
        long inboundMark = source.getLong();
        long clockLagNanos = source.getLong();
        WireText.end(source);
        if (inboundMark < 0) {
            throw WireException.corrupt("inboundMark=" + Long.toUnsignedString(inboundMark) + " is out of range");
        }
        if (clockLagNanos < 0) {
            throw WireException.corrupt("clockLagNanos=" + Long.toUnsignedString(clockLagNanos) + " is out of range");
        }
        return new CheckpointBegin(first, still, inboundMark, clockLagNanos);
    }
}
