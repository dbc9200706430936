package remus.network;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import remus.base.CloseStack;
import remus.linux.FileDescriptor;
import remus.linux.LinuxException;
import remus.linux.Poller;
import remus.linux.Tap;
import remus.linux.TestNamespace;
import remus.linux.UnixStreamSocket;

/**
 * One network interface between a real UNIX socket, on whose other end the test stands for QEMU, and a real TAP on a
 * bridge, on whose other port the test stands for a client. Frames carry numbers, and an EtherType for local
 * experiments (IEEE 802), by which all that is not the test's is told apart.
 */
final class NicRig implements AutoCloseable {
    static final int FRAME_BYTES = 60;

    private static final short ETHER_TYPE = (short) 0x88b5;
    private static final int PROBE = -1;
    private static final int FENCE = -2;
    private static final long LIMIT_NANOS = 20_000_000_000L;
    private static final long WAIT_NANOS = 20_000_000L;
    private static final int LARGEST_FRAME_BYTES = 65_600;

    private final CloseStack resources = new CloseStack();
    private final MemorySegment buffer;
    private final Poller poller;
    private final Path directory;
    private final Tap tap;
    private final Tap client;
    private final SocketChannel qemu;
    private final NicLink nic;
    private final ByteBuffer fromHost = ByteBuffer.allocate(4 << 20);

