package remus.qemu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import remus.base.ByteSize;
import remus.linux.FileDescriptor;
import remus.linux.Poller;
import remus.linux.UnixStreamSocket;

/**
 * What becomes of a NIC whose other end goes away at any moment, as a daemon does that is killed, and of the frames on the
 * connection to the next one. The test is that other end: it asks Linux for its address (RFC 4861) and reads the answers.
 */
@Tag("system")
class NicReconnectSystemTest {
    private static final int ROUNDS = 4;

    /** Each makes the guest send a frame; far more of them than fit into the sockets. */
    private static final int QUESTIONS = 10_000;

    private static final String GUEST = "fe80::5054:ff:fe12:3456";

    private Hosts hosts;

    @BeforeEach
    void open() throws Exception {
        hosts = new Hosts();
    }

    @AfterEach
    void close() {
        hosts.close();
    }

    private VmDefinition linux() throws Exception {
        return new VmDefinition(
                "linux",
                MachineType.Q35,
                1,
                ByteSize.ofMebibytes(128),
                Accelerator.TCG,
                "max",
                LinuxGuest.boot(MachineType.Q35),
                List.of(),
                List.of(new VmDefinition.Nic("52:54:00:12:34:56", "br0")),
                hosts.console("a"));
    }

    @Test
    void framesBeginAnewAfterTheOtherEndHasGoneInTheMiddleOfSome() throws Exception {
        QemuPaths paths = hosts.paths("a");
        hosts.push(RunningGuest.start(hosts.installation, linux(), paths, Hosts.LIMITS, Hosts.TIME));
        Hosts.await(
                "Linux has its NIC",
                () -> Files.exists(hosts.console("a"))
                        && Files.readString(hosts.console("a")).contains("network up"));
        for (int round = 0; round < ROUNDS; round++) {
            try (OtherEnd next = new OtherEnd(paths)) {
                assertTrue(next.isAnswered(), "after " + round + " connections that have gone");
                next.askUntilFull();
                if (round % 2 == 1) {
                    next.writeSomeOfAQuestion();
                }
            }
        }
        try (OtherEnd last = new OtherEnd(paths)) {
            assertTrue(last.isAnswered(), "after all connections that have gone");
        }
    }

    /** A connection to QEMU's NIC. */
    private static final class OtherEnd implements AutoCloseable {
        private static final long ASK_AGAIN_NANOS = 200_000_000;
        private static final long FULL_NANOS = 300_000_000;
        private static final int MAX_FRAME = 1518;

        private final UnixStreamSocket socket;
        private final Poller poller;
        private final Arena arena = Arena.ofConfined();
        private final MemorySegment question;
        private final MemorySegment buffer = arena.allocate(4 + MAX_FRAME);
        private int filled;

        OtherEnd(QemuPaths paths) throws Exception {
            socket = UnixStreamSocket.connectWithin(paths.nicSocket(0), Hosts.LIMIT);
            poller = new Poller(1);
            question = arena.allocateFrom(JAVA_BYTE, solicitation());
        }

        /** Sends one question if there is room for it. */
        private boolean ask() throws Exception {
            int written = socket.write(question, 0, (int) question.byteSize());
            assertTrue(
                    written == FileDescriptor.WOULD_BLOCK || written == question.byteSize(),
                    "a frame is written whole or not at all");
            return written != FileDescriptor.WOULD_BLOCK;
        }

        /** Asks and reads no answer, until QEMU waits for room for one and so takes no question either. */
        void askUntilFull() throws Exception {
            for (int i = 0; i < QUESTIONS; i++) {
                if (!ask()) {
                    poller.enable(0, socket.descriptor(), false, true);
                    if (poller.await(FULL_NANOS) == 0) {
                        return;
                    }
                }
            }
            throw new AssertionError("never full");
        }

        /** As much as QEMU has not taken when this end goes is lost; what it has taken is no beginning of a frame. */
        void writeSomeOfAQuestion() throws Exception {
            while (frame() != null) {
                // Makes room.
            }
            filled = 0;
            poller.enable(0, socket.descriptor(), false, true);
            poller.await(Hosts.LIMIT.toNanos());
            socket.write(question, 0, (int) question.byteSize() / 2);
        }

        /** Asks until an answer comes; each frame on the way has a plausible length and a plausible sender. */
        boolean isAnswered() throws Exception {
            long deadline = System.nanoTime() + Hosts.LIMIT.toNanos();
            while (System.nanoTime() < deadline) {
                ask();
                long askAgain = System.nanoTime() + ASK_AGAIN_NANOS;
                while (System.nanoTime() < askAgain) {
                    byte[] frame = frame();
                    if (frame == null) {
                        poller.enable(0, socket.descriptor(), true, false);
                        poller.await(ASK_AGAIN_NANOS);
                    } else if (frame.length > 54 && frame[54] == (byte) 136) {
                        return true;
                    }
                }
            }
            return false;
        }

        private byte @Nullable [] frame() throws Exception {
            if (!fill(4)) {
                return null;
            }
            int length = buffer.asByteBuffer().getInt(0);
            assertTrue(length >= 14 && length <= MAX_FRAME, "a frame of " + length + " bytes");
            if (!fill(4 + length)) {
                return null;
            }
            filled = 0;
            byte[] frame = buffer.asSlice(4, length).toArray(JAVA_BYTE);
            assertEquals(0x525400123456L, ByteBuffer.wrap(frame).getLong(4) & 0xffff_ffff_ffffL, "the sender");
            return frame;
        }

        private boolean fill(int wanted) throws Exception {
            while (filled < wanted) {
                int count = socket.read(buffer, filled, wanted - filled);
                if (count == FileDescriptor.WOULD_BLOCK) {
                    return false;
                }
                assertTrue(count > 0, "QEMU closed its NIC's socket");
                filled += count;
            }
            return true;
        }

        /** A neighbour solicitation for the guest's link-local address, with its length before it. */
        private static byte[] solicitation() throws Exception {
            byte[] source = Inet6Address.getByName("fe80::1").getAddress();
            byte[] group = InetAddress.getByName("ff02::1:ff12:3456").getAddress();
            ByteBuffer message = ByteBuffer.allocate(32);
            message.putInt(135 << 24).putInt(0).put(InetAddress.getByName(GUEST).getAddress());
            message.put(new byte[] {1, 1, 2, 0, 0, 0, 0, 1});
            ByteBuffer summed = ByteBuffer.allocate(16 + 16 + 4 + 4 + 32);
            summed.put(source).put(group).putInt(32).putInt(58).put(message.array());
            message.putShort(2, checksum(summed.array()));
            ByteBuffer frame = ByteBuffer.allocate(4 + 14 + 40 + 32);
            frame.putInt(14 + 40 + 32);
            frame.put(new byte[] {0x33, 0x33, (byte) 0xff, 0x12, 0x34, 0x56, 2, 0, 0, 0, 0, 1});
            frame.putShort((short) 0x86dd)
                    .putInt(6 << 28)
                    .putShort((short) 32)
                    .put((byte) 58)
                    .put((byte) 255);
            return frame.put(source).put(group).put(message.array()).array();
        }

        private static short checksum(byte[] bytes) {
            int sum = 0;
            ByteBuffer all = ByteBuffer.wrap(bytes);
            while (all.hasRemaining()) {
                sum += all.getShort() & 0xffff;
            }
            sum = (sum & 0xffff) + (sum >>> 16);
            return (short) ~((sum & 0xffff) + (sum >>> 16));
        }

        @Override
        public void close() {
            socket.close();
            poller.close();
            arena.close();
        }
    }
}
