package remus.replication;

import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Set;
import java.util.function.Consumer;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.base.Time;
import remus.wire.FrameHeader;
import remus.wire.FrameType;
import remus.wire.WireException;

/**
 * A short talk with another host's daemon on a connection of its own: frames go out, and answers are waited for. Never
 * lasts longer than its limit. Used by one thread; after an exception it is over.
 */
final class Conversation implements AutoCloseable {
    private static final int BUFFER_BYTES = 4096;

    private final Transport transport;
    private final Time time;
    private final Duration limit;
    private final long deadline;
    private final Outbox outbox;
    private final FrameReceiver receiver;

    private Conversation(
            Transport transport, Term term, Set<FrameType> answers, Time time, Duration limit, long deadline) {
        this.transport = transport;
        this.time = time;
        this.limit = limit;
        this.deadline = deadline;
        outbox = new Outbox(transport, term);
        receiver = new FrameReceiver(transport, answers, BUFFER_BYTES);
    }

    /**
     * Connects.
     *
     * @param term of the frames that are sent
     * @param answers the types that may come back
     * @throws java.net.ConnectException when nobody listens there
     * @throws IOException when it can't be reached, or not within {@code limit}
     */
    static Conversation open(HostAddress peer, Term term, Set<FrameType> answers, Time time, Duration limit)
            throws IOException {
        long deadline = time.nanos() + limit.toNanos();
        Transport transport = Transport.connecting(peer);
        boolean connected = false;
        try {
            while (!transport.awaitConnected(deadline - time.nanos())) {
                if (time.nanos() - deadline >= 0) {
                    throw new SocketTimeoutException("did not answer within " + limit.toMillis() + " ms");
                }
            }
            connected = true;
            return new Conversation(transport, term, answers, time, limit, deadline);
        } finally {
            if (!connected) {
                transport.close();
            }
        }
    }

    /** For bulk that the caller writes itself, when nothing else waits to be sent. */
    Transport transport() {
        return transport;
    }

    void send(FrameType type, Consumer<ByteBuffer> payload) throws IOException {
        outbox.send(type, EpochId.NONE, payload);
    }

    /**
     * Waits for the next answer; {@link #payload} is its payload until the next call.
     *
     * @throws IOException when the connection ends, or the limit is over
     */
    FrameHeader await() throws IOException, WireException {
        while (true) {
            FrameHeader header = receiver.next();
            if (header != null) {
                return header;
            }
            if (!receiver.fill()) {
                transport.await(true, !outbox.isEmpty(), nanosLeft());
                outbox.flush();
            }
        }
    }

    ByteBuffer payload() {
        return receiver.payload();
    }

    /**
     * More than 0.
     *
     * @throws SocketTimeoutException when the limit is over
     */
    long nanosLeft() throws SocketTimeoutException {
        long left = deadline - time.nanos();
        if (left <= 0) {
            throw new SocketTimeoutException(
                    "took the connection but did not answer within " + limit.toMillis() + " ms");
        }
        return left;
    }

    @Override
    public void close() {
        receiver.close();
        transport.close();
    }
}
