package remus.wire;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * The guest's frames in one OUTPUT_FRAMES or INBOUND_FRAMES frame: each a 32-bit length and its bytes. Reused from
 * frame to frame and valid only until the next one is read. All lengths have been checked. Confined to one thread.
 */
public final class EthernetFrames {
    private MemorySegment memory = MemorySegment.NULL;
    private ByteBuffer bytes = ByteBuffer.allocate(0);
    private int start;
    private int frameCount;

    /** Sees one frame: {@code length} bytes of {@code memory} from {@code offset} on. */
    @FunctionalInterface
    public interface Visitor<X extends Exception> {
        /** @param index 0 for the first frame */
        void visit(int index, MemorySegment memory, long offset, int length) throws X;
    }

    /**
     * Reads {@code payload} from its position, where the number of frames is, to its limit.
     *
     * @param memory the memory behind {@code payload}: byte i of one is byte i of the other
     */
    public void decode(ByteBuffer payload, MemorySegment memory) throws WireException {
        frameCount = 0;
        WireText.need(payload, Integer.BYTES, "number of frames");
        long count = Integer.toUnsignedLong(payload.getInt());
        // Each frame has a length field at least, so a number that can't be right is found before the loop.
        WireText.need(payload, count * (Integer.BYTES + 1), "guest frames");
        this.memory = memory;
        bytes = payload;
        start = payload.position();
        int end = payload.limit();
        int at = start;
        for (long i = 0; i < count; i++) {
            if (end - at < Integer.BYTES) {
                throw WireException.corrupt("guest frame " + i + " of " + count + " is missing");
            }
            int length = payload.getInt(at);
            at += Integer.BYTES;
            if (length < 1 || length > WireLimits.MAX_ETHERNET_FRAME_BYTES || length > end - at) {
                throw WireException.corrupt("guest frame " + i + " has length=" + Integer.toUnsignedLong(length)
                        + " left=" + (end - at) + " limit=" + WireLimits.MAX_ETHERNET_FRAME_BYTES);
            }
            at += length;
        }
        WireText.end(payload.position(at));
        frameCount = (int) count;
    }

    public int frameCount() {
        return frameCount;
    }

    /** Shows all frames in order. */
    public <X extends Exception> void forEach(Visitor<X> visitor) throws X {
        int at = start;
        for (int i = 0; i < frameCount; i++) {
            int length = bytes.getInt(at);
            at += Integer.BYTES;
            visitor.visit(i, memory, at, length);
            at += length;
        }
    }
}
