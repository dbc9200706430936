package remus.replication;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.base.Time;
import remus.wire.FrameHeader;
import remus.wire.FrameType;
import remus.wire.Refusal;
import remus.wire.WireLimits;

/** Hosts that ask what another one is, and measure the way to it; and what a host bears of that. */
@Timeout(60)
class PeerProbeTest {
    private static final Duration LIMIT = Duration.ofSeconds(5);

    private final PeerProbe probe = new PeerProbe(TestBackup.TIME);
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
    void aHostTellsOfItselfAndHowItsClockDiffers() throws Exception {
        long hour = TimeUnit.HOURS.toMillis(1);
        backup.clockMillis = System.currentTimeMillis() - hour;
        HostReport report = probe.ask(backup.address(), LIMIT);
        assertEquals(backup.host(), report.answer());
        assertTrue(Math.abs(report.clockAheadMillis() + hour) < TimeUnit.MINUTES.toMillis(1), report.toString());
        assertTrue(report.uncertaintyMillis() >= 1, report.toString());
    }

    @Test
    void theWayThereIsMeasuredWithinWhatTheOtherHostAllows() throws Exception {
        LinkFigures figures = probe.measure(backup.address());
        assertTrue(figures.roundTripMicrosP50() > 0, figures.toString());
        assertTrue(figures.roundTripMicrosP50() <= figures.roundTripMicrosP99(), figures.toString());
        assertTrue(figures.roundTripMicrosP99() <= figures.roundTripMicrosMax(), figures.toString());
        assertTrue(figures.roundTrips() >= 1 && figures.roundTrips() <= PeerProbe.MAX_ECHOES, figures.toString());
        assertTrue(figures.bytesPerSecond() > 0, figures.toString());
        assertTrue(figures.sentBytes() <= MeasurementLimits.MAX_DISCARDED_BYTES, figures.toString());
        assertEquals(0, backup.server().closedCount(), "the end of a measurement is nothing to complain about");
    }

    @Test
    void whoIsNotThereOrNoHostIsToldApart() throws Exception {
        HostAddress gone = backup.address();
        backup.close();
        assertKind(PeerException.Kind.NOBODY_LISTENS, gone);
        try (ServerSocket silent = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            HostAddress mute = new HostAddress("127.0.0.1", silent.getLocalPort());
            PeerException late = assertThrows(PeerException.class, () -> probe.ask(mute, Duration.ofMillis(200)));
            assertEquals(PeerException.Kind.UNREACHABLE, late.kind());
        }
        assertAnswerMeans(
                PeerException.Kind.FOREIGN,
                "SSH-2.0-OpenSSH_9.2 and so on, for longer than a header\r\n"
                        .getBytes(java.nio.charset.StandardCharsets.US_ASCII));
    }

    @Test
    void aHostOfAnotherReleaseIsNamedAsSuch() throws Exception {
        byte[] older = refusal(Refusal.Code.INCOMPATIBLE, "unknown frame type 29");
        older[4] = FrameHeader.VERSION - 1;
        String message = assertAnswerMeans(PeerException.Kind.FOREIGN, older);
        assertTrue(message.contains("speaks protocol version " + (FrameHeader.VERSION - 1)), message);
        assertAnswerMeans(PeerException.Kind.FOREIGN, refusal(Refusal.Code.INCOMPATIBLE, "unknown frame type 29"));
        assertAnswerMeans(PeerException.Kind.REFUSED, refusal(Refusal.Code.NO_ROOM, "later"));
    }

    private static byte[] refusal(Refusal.Code code, String reason) {
        return HostileInputs.frame(FrameType.REFUSAL, Term.NONE, EpochId.NONE, new Refusal(code, reason)::encode);
    }

    private void assertKind(PeerException.Kind kind, HostAddress peer) {
        assertEquals(
                kind,
                assertThrows(PeerException.class, () -> probe.ask(peer, LIMIT)).kind());
        assertEquals(
                kind,
                assertThrows(PeerException.class, () -> probe.measure(peer)).kind());
    }

    private String assertAnswerMeans(PeerException.Kind kind, byte[] answer) throws Exception {
        try (ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            CompletableFuture<Void> served = CompletableFuture.runAsync(() -> answerOnce(server, answer));
            HostAddress peer = new HostAddress("127.0.0.1", server.getLocalPort());
            PeerException failed = assertThrows(PeerException.class, () -> probe.ask(peer, LIMIT));
            served.get(10, TimeUnit.SECONDS);
            assertEquals(kind, failed.kind(), failed.getMessage());
            return String.valueOf(failed.getMessage());
        }
    }

    private static void answerOnce(ServerSocket server, byte[] answer) {
        try (Socket socket = server.accept()) {
            assertEquals(WireLimits.HEADER_BYTES, socket.getInputStream().readNBytes(WireLimits.HEADER_BYTES).length);
            socket.getOutputStream().write(answer);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    // ---- what a host bears

    private static byte[] echo() {
        return HostileInputs.frame(
                FrameType.ECHO,
                Term.NONE,
                EpochId.NONE,
                payload -> payload.put("once".getBytes(java.nio.charset.StandardCharsets.US_ASCII)));
    }

    private static Socket connect(HostAddress address) throws IOException {
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), address.port());
        socket.setSoTimeout(20_000);
        return socket;
    }

