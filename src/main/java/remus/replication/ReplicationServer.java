package remus.replication;

import java.io.IOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.base.HostAddress;
import remus.base.Term;
import remus.base.Time;
import remus.wire.FrameHeader;
import remus.wire.FrameType;
import remus.wire.Hello;
import remus.wire.OwnerAnswer;
import remus.wire.Payloads;
import remus.wire.Refusal;
import remus.wire.WireException;

/**
 * A host's replication port. Each connection has its first frame read and answered on a thread of its own; a session's
 * connection then belongs to the {@link SessionHandler}. What a connection sends can close that connection, with a line
 * in the log, and nothing else.
 *
 * <p>Limits: {@link #MAX_HALF_OPEN} connections whose first frame has not been dealt with (more are closed at once), each
 * with a buffer no longer than that frame may be; {@link #FIRST_FRAME_LIMIT_NANOS} for its arrival.
 */
public final class ReplicationServer implements AutoCloseable {
    /** Most connections that are not sessions yet. */
    public static final int MAX_HALF_OPEN = 64;

    /** How long a connection may take for its first frame, in nanoseconds. */
    public static final long FIRST_FRAME_LIMIT_NANOS = TimeUnit.SECONDS.toNanos(5);

    private static final int BACKLOG = 128;
    private static final int FIRST_BUFFER_BYTES = 4096;
    private static final long ACCEPT_RETRY_MILLIS = 100;
    private static final Duration CLOSE_LIMIT = Duration.ofSeconds(1);
    private static final long ANSWER_LIMIT_NANOS = TimeUnit.SECONDS.toNanos(2);
    private static final Set<FrameType> WITHOUT_TERM =
            Set.of(FrameType.OWNER_QUERY, FrameType.HOST_QUERY, FrameType.ECHO);
    private static final Set<FrameType> FIRST = EnumSet.copyOf(WITHOUT_TERM);

    static {
        FIRST.addAll(Set.of(FrameType.HELLO, FrameType.FENCE));
    }

    private static final Logger LOG = LoggerFactory.getLogger(ReplicationServer.class);

    private final ServerSocketChannel server;
    private final SessionHandler handler;
    private final Time time;
    private final RateLimitedLog log;
    private final MeasurementService measurements;
    private final HostAddress address;
    private final Semaphore places = new Semaphore(MAX_HALF_OPEN);
    private final Set<Transport> halfOpen = ConcurrentHashMap.newKeySet();
    private final AtomicLong connectionCount = new AtomicLong();
    private final AtomicLong closedCount = new AtomicLong();
    private final CountDownLatch closing = new CountDownLatch(1);
    private final Thread thread;

    private ReplicationServer(ServerSocketChannel server, SessionHandler handler, Time time, HostAddress address) {
        this.server = server;
        this.handler = handler;
        this.time = time;
        this.address = address;
        log = new RateLimitedLog(LOG, time);
        measurements = new MeasurementService(time);
        thread = Thread.ofPlatform().daemon().name("remus-accept").unstarted(this::accept);
    }

    /**
     * Listens on {@code listen} and begins to accept.
     *
     * @throws ReplicationException when the port is in use or the address is not one of this host
     */
    public static ReplicationServer open(HostAddress listen, SessionHandler handler, Time time)
            throws ReplicationException {
        InetSocketAddress local = new InetSocketAddress(listen.host(), listen.port());
        if (local.isUnresolved()) {
            throw new ReplicationException(
                    ErrorCategory.FATAL,
                    "can't listen on " + listen + ": no address is known for '" + listen.host() + "'",
                    null);
        }
        @Nullable ServerSocketChannel channel = null;
        try {
            channel = ServerSocketChannel.open();
            // A daemon that was killed a moment ago must not keep its successor from listening.
            channel.setOption(StandardSocketOptions.SO_REUSEADDR, true);
            channel.bind(local, BACKLOG);
            int port = ((InetSocketAddress) channel.getLocalAddress()).getPort();
            ReplicationServer opened =
                    new ReplicationServer(channel, handler, time, new HostAddress(listen.host(), port));
            opened.thread.start();
            return opened;
        } catch (IOException e) {
            closeQuietly(channel, e);
            String advice = e instanceof BindException
                    ? ": another process uses the port, or the address is not this host's; choose another --listen"
                    : "";
            throw new ReplicationException(
                    ErrorCategory.FATAL, "can't listen on " + listen + " (" + e.getMessage() + ")" + advice, e);
        }
    }

    private static void closeQuietly(@Nullable ServerSocketChannel channel, IOException cause) {
        if (channel != null) {
            try {
                channel.close();
            } catch (IOException e) {
                cause.addSuppressed(e);
            }
        }
    }

    /** Where it listens, with the port that the system chose where 0 was asked for. */
    public HostAddress address() {
        return address;
    }

    /** Connections closed so far because of what they sent, failed to send, or because there were too many. */
    long closedCount() {
        return closedCount.get();
    }

    private void accept() {
        while (closing.getCount() > 0) {
            try {
                SocketChannel channel = server.accept();
                if (closing.getCount() == 0) {
                    channel.close();
                    return;
                }
                connectionCount.incrementAndGet();
                if (places.tryAcquire()) {
                    start(channel);
                } else {
                    drop("more than " + MAX_HALF_OPEN + " connections without a first frame", channel);
                }
            } catch (ClosedChannelException e) {
                return;
            } catch (IOException | RuntimeException e) {
                // Out of descriptors, most likely: what is there goes on, and room may come.
                log.warn("a connection could not be accepted: " + e.getMessage());
                if (waitForRoom()) {
                    return;
                }
            }
        }
    }

