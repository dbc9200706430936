package remus.replication;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
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
import remus.wire.FrameHeader;
import remus.wire.FrameType;
import remus.wire.OwnerAnswer;
import remus.wire.OwnerState;
import remus.wire.WireLimits;

/** The replication port under questions, sessions and everything else that may arrive. */
@Timeout(120)
class ReplicationServerTest {
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
                new PeerAnswer.Answered(new OwnerAnswer("shop", "beta", OwnerState.STANDBY, new Term(7), "asked")),
                query.ask(backup.address(), "shop", LIMIT));
        assertEquals(
                new PeerAnswer.Answered(new OwnerAnswer("shop", "beta", OwnerState.FENCED, new Term(9), "fenced")),
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
        byte[] hello = HostileInputs.frame(FrameType.HELLO, new Term(9), EpochId.NONE, TestPrimary.hello()::encode);
        hello[4] = FrameHeader.VERSION + 1;
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
