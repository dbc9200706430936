package remus.replication;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import remus.base.Invariant;
import remus.wire.FrameHeader;
import remus.wire.FrameType;
import remus.wire.WireException;
import remus.wire.WireLimits;

/**
 * Cuts the bytes of a connection into checked frames. Bytes are read into one buffer and used there; it grows, once, to
 * what the longest expected frame needs, and only after a header has passed its checks. Call {@link #next} until it
 * returns null, then {@link #fill}. Used by one thread at a time. After an exception the connection is over.
 */
final class FrameReceiver implements AutoCloseable {
    private final Transport transport;
    private Set<FrameType> accepted;
    private Buffer buffer;
    private int start;
    private int end;
    private @Nullable FrameHeader header;
    private boolean delivered;

    /**
     * @param accepted the types that may come; the connection fails at the header of any other
     * @param capacityBytes initial size of the buffer
     */
    FrameReceiver(Transport transport, Set<FrameType> accepted, int capacityBytes) {
        this.transport = transport;
        this.accepted = accepted;
        buffer = new Buffer(capacityBytes);
    }

    /** From now on other types may come, and the buffer has at least {@code capacityBytes}. No frame may be in use. */
    void expect(Set<FrameType> types, int capacityBytes) {
        accepted = types;
        dropDelivered();
        header = null;
        if (capacityBytes > buffer.bytes.capacity()) {
            move(capacityBytes);
        }
    }

    /**
     * The next frame that has arrived completely, or null. It, its payload and memory are valid until the next call of
     * any method.
     */
    @Nullable
    FrameHeader next() throws WireException {
        dropDelivered();
        if (end - start < WireLimits.HEADER_BYTES) {
            makeRoom(WireLimits.HEADER_BYTES);
            return null;
        }
        FrameHeader known = header;
        if (known == null) {
            known = FrameHeader.decode(buffer.bytes, start);
            if (!accepted.contains(known.type())) {
                throw WireException.corrupt("a frame of type " + known.type() + " was not expected here");
            }
            header = known;
        }
        int frameBytes = WireLimits.HEADER_BYTES + known.payloadBytes();
        if (end - start < frameBytes) {
            makeRoom(frameBytes);
            return null;
        }
        known.verify(buffer.bytes, start);
        delivered = true;
        return known;
    }

    /** Whether {@link #next} would return a frame or fail without more buffer.bytes. */
    boolean hasNext() {
        int from = delivered ? start + frameBytes() : start;
        if (end - from < WireLimits.HEADER_BYTES) {
            return false;
        }
        if (!delivered && header != null) {
            return end - start >= frameBytes();
        }
        // Not looked at yet: whether it is complete is for next() to say.
        return true;
    }

    /** The payload of the frame that {@link #next} returned; index i is offset i of {@link #memory}. */
    ByteBuffer payload() {
        Invariant.check(delivered, "no frame is there");
        return buffer.bytes.duplicate().limit(start + frameBytes()).position(start + WireLimits.HEADER_BYTES);
    }

    MemorySegment memory() {
        return buffer.memory;
    }

    /**
     * Reads what has arrived; false when nothing has.
     *
     * @throws EOFException when the other side has closed the connection
     */
    boolean fill() throws IOException {
        Invariant.check(!delivered && end < buffer.bytes.capacity(), "no room to read: call next() first");
        int count = transport.read(buffer.bytes.limit(buffer.bytes.capacity()).position(end));
        if (count < 0) {
            throw new EOFException(
                    start == end
                            ? "the other side closed the connection"
                            : "the other side closed the connection in the middle of a frame");
        }
        end += count;
        return count > 0;
    }

    private int frameBytes() {
        return WireLimits.HEADER_BYTES + (header == null ? 0 : header.payloadBytes());
    }

    private void dropDelivered() {
        if (delivered) {
            start += frameBytes();
            delivered = false;
            header = null;
        }
    }

    private void makeRoom(int neededBytes) {
        if (start == end) {
            start = 0;
            end = 0;
        }
        if (neededBytes > buffer.bytes.capacity()) {
            move(neededBytes);
        } else if (start + neededBytes > buffer.bytes.capacity()) {
            MemorySegment.copy(buffer.memory, start, buffer.memory, 0, end - start);
            end -= start;
            start = 0;
        }
    }

    private void move(int capacityBytes) {
        Buffer larger = new Buffer(capacityBytes);
        MemorySegment.copy(buffer.memory, start, larger.memory, 0, end - start);
        buffer.close();
        buffer = larger;
        end -= start;
        start = 0;
    }

    @Override
    public void close() {
        buffer.close();
    }

    /** Memory that is given back at once when it is not needed any more, not when a collector finds time. */
    private static final class Buffer implements AutoCloseable {
        private final Arena arena = Arena.ofShared();
        final MemorySegment memory;
        final ByteBuffer bytes;

        Buffer(int capacityBytes) {
            memory = arena.allocate(capacityBytes, 64);
            bytes = memory.asByteBuffer();
        }

        @Override
        public void close() {
            if (arena.scope().isAlive()) {
                arena.close();
            }
        }
    }
}
