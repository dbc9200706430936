package remus.disk;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

/**
 * What a client has sent and nobody has looked at yet, received in as large pieces as there are. Holds at most
 * {@link NbdLimits#BUFFER_BYTES}. Used by the thread that reads for the connection.
 */
final class NbdInput {
    private final SocketChannel channel;
    private final MemorySegment memory;
    // Always ready to be read from: what is unread lies between position and limit.
    private final ByteBuffer unread;

    NbdInput(SocketChannel channel, Arena arena) {
        this.channel = channel;
        memory = arena.allocate(NbdLimits.BUFFER_BYTES, 8);
        unread = memory.asByteBuffer().limit(0);
    }

    /** What is unread; the reader moves its position. */
    ByteBuffer unread() {
        return unread;
    }

    /** The memory behind {@link #unread}, with the same positions. */
    MemorySegment memory() {
        return memory;
    }

    int available() {
        return unread.remaining();
    }

    /** Waits for more bytes; false when the client will send none. Must not be called while the buffer is full. */
    boolean fill() throws IOException {
        int start = unread.position();
        int end = unread.limit();
        if (start == end) {
            start = 0;
            end = 0;
        } else if (end == unread.capacity()) {
            unread.compact();
            end = unread.position();
            start = 0;
        }
        unread.limit(unread.capacity()).position(end);
        try {
            return channel.read(unread) >= 0;
        } finally {
            unread.limit(unread.position()).position(start);
        }
    }

    /** Waits until {@code count} bytes, at most the size of the buffer, are unread. */
    void require(int count) throws IOException {
        while (available() < count) {
            if (unread.capacity() - unread.position() < count) {
                unread.compact().flip();
            }
            if (!fill()) {
                throw new EOFException("the client ended in the middle of a message");
            }
        }
    }

    /** Waits until {@code target} is full. */
    void read(ByteBuffer target) throws IOException {
        int held = Math.min(available(), target.remaining());
        target.put(target.position(), unread, unread.position(), held);
        target.position(target.position() + held);
        unread.position(unread.position() + held);
        while (target.hasRemaining()) {
            if (channel.read(target) < 0) {
                throw new EOFException("the client ended in the middle of its data");
            }
        }
    }

    /** Waits for {@code count} bytes and forgets them. */
    void skip(long count) throws IOException {
        long left = count;
        while (true) {
            int step = (int) Math.min(left, available());
            unread.position(unread.position() + step);
            left -= step;
            if (left == 0) {
                return;
            }
            if (!fill()) {
                throw new EOFException("the client ended in the middle of its data");
            }
        }
    }

    /** Goes on with what {@code other} had left unread, in place of what was here; {@code other} is not changed. */
    void adopt(NbdInput other) {
        unread.clear().put(other.unread.duplicate()).flip();
    }
}
