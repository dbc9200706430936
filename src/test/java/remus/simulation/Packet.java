package remus.simulation;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * What travels between the client and the guest, as bytes of a frame.
 *
 * @param number of the frame in the {@link History}; 0 for what the client sends
 * @param request the client's request, or the one that is answered; 0: the guest says something by itself
 * @param counter how many requests the guest has carried out
 * @param digest over all of these
 */
record Packet(long number, long request, long counter, long digest) {
    private static final int BYTES = 4 * Long.BYTES;

    static Packet request(long request) {
        return new Packet(0, request, 0, 0);
    }

    byte[] bytes() {
        return ByteBuffer.allocate(BYTES)
                .putLong(number)
                .putLong(request)
                .putLong(counter)
                .putLong(digest)
                .array();
    }

    static Packet of(byte[] bytes) {
        ByteBuffer from = ByteBuffer.wrap(bytes);
        return new Packet(from.getLong(), from.getLong(), from.getLong(), from.getLong());
    }

    static Packet of(MemorySegment memory, long offset, int length) {
        byte[] bytes = new byte[length];
        MemorySegment.copy(memory, JAVA_BYTE, offset, bytes, 0, length);
        return of(bytes);
    }

    /** The digest after one more request. */
    static long digest(long before, long request) {
        long mixed = (before ^ request) * 0x9E3779B97F4A7C15L;
        return mixed ^ (mixed >>> 29);
    }
}
