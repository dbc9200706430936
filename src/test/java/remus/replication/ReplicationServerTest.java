package remus.replication;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.checkpoint.FrameRing;
import remus.checkpoint.StagedCheckpoint;
import remus.wire.CheckpointBegin;
import remus.wire.CheckpointEnd;
import remus.wire.FrameEncoder;
import remus.wire.FrameType;
import remus.wire.OwnerAnswer;
import remus.wire.OwnerState;
import remus.wire.Payloads;
import remus.wire.WireLimits;

/** The replication port under questions, sessions and everything else that may arrive. */
@Timeout(120)
class ReplicationServerTest {
    private static final long SEED = 42;
    private static final int HOSTILE_CONNECTIONS = 600;
    private static final Duration LIMIT = Duration.ofSeconds(5);

    private final PeerQuery query = new PeerQuery(TestBackup.TIME);
    private TestBackup backup;

    @BeforeEach
    void open() throws Exception {
        backup = new TestBackup();
    }

    @AfterEach
    void close() {
        backup.close();
    }

    @Test
    void questionsAreAnswered() {
        assertEquals(
                new PeerAnswer.Answered(new OwnerAnswer("shop", OwnerState.STANDBY, new Term(7), "asked")),
                query.ask(backup.address(), "shop", LIMIT));
        assertEquals(
                new PeerAnswer.Answered(new OwnerAnswer("shop", OwnerState.FENCED, new Term(9), "fenced")),
                query.fence(backup.address(), "shop", new Term(9), LIMIT));
    }