    /** Reads one frame; returns its type, or null when the connection was closed instead. */
    private static byte[] next(Socket socket) throws IOException {
        try {
            byte[] header = socket.getInputStream().readNBytes(WireLimits.HEADER_BYTES);
            if (header.length < WireLimits.HEADER_BYTES) {
                return new byte[0];
            }
            int payloadBytes = java.nio.ByteBuffer.wrap(header).getInt(8);
            byte[] frame = java.util.Arrays.copyOf(header, header.length + payloadBytes);
            new DataInputStream(socket.getInputStream()).readFully(frame, header.length, payloadBytes);
            return frame;
        } catch (SocketException e) {
            return new byte[0]; // closed with bytes of ours unread
        }
    }

    private static void assertEchoed(Socket socket) throws IOException {
        socket.getOutputStream().write(echo());
        byte[] frame = next(socket);
        assertEquals(FrameType.ECHOED.code(), frame[5]);
        assertEquals("once", new String(frame, WireLimits.HEADER_BYTES, 4, java.nio.charset.StandardCharsets.US_ASCII));
    }

    @Test
    void moreMeasurementsThanAllowedAtATimeAreRefusedAndGetTheirTurnLater() throws Exception {
        try (Socket first = connect(backup.address())) {
            assertEchoed(first);
            try (Socket second = connect(backup.address())) {
                assertEchoed(second);
                PeerException refused = assertThrows(PeerException.class, () -> probe.measure(backup.address()));
                assertEquals(PeerException.Kind.REFUSED, refused.kind());
                assertTrue(String.valueOf(refused.getMessage()).contains("2 measurements are under way"));
                assertEquals(backup.host(), probe.ask(backup.address(), LIMIT).answer());
            }
            TestPrimary.await("a place is free again", this::isServed);
        }
    }

    private boolean isServed() {
        try (Socket socket = connect(backup.address())) {
            socket.getOutputStream().write(echo());
            return next(socket)[5] == FrameType.ECHOED.code();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @Test
    void aMeasurementOfTooManyEchoesIsCutOff() throws Exception {
        try (Socket socket = connect(backup.address())) {
            for (int i = 0; i < MeasurementLimits.MAX_ECHOES; i++) {
                assertEchoed(socket);
            }
            socket.getOutputStream().write(echo());
            assertEquals(0, next(socket).length);
        }
    }

    @Test
    void aMeasurementOfTooManyBytesIsCutOff() throws Exception {
        byte[] discard = HostileInputs.frame(
                FrameType.DISCARD, Term.NONE, EpochId.NONE, payload -> payload.put(new byte[64 << 10]));
        long frames = MeasurementLimits.MAX_DISCARDED_BYTES / (64 << 10);
        try (Socket socket = connect(backup.address())) {
            OutputStream out = socket.getOutputStream();
            assertEchoed(socket);
            for (long i = 0; i < frames; i++) {
                out.write(discard);
            }
            assertEchoed(socket);
            out.write(discard);
            assertEquals(0, next(socket).length);
        }
    }

    @Test
    void bulkBeforeAnyEchoIsCutOffUnread() throws Exception {
        byte[] discard = HostileInputs.frame(
                FrameType.DISCARD, Term.NONE, EpochId.NONE, payload -> payload.put(new byte[64 << 10]));
        try (Socket socket = connect(backup.address())) {
            socket.getOutputStream().write(discard, 0, 64);
            assertEquals(0, next(socket).length);
        }
    }

    @Test
    void aMeasurementOfTooLongIsCutOff() throws Exception {
        AtomicLong passed = new AtomicLong();
        Time time = new Time() {
            @Override
            public long nanos() {
                return passed.get();
            }

            @Override
            public long wallMillis() {
                return 0;
            }
        };
        try (ReplicationServer server = ReplicationServer.open(new HostAddress("127.0.0.1", 0), backup, time);
                Socket socket = connect(server.address())) {
            assertEchoed(socket);
            passed.addAndGet(MeasurementLimits.MAX_NANOS - 1);
            assertEchoed(socket);
            passed.addAndGet(1);
            socket.getOutputStream().write(echo());
            assertEquals(0, next(socket).length);
        }
    }

    @Test
    void whatMayBeMeasuredInAMinuteIsBounded() {
        AtomicLong passed = new AtomicLong();
        MeasurementBudget budget = new MeasurementBudget(new Time() {
            @Override
            public long nanos() {
                return passed.get();
            }

            @Override
            public long wallMillis() {
                return 0;
            }
        });
        long most = MeasurementLimits.BUDGET_BYTES / MeasurementLimits.MAX_DISCARDED_BYTES;
        for (long i = 0; i < most; i++) {
            assertTrue(budget.reserve());
        }
        assertFalse(budget.reserve());
        budget.giveBack(MeasurementLimits.MAX_DISCARDED_BYTES - 1);
        assertFalse(budget.reserve());
        budget.giveBack(1);
        assertTrue(budget.reserve());
        passed.addAndGet(MeasurementLimits.BUDGET_NANOS);
        assertTrue(budget.reserve());
    }
}
