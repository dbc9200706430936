package remus.disk;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Offers a VM's disks to its QEMU, over a UNIX socket of the VM's own: the NBD protocol's fixed newstyle with structured
 * replies ({@link NbdProtocol} names the document). What a client sends can end its own connection, with a line in the
 * log, and nothing else. Who may connect is a matter of the socket's directory; the socket itself is the owner's only.
 *
 * <p>Threads: one that accepts, one that watches ({@link NbdWatch}), and a pool from which each connection has a reader and
 * one for each request that may wait, at most {@link NbdLimits#MAX_IN_FLIGHT}; unused ones end by themselves. All limits
 * are in {@link NbdLimits}. The exports belong to the caller, who closes them after the server.
 */
public final class NbdServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(NbdServer.class);
    private static final int BACKLOG = 16;
    private static final long ACCEPT_RETRY_MILLIS = 100;
    private static final Duration IDLE_THREAD_LIMIT = Duration.ofSeconds(2);
    // A reader, one for each request handed over, and a few that take over or were taken over from.
    private static final int THREADS_PER_CONNECTION = NbdLimits.MAX_IN_FLIGHT + 8;

    private final Path socket;
    private final ServerSocketChannel listener;
    private final Map<String, NbdExport> exports;
    private final Set<NbdConnection> connections = ConcurrentHashMap.newKeySet();
    private final Consumer<Error> broken;
    private final NbdWatch watch;
    private final ThreadPoolExecutor pool;
    private final Thread acceptor;
    private final CountDownLatch closing = new CountDownLatch(1);
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition connectionEnded = lock.newCondition();

    private NbdServer(
            Path socket,
            ServerSocketChannel listener,
            Map<String, NbdExport> exports,
            String name,
            Consumer<Error> broken) {
        this.socket = socket;
        this.listener = listener;
        this.exports = exports;
        this.broken = broken;
        watch = new NbdWatch(connections, name + "-watch");
        pool = new ThreadPoolExecutor(
                0,
                NbdLimits.MAX_CONNECTIONS * THREADS_PER_CONNECTION,
                IDLE_THREAD_LIMIT.toMillis(),
                TimeUnit.MILLISECONDS,
                new SynchronousQueue<>(),
                Thread.ofPlatform().daemon().name(name + "-", 0).factory());
        acceptor = Thread.ofPlatform().daemon().name(name + "-accept").unstarted(this::accept);
    }

    /** As the other one; what is broken is logged, and nothing else. */
    public static NbdServer open(Path socket, String vm, List<? extends NbdExport> exports) throws DiskException {
        return open(socket, vm, exports, error -> LOG.error("the server of the disks at {} broke down", socket, error));
    }

    /**
     * Makes the socket and begins to serve.
     *
     * @param socket where it is to be; nothing may be there yet
     * @param vm names the threads
     * @param exports 1 to 8, of different names
     * @param broken called on the thread that met it with each error that is no exception, such as a broken invariant; the
     *     connection concerned is then closed, and must not be waited for
     * @throws DiskException when the socket can't be made
     */
    public static NbdServer open(Path socket, String vm, List<? extends NbdExport> exports, Consumer<Error> broken)
            throws DiskException {
        Map<String, NbdExport> named = byName(exports);
        @Nullable ServerSocketChannel listener = null;
        boolean opened = false;
        try {
            listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
            listener.bind(UnixDomainSocketAddress.of(socket), BACKLOG);
            Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-------"));
            NbdServer server = new NbdServer(socket, listener, named, "remus-nbd-" + vm, broken);
            server.watch.start();
            server.acceptor.start();
            opened = true;
            return server;
        } catch (IOException e) {
            throw DiskException.unusable("the disks' socket " + socket + " can't be made: " + e.getMessage(), e);
        } finally {
            if (!opened && listener != null) {
                closeListener(listener, socket);
            }
        }
    }

    private static Map<String, NbdExport> byName(List<? extends NbdExport> exports) {
        Map<String, NbdExport> named = new LinkedHashMap<>();
        for (NbdExport export : exports) {
            int nameBytes = export.name().getBytes(StandardCharsets.UTF_8).length;
            if (nameBytes == 0
                    || nameBytes > NbdProtocol.MAX_STRING_BYTES
                    || export.bytes() % NbdLimits.MIN_BLOCK_BYTES != 0
                    || named.put(export.name(), export) != null) {
                throw new IllegalArgumentException(
                        "export '" + export.name() + "' of " + export.bytes() + " bytes can't be offered");
            }
        }
        if (named.isEmpty() || named.size() > NbdLimits.MAX_EXPORTS) {
            throw new IllegalArgumentException(named.size() + " exports");
        }
        return Collections.unmodifiableMap(named);
    }

    public Path socket() {
        return socket;
    }

    Map<String, NbdExport> exports() {
        return exports;
    }

    NbdWatch watch() {
        return watch;
    }

    /** Clients connected now. */
    int connectionCount() {
        return connections.size();
    }

    /** A thread of the server met an error after which the process is not to go on. */
    void broken(Error error) {
        broken.accept(error);
    }

    void execute(Runnable job) {
        pool.execute(job);
    }

    private void accept() {
        while (closing.getCount() > 0) {
            try {
                SocketChannel channel = listener.accept();
                if (connections.size() < NbdLimits.MAX_CONNECTIONS) {
                    begin(channel);
                } else {
                    LOG.warn("refused a connection to the disks at {}: there are {}", socket, connections.size());
                    channel.close();
                }
            } catch (ClosedChannelException e) {
                return;
            } catch (IOException | RuntimeException e) {
                // Out of descriptors, most likely: what is there goes on, and room may come.
                LOG.warn("a connection to the disks at {} could not be accepted", socket, e);
                if (waitForRoom()) {
                    return;
                }
            } catch (Error e) {
                broken.accept(e);
                return;
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

    private void begin(SocketChannel channel) {
        NbdConnection connection =
                new NbdConnection(channel, this, System.nanoTime() + NbdLimits.NEGOTIATION_LIMIT.toNanos());
        connections.add(connection);
        connection.begin();
    }

    void ended(NbdConnection connection) {
        lock.lock();
        try {
            connections.remove(connection);
            connectionEnded.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Ends within {@link NbdLimits#DRAIN_LIMIT} and {@link NbdLimits#CUT_LIMIT}: takes no further requests, lets those
     * under way be finished and answered, then closes the connections. A request that still waits in its export after that
     * goes on there, its reply dropped: let the export go on first where it may wait for long.
     */
    @Override
    public void close() {
        closing.countDown();
        closeListener(listener, socket);
        join(acceptor);
        connections.forEach(NbdConnection::end);
        if (!awaitNoConnection(NbdLimits.DRAIN_LIMIT)) {
            LOG.warn("requests of {} connections to the disks at {} take too long", connections.size(), socket);
            connections.forEach(NbdConnection::cut);
            if (!awaitNoConnection(NbdLimits.CUT_LIMIT)) {
                LOG.warn("requests for the disks at {} still wait", socket);
            }
        }
        watch.end();
        pool.shutdown();
    }

    private static void join(Thread thread) {
        try {
            thread.join(NbdLimits.CUT_LIMIT);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private boolean awaitNoConnection(Duration limit) {
        long left = limit.toNanos();
        lock.lock();
        try {
            while (!connections.isEmpty()) {
                if (left <= 0) {
                    return false;
                }
                left = connectionEnded.awaitNanos(left);
            }
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        } finally {
            lock.unlock();
        }
    }

    private static void closeListener(ServerSocketChannel listener, Path socket) {
        if (!listener.isOpen()) {
            return;
        }
        try {
            boolean bound = listener.getLocalAddress() != null;
            listener.close();
            if (bound) {
                Files.deleteIfExists(socket);
            }
        } catch (IOException e) {
            LOG.warn("removing the disks' socket {} failed", socket, e);
        }
    }
}
