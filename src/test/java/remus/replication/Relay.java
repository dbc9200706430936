package remus.replication;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import remus.base.HostAddress;

/** Passes connections on to a backup, and cuts or stops them on demand. */
final class Relay implements AutoCloseable {
    private final HostAddress target;
    private final ServerSocket server;
    private final AtomicLong bytesUntilCut = new AtomicLong(Long.MAX_VALUE);
    private volatile boolean silent;
    private volatile @Nullable Socket outer;
    private volatile @Nullable Socket inner;

    Relay(HostAddress target) throws IOException {
        this.target = target;
        server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread.ofPlatform().daemon().name("relay").start(this::accept);
    }

    HostAddress address() {
        return new HostAddress("127.0.0.1", server.getLocalPort());
    }

    /** Cuts the connection after so many more bytes from the primary, wherever that is in a frame. */
    void cutAfter(long bytes) {
        bytesUntilCut.set(bytes);
    }

    void cut() throws IOException {
        Socket first = outer;
        Socket second = inner;
        if (first != null && second != null) {
            first.close();
            second.close();
        }
    }

    /** Passes nothing on any more, in both directions and without closing anything. */
    void silence(boolean on) {
        silent = on;
    }

    private void accept() {
        while (!server.isClosed()) {
            try {
                Socket accepted = server.accept();
                Socket connected = new Socket(target.host(), target.port());
                outer = accepted;
                inner = connected;
                Thread.ofPlatform().daemon().start(() -> pump(accepted, connected, true));
                Thread.ofPlatform().daemon().start(() -> pump(connected, accepted, false));
            } catch (IOException e) {
                // The backup is gone, or the relay is being closed and the loop ends.
            }
        }
    }

    private void pump(Socket from, Socket to, boolean counted) {
        byte[] buffer = new byte[16 << 10];
        try (from;
                to) {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            int count = in.read(buffer);
            while (count >= 0) {
                while (silent) {
                    java.util.concurrent.locks.LockSupport.parkNanos(1_000_000);
                }
                long left = counted ? bytesUntilCut.getAndAdd(-count) : Long.MAX_VALUE;
                out.write(buffer, 0, Math.clamp(left, 0, count));
                if (left <= count) {
                    bytesUntilCut.set(Long.MAX_VALUE);
                    return;
                }
                count = in.read(buffer);
            }
        } catch (IOException e) {
            // One side closed: so does the other, by leaving the block.
        }
    }

    @Override
    public void close() throws IOException {
        silent = false;
        server.close();
        cut();
    }
}
