package remus.zookeeper;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.ZooDefs.OpCode;
import remus.base.CloseStack;
import remus.base.HostAddress;

/**
 * Stands between a client and a server of ZooKeeper, understands the frames' heads, and loses what it is told to. Each frame
 * is a length and that many bytes; a request begins with its number and kind, an answer with the number.
 */
final class ZooKeeperProxy implements AutoCloseable {
    /** What is lost of the next request of a kind; the connection breaks with it. */
    enum Loss {
        REQUEST,
        REPLY
    }

    private static final int MAX_FRAME_BYTES = 1 << 20;

    private final HostAddress server;
    private final ServerSocket listener;
    private final Set<Socket> sockets = new HashSet<>();
    private int kind = -1;
    private Loss loss = Loss.REPLY;
    private boolean shut;
    private boolean silent;
    private CountDownLatch lost = new CountDownLatch(1);

    ZooKeeperProxy(HostAddress server) throws IOException {
        this.server = server;
        listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread.ofPlatform().daemon().name("zookeeper-proxy").start(this::accept);
    }

    HostAddress address() {
        return new HostAddress("127.0.0.1", listener.getLocalPort());
    }

    /** Loses the next set and then accepts nobody before {@link #open}. */
    synchronized void loseNextSet(Loss what) {
        arm(OpCode.setData, what);
    }

    synchronized void loseNextCreate(Loss what) {
        arm(OpCode.create2, what);
    }

    private void arm(int ofKind, Loss what) {
        kind = ofKind;
        loss = what;
        lost = new CountDownLatch(1);
    }

    /** Waits until it was lost. */
    void awaitLoss() throws InterruptedException {
        CountDownLatch latch;
        synchronized (this) {
            latch = lost;
        }
        if (!latch.await(ArbiterWatch.WAIT_SECONDS, TimeUnit.SECONDS)) {
            throw new AssertionError("nothing was lost");
        }
    }

    synchronized void open() {
        shut = false;
        silent = false;
    }

    /** From now on nothing gets through, but connections stay and are accepted, as with a frozen server. */
    synchronized void silence() {
        silent = true;
    }

    /** Whatever was swallowed can't be made up for. */
    synchronized void speak() {
        silent = false;
        closeAll();
    }

    private void accept() {
        try {
            while (true) {
                Socket client = listener.accept();
                Socket upstream = new Socket();
                synchronized (this) {
                    if (shut) {
                        client.close();
                        continue;
                    }
                    upstream.connect(new InetSocketAddress(server.host(), server.port()), 10_000);
                    sockets.add(client);
                    sockets.add(upstream);
                }
                Connection connection = new Connection(client, upstream);
                Thread.ofPlatform().daemon().start(() -> connection.forward(client, upstream, true));
                Thread.ofPlatform().daemon().start(() -> connection.forward(upstream, client, false));
            }
        } catch (IOException e) {
            close();
        }
    }

    private synchronized void closeAll() {
        try (CloseStack all = new CloseStack()) {
            sockets.forEach(all::push);
            sockets.clear();
        }
    }

    private final class Connection {
        private final Socket client;
        private final Socket upstream;
        private int dropped;
        private boolean dropping;

        Connection(Socket client, Socket upstream) {
            this.client = client;
            this.upstream = upstream;
        }

        void forward(Socket from, Socket to, boolean requests) {
            try (from;
                    to) {
                DataInputStream input = new DataInputStream(new BufferedInputStream(from.getInputStream()));
                DataOutputStream output = new DataOutputStream(to.getOutputStream());
                boolean greeting = true;
                while (true) {
                    int length = input.readInt();
                    if (length < 0 || length > MAX_FRAME_BYTES) {
                        throw new IOException("frame of " + length + " bytes");
                    }
                    byte[] frame = input.readNBytes(length);
                    if (frame.length < length) {
                        throw new EOFException();
                    }
                    if (!greeting && isLost(frame, requests)) {
                        breakOff();
                        return;
                    }
                    greeting = false;
                    synchronized (ZooKeeperProxy.this) {
                        if (silent) {
                            continue;
                        }
                    }
                    byte[] whole = new byte[4 + length];
                    ByteBuffer.wrap(whole).putInt(length).put(frame);
                    output.write(whole);
                }
            } catch (IOException e) {
                // One end is gone, and so the other goes.
            }
        }

        private boolean isLost(byte[] frame, boolean request) {
            ByteBuffer head = ByteBuffer.wrap(frame);
            int number = head.getInt();
            synchronized (ZooKeeperProxy.this) {
                if (request && head.getInt() == kind) {
                    kind = -1;
                    dropping = true;
                    dropped = number;
                    return loss == Loss.REQUEST;
                }
                return !request && dropping && number == dropped;
            }
        }

        private void breakOff() throws IOException {
            synchronized (ZooKeeperProxy.this) {
                shut = true;
                lost.countDown();
            }
            client.close();
            upstream.close();
        }
    }

    @Override
    public void close() {
        try {
            listener.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        closeAll();
    }
}