    /** Runs {@code body} in a network namespace of its own, on a thread of its own. */
    static void inNamespace(Callable<Void> body) throws Exception {
        try (TestNamespace namespace = new TestNamespace()) {
            // Nothing but the test sends here.
            namespace.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1");
            for (String bridge : List.of("br0", "br1")) {
                namespace.run(
                        "ip", "link", "add", bridge, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0");
                namespace.run("ip", "link", "set", bridge, "up");
            }
            namespace.inside(body);
        }
    }

    /** To be made on the thread that uses it, inside the namespace; {@code bridge} is br0 or br1. */
    NicRig(String bridge) throws IOException, LinuxException {
        buffer = Arena.ofAuto().allocate(LARGEST_FRAME_BYTES);
        poller = resources.push(new Poller(1));
        directory = Files.createTempDirectory("nic");
        Path path = directory.resolve("nic.sock");
        resources.push(() -> {
            Files.deleteIfExists(path);
            Files.delete(directory);
        });
        ServerSocketChannel listening = resources.push(ServerSocketChannel.open(StandardProtocolFamily.UNIX));
        listening.bind(UnixDomainSocketAddress.of(path));
        UnixStreamSocket socket = UnixStreamSocket.connect(path);
        qemu = resources.push(listening.accept());
        qemu.configureBlocking(false);
        tap = port("guest-" + bridge, bridge);
        client = resources.push(port("client-" + bridge, bridge));
        nic = resources.push(new NicLink(socket, tap));
        awaitBridge();
    }

    private static Tap port(String name, String bridge) throws LinuxException {
        Tap port = Tap.open(name);
        port.joinBridge(bridge);
        port.bringUp();
        return port;
    }

    private void awaitBridge() throws LinuxException {
        long deadline = System.nanoTime() + LIMIT_NANOS;
        while (!passes(client, tap) || !passes(tap, client)) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("the bridge forwards nothing");
            }
        }
    }

    private boolean passes(Tap from, Tap to) throws LinuxException {
        write(from, PROBE, FRAME_BYTES);
        poller.enable(0, to.descriptor(), true, false);
        poller.await(WAIT_NANOS);
        boolean passed = false;
        while (to.descriptor().read(buffer, 0, LARGEST_FRAME_BYTES) > 0) {
            passed |= number(0) == PROBE;
        }
        return passed;
    }

    NicLink nic() {
        return nic;
    }

    Tap tap() {
        return tap;
    }

    // ---- the client

    void clientSends(int number, int length) throws LinuxException {
        write(client, number, length);
    }

    /**
     * The numbers of all frames that have come to the client. A fence that is sent straight through the TAP behind them
     * ends the wait, so nothing that has left is missed and no time is spent where nothing has.
     */
    List<Integer> clientReceives() throws LinuxException {
        write(tap, FENCE, FRAME_BYTES);
        List<Integer> numbers = new ArrayList<>();
        long deadline = System.nanoTime() + LIMIT_NANOS;
        while (System.nanoTime() < deadline) {
            int length = client.descriptor().read(buffer, 0, LARGEST_FRAME_BYTES);
            if (length == FileDescriptor.WOULD_BLOCK) {
                poller.enable(0, client.descriptor(), true, false);
                poller.await(WAIT_NANOS);
            } else if (isOurs() && number(0) == FENCE) {
                return numbers;
            } else if (isOurs()) {
                numbers.add(number(0));
            }
        }
        throw new IllegalStateException("the fence did not come after " + numbers);
    }

    /** Waits until a frame lies in the TAP for the guest. */
    void awaitInput() throws LinuxException {
        long deadline = System.nanoTime() + LIMIT_NANOS;
        poller.enable(0, tap.descriptor(), true, false);
        while (poller.await(WAIT_NANOS) == 0) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("no frame came to the TAP");
            }
        }
    }

    private void write(Tap to, int number, int length) throws LinuxException {
        putFrame(buffer.asSlice(0, length), number);
        to.descriptor().write(buffer, 0, length);
    }

    // ---- QEMU

    void qemuSends(int... numbers) throws IOException {
        for (int number : numbers) {
            qemuSends(streamOf(number, FRAME_BYTES), 0, 4 + FRAME_BYTES);
        }
    }

    void qemuSends(byte[] stream, int offset, int length) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(stream, offset, length);
        while (bytes.hasRemaining()) {
            if (qemu.write(bytes) == 0) {
                throw new IOException("the socket is full");
            }
        }
    }

    void qemuCloses() throws IOException {
        qemu.close();
    }

    /** Takes at most {@code byteCount} bytes from the socket, now. */
    int qemuReads(int byteCount) throws IOException {
        fromHost.limit(Math.min(fromHost.capacity(), fromHost.position() + byteCount));
        int count = qemu.read(fromHost);
        fromHost.limit(fromHost.capacity());
        return Math.max(0, count);
    }

    /** Takes all that is in the socket now; the numbers of all whole frames so far, which must be well formed. */
    List<Integer> qemuReceives() throws IOException {
        while (qemuReads(1 << 16) > 0) {
            // more
        }
        ByteBuffer received = fromHost.duplicate().order(ByteOrder.BIG_ENDIAN).flip();
        List<Integer> numbers = new ArrayList<>();
        while (received.remaining() >= 4) {
            int length = received.getInt(received.position());
            if (length < FRAME_BYTES || length > LARGEST_FRAME_BYTES) {
                throw new IOException("a frame of " + length + " bytes after " + numbers);
            }
            if (received.remaining() < 4 + length) {
                break;
            }
            byte[] frame = new byte[length];
            received.position(received.position() + 4);
            received.get(frame);
            MemorySegment segment = MemorySegment.ofArray(frame);
            if (segment.get(JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN), 12) == ETHER_TYPE) {
                numbers.add(numberOf(segment, 0));
            }
        }
        return numbers;
    }

    // ---- frames

    /** A frame as QEMU sends it: its length, and the frame. */
    static byte[] streamOf(int number, int length) {
        byte[] stream = new byte[4 + length];
        MemorySegment segment = MemorySegment.ofArray(stream);
        segment.set(JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN), 0, length);
        putFrame(segment.asSlice(4), number);
        return stream;
    }

    /** A frame as it is held and mirrored: the number of its interface, and the frame. */
    MemorySegment held(int interfaceNumber, int number) {
        MemorySegment segment = buffer.asSlice(0, 1 + FRAME_BYTES);
        segment.set(JAVA_BYTE, 0, (byte) interfaceNumber);
        putFrame(segment.asSlice(1), number);
        return segment;
    }

    static int numberOf(MemorySegment memory, long offset) {
        return memory.get(JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN), offset + 14);
    }

    private static void putFrame(MemorySegment frame, int number) {
        frame.fill((byte) 0);
        frame.asSlice(0, 6).fill((byte) 0xff);
        frame.set(JAVA_BYTE, 6, (byte) 0x52);
        frame.set(JAVA_BYTE, 7, (byte) 0x54);
        frame.set(JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN), 12, ETHER_TYPE);
        frame.set(JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN), 14, number);
    }

    private boolean isOurs() {
        return buffer.get(JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN), 12) == ETHER_TYPE;
    }

    private int number(long offset) {
        return isOurs() ? numberOf(buffer, offset) : 0;
    }

    @Override
    public void close() {
        resources.close();
    }
}
