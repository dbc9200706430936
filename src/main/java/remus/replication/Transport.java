package remus.replication;

import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.net.StandardSocketOptions;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.util.concurrent.TimeUnit;
import remus.base.HostAddress;

/**
 * The bytes of one connection, without blocking: the only class that knows what carries them. Used by one thread at a
 * time; {@link #wakeup} and {@link #close} may be called by any.
 */
final class Transport implements AutoCloseable {
    private final SocketChannel channel;
    private final Selector selector;
    private final SelectionKey key;
    private final HostAddress peer;
    private long receivedBytes;

    private Transport(SocketChannel channel, Selector selector, SelectionKey key, HostAddress peer) {
        this.channel = channel;
        this.selector = selector;
        this.key = key;
        this.peer = peer;
    }

    /** Takes over a connected channel; closes it when that fails. */
    static Transport of(SocketChannel channel) throws IOException {
        try {
            return register(channel, addressOf((InetSocketAddress) channel.getRemoteAddress()));
        } catch (IOException e) {
            channel.close();
            throw e;
        }
    }

    /** Starts to connect; {@link #awaitConnected} says when that is done. */
    static Transport connecting(HostAddress address) throws IOException {
        InetSocketAddress target = new InetSocketAddress(address.host(), address.port());
        if (target.isUnresolved()) {
            throw new UnknownHostException("no address is known for the name '" + address.host() + "'");
        }
        SocketChannel channel = SocketChannel.open();
        Transport transport;
        try {
            transport = register(channel, address);
        } catch (IOException e) {
            channel.close();
            throw e;
        }
        try {
            channel.connect(target);
            return transport;
        } catch (IOException e) {
            transport.close();
            throw e;
        }
    }

    /** Without a zone, which means nothing to another host. */
    static HostAddress addressOf(InetSocketAddress socket) {
        String host = socket.getAddress().getHostAddress();
        int zone = host.indexOf('%');
        return new HostAddress(zone < 0 ? host : host.substring(0, zone), socket.getPort());
    }

    private static Transport register(SocketChannel channel, HostAddress peer) throws IOException {
        channel.configureBlocking(false);
        // Acknowledgements and releases are small, and each of them is waited for.
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        Selector selector = Selector.open();
        try {
            return new Transport(channel, selector, channel.register(selector, 0), peer);
        } catch (IOException e) {
            selector.close();
            throw e;
        }
    }

    /**
     * Waits at most {@code nanos}, or until {@link #wakeup}, for the connection to be there; returns whether it is.
     *
     * @throws ConnectException when the other host refuses it
     */
    boolean awaitConnected(long nanos) throws IOException {
        try {
            if (!channel.finishConnect()) {
                select(SelectionKey.OP_CONNECT, nanos);
                if (!channel.finishConnect()) {
                    return false;
                }
            }
        } catch (ConnectException e) {
            // Also thrown for ETIMEDOUT, which says the opposite: nobody is there who could refuse.
            if (String.valueOf(e.getMessage()).contains("timed out")) {
                throw new SocketTimeoutException(e.getMessage());
            }
            throw e;
        }
        // On one host, a request to a port that nobody listens on can be given that port to come from, and TCP then
        // connects it with itself.
        if (channel.getLocalAddress().equals(channel.getRemoteAddress())) {
            throw new ConnectException("Connection refused (it would have been one with itself)");
        }
        return true;
    }

    /** The other end: numerical where it connected to this host, else as it was named. */
    HostAddress peer() {
        return peer;
    }

    /** All bytes received so far. */
    long receivedBytes() {
        return receivedBytes;
    }

    /**
     * Waits until there is something to read (or room to write, where asked for), {@link #wakeup} is called, or about
     * {@code nanos} have passed; 0 only looks. Returns whether the connection can be read or written.
     */
    boolean await(boolean forReading, boolean forWriting, long nanos) throws IOException {
        return select((forReading ? SelectionKey.OP_READ : 0) | (forWriting ? SelectionKey.OP_WRITE : 0), nanos);
    }

    private boolean select(int operations, long nanos) throws IOException {
        try {
            key.interestOps(operations);
            // The selector counts milliseconds, and 0 would mean for ever.
            int ready = nanos <= 0
                    ? selector.selectNow()
                    : selector.select(Math.max(1, TimeUnit.NANOSECONDS.toMillis(nanos + 999_999)));
            selector.selectedKeys().clear();
            return ready > 0;
        } catch (ClosedSelectorException | CancelledKeyException e) {
            throw new IOException("the connection was closed", e);
        }
    }

    /** Ends the current or the next wait. */
    void wakeup() {
        selector.wakeup();
    }

    /** Reads what is there, at most what {@code target} holds: 0 when there is nothing, -1 at the end. */
    int read(ByteBuffer target) throws IOException {
        int count = channel.read(target);
        if (count > 0) {
            receivedBytes += count;
        }
        return count;
    }

    /** Writes as much as there is room for. */
    long write(ByteBuffer[] source, int from, int count) throws IOException {
        return channel.write(source, from, count);
    }

    /** Says that nothing more will be sent; what was sent before still arrives. */
    void endOutput() throws IOException {
        channel.shutdownOutput();
    }

    @Override
    public void close() {
        try {
            channel.close();
            selector.close();
        } catch (IOException e) {
            // The descriptors are given back all the same, and nobody waits for this connection any more.
            throw new IllegalStateException("closing the connection with " + peer + " failed", e);
        }
    }
}