    @Test
    void aPortThatRefusesIsNotTakenForAHostThatIsSilent() throws Exception {
        HostAddress address = backup.address();
        backup.close();
        assertInstanceOf(PeerAnswer.Refused.class, query.ask(address, "shop", LIMIT));
        try (ServerSocket silent = new ServerSocket(0)) {
            HostAddress mute = new HostAddress("127.0.0.1", silent.getLocalPort());
            assertInstanceOf(PeerAnswer.Unreachable.class, query.ask(mute, "shop", Duration.ofMillis(200)));
        }
        // With its queue full, the system does not even answer the connection request, as a host that is off.
        try (ServerSocket full = new ServerSocket(0, 1)) {
            HostAddress dark = new HostAddress("127.0.0.1", full.getLocalPort());
            try (Socket first = new Socket(InetAddress.getLoopbackAddress(), dark.port());
                    Socket second = new Socket(InetAddress.getLoopbackAddress(), dark.port())) {
                assertInstanceOf(PeerAnswer.Unreachable.class, query.ask(dark, "shop", Duration.ofMillis(200)));
                assertTrue(first.isConnected() && second.isConnected());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1", "::1"})
    void aPrimarysAddressCanBeReadBack(String loopback) throws Exception {
        try (ReplicationServer server = ReplicationServer.open(new HostAddress(loopback, 0), backup, TestBackup.TIME);
                TestPrimary primary = new TestPrimary(server.address())) {
            primary.channel.open();
            primary.await("ready");
            String peer = backup.log.getFirst().substring("session NEW from ".length());
            HostAddress address = HostAddress.parse(peer, 0);
            assertEquals(InetAddress.getByName(loopback), InetAddress.getByName(address.host()), peer);
            assertEquals(peer, address.toString());
        }
    }

    @Test
    void aZoneOfThisHostIsLeftOutOfAnAddress() throws Exception {
        byte[] linkLocal = InetAddress.getByName("fe80::7").getAddress();
        InetAddress zoned = Inet6Address.getByAddress("", linkLocal, 1);
        assertEquals(
                "[fe80:0:0:0:0:0:0:7]:7420",
                Transport.addressOf(new InetSocketAddress(zoned, 7420)).toString());
    }

    @Test
    void theAddressOfAPrimaryThatNamesNoneIsThatOfItsConnection() throws Exception {
        try (TestPrimary primary = new TestPrimary(backup.address())) {
            primary.synchronize();
            TestPrimary.await("its peer", () -> !backup.peers.isEmpty());
            assertEquals(
                    "127.0.0.1", HostAddress.parse(backup.peers.getFirst(), 0).host());
        }
    }

    @Test
    void aPortInUseIsNamed() {
        ReplicationException inUse = assertThrows(
                ReplicationException.class, () -> ReplicationServer.open(backup.address(), backup, TestBackup.TIME));
        assertTrue(String.valueOf(inUse.getMessage()).contains(backup.address().toString()));
    }

    @Test
    void hostileConnectionsHurtNobodyElse() throws Exception {
        try (TestPrimary bystander = new TestPrimary(backup.address())) {
            bystander.synchronize();
            long descriptorsBefore = NativeUse.openDescriptors();
            long residentBefore = 0;
            Random random = new Random(SEED);
            for (int i = 0; i < HOSTILE_CONNECTIONS; i++) {
                if (i == HOSTILE_CONNECTIONS / 3) {
                    residentBefore = NativeUse.residentBytes();
                }
                attack(hostileBytes(random));
            }
            assertInstanceOf(PeerAnswer.Answered.class, query.ask(backup.address(), "shop", LIMIT));
            bystander.channel.send(bystander.checkpoint(2, 10));
            bystander.await("acknowledged 2");
            assertTrue(backup.server().closedCount() > 0);
            long grown = NativeUse.residentBytes() - residentBefore;
            assertTrue(grown < 64 << 20, "resident memory grew by " + grown);
            TestPrimary.await(
                    "descriptors back, before " + descriptorsBefore,
                    () -> NativeUse.openDescriptors() <= descriptorsBefore + 4);
        }
    }

    /** Sends and waits until the server has closed, or for an answer that is not to be expected. */
    private void attack(byte[] bytes) throws IOException {
        try (Socket socket =
                new Socket(InetAddress.getLoopbackAddress(), backup.address().port())) {
            socket.setSoTimeout(8000);
            socket.getOutputStream().write(bytes);
            socket.shutdownOutput();
            socket.getInputStream().readAllBytes();
        } catch (SocketException e) {
            // Closed on us, with our bytes unread: as it should be.
            return;
        }
    }

    private static byte[] hostileBytes(Random random) {
        byte[] hello = frame(FrameType.HELLO, new Term(9), EpochId.NONE, TestPrimary.hello()::encode);
        return switch (random.nextInt(8)) {
            case 0 -> garbage(random);
            case 1 -> Arrays.copyOf(hello, random.nextInt(hello.length));
            case 2 -> flip(hello, random);
            case 3 -> ByteBuffer.wrap(hello).putInt(8, random.nextInt()).array();
            case 4 -> ByteBuffer.wrap(hello).put(4, (byte) random.nextInt()).array();
            // A frame of another term after a good hello.
            case 5 -> join(hello, frame(FrameType.HEARTBEAT, new Term(8), EpochId.NONE, payload -> {}));
            // A good hello, then frames in an order that makes no sense.
            case 6 ->
                join(
                        hello,
                        frame(
                                FrameType.CHECKPOINT_END,
                                new Term(9),
                                new EpochId(random.nextInt(3)),
                                new CheckpointEnd(random.nextInt(3), 0, 0, null)::encode),
                        frame(
                                FrameType.CHECKPOINT_BEGIN,
                                new Term(9),
                                new EpochId(random.nextInt(3)),
                                new CheckpointBegin(random.nextBoolean(), 0)::encode));
            // A question with something behind it, or about nothing.
            default ->
                join(
                        frame(
                                FrameType.OWNER_QUERY,
                                Term.NONE,
                                EpochId.NONE,
                                payload -> Payloads.encodeVm(payload, random.nextBoolean() ? "shop" : "No Such/Name")),
                        new byte[random.nextInt(1000)]);
        };
    }

    private static byte[] garbage(Random random) {
        byte[] garbage = new byte[random.nextInt(100_000)];
        random.nextBytes(garbage);
        return garbage;
    }

    private static byte[] flip(byte[] bytes, Random random) {
        bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
        return bytes;
    }

    private static byte[] frame(
            FrameType type, Term term, EpochId epoch, java.util.function.Consumer<ByteBuffer> payload) {
        ByteBuffer frame = FrameEncoder.begin(ByteBuffer.allocate(128 << 10));
        payload.accept(frame);
        new FrameEncoder(term).finish(type, epoch, frame);
        byte[] bytes = new byte[frame.remaining()];
        frame.get(bytes);
        return bytes;
    }

    private static byte[] join(byte[]... parts) {
        ByteBuffer joined = ByteBuffer.allocate(
                Arrays.stream(parts).mapToInt(part -> part.length).sum());
        for (byte[] part : parts) {
            joined.put(part);
        }
        return joined.array();
    }

    @Test
    void connectionsThatSayNothingAreFewAndClosedInTime() throws Exception {
        List<Socket> idle = new ArrayList<>();
        try {
            for (int i = 0; i < ReplicationServer.MAX_HALF_OPEN + 20; i++) {
                idle.add(new Socket(
                        InetAddress.getLoopbackAddress(), backup.address().port()));
            }
            TestPrimary.await("the surplus closed", () -> backup.server().closedCount() >= 20);
            TestPrimary.await("all closed", () -> backup.server().closedCount() == idle.size());
            assertInstanceOf(PeerAnswer.Answered.class, query.ask(backup.address(), "shop", LIMIT));
        } finally {
            for (Socket socket : idle) {
                socket.close();
            }
        }
    }

    @Test
    void aPeerOfAnotherVersionIsToldSo() throws Exception {
        byte[] hello = frame(FrameType.HELLO, new Term(9), EpochId.NONE, TestPrimary.hello()::encode);
        hello[4] = 2;
        try (Socket socket =
                new Socket(InetAddress.getLoopbackAddress(), backup.address().port())) {
            socket.getOutputStream().write(hello, 0, WireLimits.HEADER_BYTES);
            byte[] answer = socket.getInputStream().readAllBytes();
            assertEquals(FrameType.REFUSAL.code(), answer[5]);
        }
    }

    @Test
    void limitsOfTheProtocolFitThoseOfTheEngine() {
        assertEquals(FrameRing.MAX_FRAME_BYTES, WireLimits.MAX_ETHERNET_FRAME_BYTES);
        assertEquals(StagedCheckpoint.MAX_DEVICE_STATE_BYTES, WireLimits.MAX_DEVICE_STATE_BYTES);
    }
}
