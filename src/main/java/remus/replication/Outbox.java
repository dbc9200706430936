package remus.replication;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.Term;
import remus.wire.FrameEncoder;
import remus.wire.FrameType;

/**
 * Sends small frames without waiting: what the connection does not take at once is kept, up to a limit, and sent by
 * {@link #flush}. Used by one thread at a time.
 */
final class Outbox {
    /** Most bytes that are kept; a peer that leaves so many answers unread is not reading at all. */
    static final int MAX_PENDING_BYTES = 64 << 10;

    /** Longest frame that can be sent this way, in bytes: a welcome that wants all files fits, and so do all digests. */
    private static final int MAX_FRAME_BYTES = 16 << 10;

    private final Transport transport;
    private final FrameEncoder encoder;
    private final ByteBuffer[] writing = new ByteBuffer[1];
    private final ByteBuffer frame = ByteBuffer.allocateDirect(MAX_FRAME_BYTES);

    /** Made when it is needed first: most connections never fall behind, and strangers' ones should cost little. */
    private @Nullable ByteBuffer pending;

    Outbox(Transport transport, Term term) {
        this.transport = transport;
        encoder = new FrameEncoder(term);
    }

    /**
     * @param payload puts the payload into the buffer that it is given
     * @throws IOException when the connection is broken, or too much has been kept already
     */
    void send(FrameType type, EpochId epoch, Consumer<ByteBuffer> payload) throws IOException {
        payload.accept(FrameEncoder.begin(frame));
        encoder.finish(type, epoch, frame);
        flush();
        if (isEmpty()) {
            write(frame);
        }
        if (frame.hasRemaining()) {
            keep(frame);
        }
    }

    private void keep(ByteBuffer rest) throws IOException {
        ByteBuffer kept = pending;
        if (kept == null) {
            kept = ByteBuffer.allocateDirect(MAX_PENDING_BYTES).limit(0);
            pending = kept;
        }
        if (rest.remaining() > kept.capacity() - kept.remaining()) {
            throw new IOException("the other side does not read: " + kept.remaining() + " bytes wait for it");
        }
        kept.compact().put(rest).flip();
    }

    boolean isEmpty() {
        ByteBuffer kept = pending;
        return kept == null || !kept.hasRemaining();
    }

    /** Sends of what was kept as much as the connection takes. */
    void flush() throws IOException {
        ByteBuffer kept = pending;
        if (kept != null && kept.hasRemaining()) {
            write(kept);
        }
    }

    private void write(ByteBuffer source) throws IOException {
        writing[0] = source;
        // One call is enough: what did not fit now will not fit before the connection says so.
        transport.write(writing, 0, 1);
    }
}
