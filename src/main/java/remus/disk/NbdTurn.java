package remus.disk;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What a reader needs to serve a connection: the requests received ahead and the replies not sent yet. Used by one thread.
 * When another takes over, it takes what the first has left of both, while the first still uses the data of the write
 * that holds it up; the turn is free for use again when both are done with it.
 */
final class NbdTurn {
    private final NbdInput input;
    private final MemorySegment memory;
    private final ByteBuffer replies;
    private final ByteBuffer lateReply;
    private final AtomicInteger done = new AtomicInteger();

    NbdTurn(SocketChannel channel, Arena arena) {
        input = new NbdInput(channel, arena);
        memory = arena.allocate(NbdLimits.BUFFER_BYTES, 8);
        replies = memory.asByteBuffer();
        lateReply = arena.allocate(NbdLimits.REPLY_OVERHEAD_BYTES, 8).asByteBuffer();
    }

    NbdInput input() {
        return input;
    }

    /** Replies that wait to be sent together; more are put at the position. */
    ByteBuffer replies() {
        return replies;
    }

    /** The memory behind {@link #replies}, with the same positions. */
    MemorySegment memory() {
        return memory;
    }

    /** Where the reply goes of a write during which another reader has taken over. */
    ByteBuffer lateReply() {
        return lateReply.clear();
    }

    /** Sends the replies that wait. */
    void flush(NbdOutput output) throws IOException {
        if (replies.position() > 0) {
            output.send(replies.flip());
            replies.clear();
        }
    }

    /** Makes room for {@code bytes} more of replies, at most all there is. */
    void makeRoom(int bytes, NbdOutput output) throws IOException {
        if (replies.remaining() < bytes) {
            flush(output);
        }
    }

    /** Waits until {@code bytes} of input are there; replies do not wait for that. */
    void require(int bytes, NbdOutput output) throws IOException {
        if (input.available() < bytes) {
            flush(output);
            input.require(bytes);
        }
    }

    /** One of the two that used this turn is done with it; true for the second, after whom it may be used again. */
    boolean leave() {
        if (done.incrementAndGet() < 2) {
            return false;
        }
        done.set(0);
        return true;
    }
}