    private boolean waitForRoom() {
        try {
            return closing.await(ACCEPT_RETRY_MILLIS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            return true;
        }
    }

    private void drop(String reason, SocketChannel channel) throws IOException {
        closedCount.incrementAndGet();
        log.warn("closed the connection from " + Transport.addressOf((InetSocketAddress) channel.getRemoteAddress())
                + ": " + reason);
        channel.close();
    }

    private void start(SocketChannel channel) throws IOException {
        boolean started = false;
        try {
            Transport transport = Transport.of(channel);
            halfOpen.add(transport);
            try {
                Thread.ofPlatform()
                        .daemon()
                        .name("remus-connection-" + connectionCount.get())
                        .start(() -> serveOne(transport));
                started = true;
            } finally {
                if (!started) {
                    halfOpen.remove(transport);
                    transport.close();
                }
            }
        } finally {
            if (!started) {
                places.release();
            }
        }
    }

    private void serveOne(Transport transport) {
        FrameReceiver receiver = new FrameReceiver(transport, FIRST, FIRST_BUFFER_BYTES);
        boolean handedOver = false;
        try {
            FrameHeader header = firstFrame(transport, receiver);
            if (header.type() == FrameType.HELLO) {
                Hello hello = Hello.decode(receiver.payload());
                BackupConnection connection = new BackupConnection(transport, receiver, header, hello);
                halfOpen.remove(transport);
                handedOver = true;
                beginSession(hello, connection);
            } else if (MeasurementService.TYPES.contains(header.type())) {
                measurements.serve(transport, receiver, header);
            } else {
                answer(transport, receiver, header);
            }
        } catch (WireException e) {
            complain(transport, e.getMessage());
            tellForeigner(transport, e);
        } catch (IOException e) {
            complain(transport, e.getMessage());
        } catch (RuntimeException e) {
            LOG.error("a connection from {} failed", transport.peer(), e);
        } finally {
            places.release();
            if (!handedOver) {
                halfOpen.remove(transport);
                receiver.close();
                transport.close();
            }
        }
    }

    private FrameHeader firstFrame(Transport transport, FrameReceiver receiver) throws IOException, WireException {
        long deadline = time.nanos() + FIRST_FRAME_LIMIT_NANOS;
        while (true) {
            FrameHeader header = receiver.next();
            if (header != null) {
                if (header.term().equals(Term.NONE) && !WITHOUT_TERM.contains(header.type())) {
                    throw WireException.corrupt("a frame of type " + header.type() + " without a term");
                }
                return header;
            }
            if (!receiver.fill()) {
                long left = deadline - time.nanos();
                if (left <= 0) {
                    throw new IOException("no complete first frame within " + FIRST_FRAME_LIMIT_NANOS / 1_000_000
                            + " ms (" + transport.receivedBytes() + " bytes came)");
                }
                transport.await(true, false, left);
            }
        }
    }

    private void beginSession(Hello hello, BackupConnection connection) {
        try {
            handler.session(hello, connection);
        } catch (RuntimeException e) {
            LOG.error("the session for VM {} from {} failed to begin", hello.vm(), connection.peer(), e);
            connection.refuse(new Refusal(Refusal.Code.OTHER, "the backup failed: " + e));
            connection.close();
        }
    }

    private void answer(Transport transport, FrameReceiver receiver, FrameHeader header)
            throws IOException, WireException {
        Outbox outbox;
        if (header.type() == FrameType.HOST_QUERY) {
            Payloads.decodeEmpty(receiver.payload());
            outbox = new Outbox(transport, Term.NONE);
            outbox.send(FrameType.HOST_ANSWER, EpochId.NONE, handler.host()::encode);
        } else {
            String vm = Payloads.decodeVm(receiver.payload());
            boolean fence = header.type() == FrameType.FENCE;
            OwnerAnswer answer = fence ? handler.fence(vm, header.term()) : handler.answer(vm);
            outbox = new Outbox(transport, answer.term());
            outbox.send(fence ? FrameType.FENCED : FrameType.OWNER_ANSWER, EpochId.NONE, answer::encode);
        }
        long deadline = time.nanos() + ANSWER_LIMIT_NANOS;
        while (!outbox.isEmpty() && time.nanos() - deadline < 0) {
            transport.await(false, true, deadline - time.nanos());
            outbox.flush();
        }
        transport.endOutput();
    }

    /** Who speaks another version may still read a refusal of this one, or at least show it to a person. */
    private void tellForeigner(Transport transport, WireException problem) {
        if (problem.category() != ErrorCategory.FATAL) {
            return;
        }
        try {
            new Outbox(transport, Term.NONE)
                    .send(
                            FrameType.REFUSAL,
                            EpochId.NONE,
                            new Refusal(Refusal.Code.INCOMPATIBLE, String.valueOf(problem.getMessage()))::encode);
        } catch (IOException e) {
            log.debug("could not answer " + transport.peer() + ": " + e.getMessage());
        }
    }

    private void complain(Transport transport, @Nullable String reason) {
        closedCount.incrementAndGet();
        log.warn("closed the connection from " + transport.peer() + ": " + reason);
    }

    /** Stops listening and closes the connections that are not sessions; sessions go on until their owners close them. */
    @Override
    public void close() {
        closing.countDown();
        try {
            server.close();
        } catch (IOException e) {
            LOG.warn("closing the replication port {} failed", address, e);
        }
        // The system lets go of the port when the thread that waits on it has.
        try {
            thread.join(CLOSE_LIMIT);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        halfOpen.forEach(Transport::wakeup);
        halfOpen.forEach(Transport::close);
    }
}
