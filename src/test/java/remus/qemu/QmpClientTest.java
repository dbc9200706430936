package remus.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import remus.base.CloseStack;
import remus.base.ErrorCategory;
import remus.linux.LinuxException;
import remus.linux.Poller;
import tools.jackson.databind.JsonNode;

/** The QMP client against a scripted peer on a real UNIX socket. */
class QmpClientTest {
    private static final Duration LIMIT = Duration.ofSeconds(10);
    private static final String GREETING = "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n";
    private static final String DONE = "{\"return\": {}, \"id\": 16}\r\n";

    @TempDir
    Path directory;

    private final CloseStack opened = new CloseStack();
    private final Received received = new Received();
    private ServerSocketChannel server;

    @SuppressWarnings("NullAway.Init")
    private SocketChannel peer;

    @BeforeEach
    void listen() throws Exception {
        server = opened.push(ServerSocketChannel.open(StandardProtocolFamily.UNIX));
        server.bind(UnixDomainSocketAddress.of(directory.resolve("qmp")));
    }

    @AfterEach
    void close() {
        opened.close();
    }

    @Test
    void aCommandsReplyCarriesItsId() throws Exception {
        QmpClient client = connected();
        long first = client.send("stop", Map.of());
        long second = client.send("xen-save-devices-state", Map.of("filename", "/x", "live", false));
        assertEquals("{\"execute\":\"stop\",\"id\":17}", readLine());
        assertTrue(readLine().startsWith("{\"execute\":\"xen-save-devices-state\",\"arguments\":{"));
        say("{\"return\": {}, \"id\": " + first
                + "}\r\n{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": " + second + "}\r\n");
        pollUntil(client, 2);
        assertEquals(List.of("returned 17 {}", "refused 18 GenericError no"), received.all);
    }

    @Test
    void aCommandMayBeSaidAheadButForItsLastByte() throws Exception {
        QmpClient client = connected();
        MemorySegment stop = MemorySegment.ofArray(QmpClient.encodeBegun("stop", Map.of()));
        client.begin(stop);
        assertEquals("{\"execute\":\"stop\"", readChars(17));
        client.finish(1);
        assertEquals("}", readChars(1));
        client.begin(stop);
        client.finish(2);
        long named = client.send("query-status", Map.of());
        say(
                "{\"return\": {}}\r\n{\"event\": \"STOP\"}\r\n{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\r\n"
                        + "{\"return\": 5, \"id\": " + named + "}\r\n");
        pollUntil(client, 4);
        assertEquals(
                List.of("returned 1 {}", "event STOP ", "refused 2 GenericError no", "returned 17 5"), received.all);
        say("{\"return\": {}}\r\n");
        assertThrows(QmpException.class, () -> pollUntil(client, 5), "nobody has asked for that");
    }

    @Test
    void aCommandThatWasBegunIsTakenBackByAnother() throws Exception {
        QmpClient client = connected();
        client.begin(MemorySegment.ofArray(QmpClient.encodeBegun("cont", Map.of())));
        client.begin(MemorySegment.ofArray(QmpClient.encodeBegun("stop", Map.of())));
        long quit = client.send("quit", Map.of());
        assertEquals(
                "{\"execute\":\"cont\",\"arguments\":{\"none\":0}}"
                        + "{\"execute\":\"stop\",\"arguments\":{\"none\":0}}"
                        + "{\"execute\":\"quit\",\"id\":" + quit + "}",
                readLine());
        String refusal = "{\"error\": {\"class\": \"GenericError\", \"desc\": \"Parameter 'none' is unexpected\"}}\r\n";
        say(refusal + refusal + "{\"return\": {}, \"id\": " + quit + "}\r\n");
        pollUntil(client, 1);
        assertEquals(List.of("returned " + quit + " {}"), received.all);
    }

    @Test
    void whatComesWithEachCheckpointMeansTheSameHoweverItIsWritten() throws Exception {
        QmpClient client = connected();
        String time = "{\"timestamp\": {\"seconds\": 1795470000, \"microseconds\": 123456}, ";
        MemorySegment stop = MemorySegment.ofArray(QmpClient.encodeBegun("stop", Map.of()));
        for (int id = 1; id <= 3; id++) {
            client.begin(stop);
            client.finish(id);
        }
        say(time + "\"event\": \"STOP\"}\r\n{\"return\": {}}\r\n{\"return\":{}}\r\n" + time
                + "\"event\": \"RESUME\"}\r\n" + time + "\"data\": {\"a\": 1}, \"event\": \"STOP\"}\r\n"
                + "{\"return\": {}, \"x\": 1}\r\n");
        pollUntil(client, 6);
        assertEquals(
                List.of(
                        "event STOP ",
                        "returned 1 {}",
                        "returned 2 {}",
                        "event RESUME ",
                        "event STOP {\"a\":1}",
                        "returned 3 {}"),
                received.all);
    }

    @Test
    void linesMayComeInAnyPieces() throws Exception {
        QmpClient client = connected();
        String all = String.join(
                "\r\n",
                "{\"event\": \"STOP\", \"timestamp\": {\"seconds\": 1, \"microseconds\": 2}}",
                "{\"event\": \"RESET\", \"data\": {\"guest\": true}}",
                "",
                "{\"return\": {\"a\": \"ü\"}, \"id\": 3}",
                "");
        byte[] bytes = all.getBytes(StandardCharsets.UTF_8);
        for (byte single : bytes) {
            assertEquals(1, peer.write(ByteBuffer.wrap(new byte[] {single})));
            client.poll(received);
        }
        pollUntil(client, 3);
        assertEquals(List.of("event STOP ", "event RESET {\"guest\":true}", "returned 3 {\"a\":\"ü\"}"), received.all);
    }

    @Test
    void whatComesDuringExecuteIsHandedOverByTheNextPoll() throws Exception {
        QmpClient client = connected();
        say(
                "{\"event\": \"STOP\"}\r\n{\"return\": {\"status\": \"paused\"}, \"id\": 17}\r\n{\"event\": \"RESUME\"}\r\n");
        assertEquals(
                "paused",
                client.execute("query-status", Map.of(), LIMIT).path("status").asString());
        pollUntil(client, 2);
        assertEquals(List.of("event STOP ", "event RESUME "), received.all);
    }

    @Test
    void anEventIsWaitedForAsManyTimesAsAskedAndWhatElseComesIsKept() throws Exception {
        QmpClient client = connected();
        String nic = "{\"event\": \"NETDEV_STREAM_CONNECTED\"}\r\n";
        say(nic + "{\"event\": \"STOP\"}\r\n" + nic);
        client.awaitEvents("NETDEV_STREAM_CONNECTED", 2, LIMIT);
        QmpException third = assertThrows(
                QmpException.class, () -> client.awaitEvents("NETDEV_STREAM_CONNECTED", 1, Duration.ofMillis(20)));
        assertEquals("QEMU did not send the event NETDEV_STREAM_CONNECTED within 20ms", third.getMessage());
        pollUntil(client, 1);
        assertEquals(List.of("event STOP "), received.all);
    }

    @Test
    void aRefusedCommandLeavesTheConnectionUsable() throws Exception {
        QmpClient client = connected();
        say("{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"what?\"}, \"id\": 17}\r\n");
        QmpException refused = assertThrows(QmpException.class, () -> client.execute("nonsense", Map.of(), LIMIT));
        assertEquals(ErrorCategory.RETRY, refused.category());
        assertEquals("QEMU refused the command nonsense: what? (CommandNotFound)", refused.getMessage());
        say("{\"return\": {}, \"id\": 18}\r\n");
        assertTrue(client.execute("stop", Map.of(), LIMIT).isObject());
    }

    @Test
    void silenceEndsTheWaitAtItsLimit() throws Exception {
        QmpClient client = connected();
        QmpException silent =
                assertThrows(QmpException.class, () -> client.execute("stop", Map.of(), Duration.ofMillis(20)));
        assertEquals("QEMU did not send the reply to stop within 20ms", silent.getMessage());
        assertEquals(ErrorCategory.FATAL, silent.category());
    }

    @Test
    void messagesBeforeTheEndOfTheStreamAreHandedOver() throws Exception {
        QmpClient client = connected();
        say("{\"event\": \"SHUTDOWN\"}\r\n");
        peer.close();
        QmpException end = assertThrows(QmpException.class, () -> pollUntil(client, 2));
        assertEquals("QEMU closed its QMP connection", end.getMessage());
        assertEquals(List.of("event SHUTDOWN "), received.all);
        assertThrows(QmpException.class, () -> client.poll(received));
    }

    @Test
    void garbageIsRefused() throws Exception {
        for (String garbage : List.of(
                "HTTP/1.1 200 OK\r\n",
                "[1, 2]\r\n",
                "{\"return\": {}\r\n",
                "{} {}\r\n",
                "{}\r\n",
                "{\"id\": 16}\r\n",
                "{\"return\": {}}\r\n",
                "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error\"}}\r\n",
                "\u0000\u0001\r\n",
                "[".repeat(100_000) + "\r\n")) {
            QmpClient client = connected();
            CompletableFuture<Void> writing = CompletableFuture.runAsync(() -> say(garbage));
            QmpException refused = assertThrows(QmpException.class, () -> pollUntil(client, 1), garbage);
            assertEquals(ErrorCategory.FATAL, refused.category());
            assertTrue(String.valueOf(refused.getMessage()).length() < 300, refused.getMessage());
            writing.join();
        }
        assertEquals(List.of(), received.all);
    }

    @Test
    void anEndlessLineIsRefusedAtTheLimit() throws Exception {
        QmpClient client = connected();
        CompletableFuture<Void> writing = CompletableFuture.runAsync(() -> {
            try {
                ByteBuffer piece = ByteBuffer.wrap("x".repeat(65536).getBytes(StandardCharsets.UTF_8));
                while (true) {
                    peer.write(piece.rewind());
                }
            } catch (java.io.IOException e) {
                // The client has hung up, as it should.
            }
        });
        QmpException refused = assertThrows(QmpException.class, () -> pollUntil(client, 1));
        assertTrue(String.valueOf(refused.getMessage()).contains("more than " + QmpInput.MAX_LINE_BYTES));
        client.close();
        writing.join();
    }

    @Test
    void commandsThatNobodyReadsAreRefusedAtTheLimit() throws Exception {
        QmpClient client = connected();
        QmpException refused = assertThrows(QmpException.class, () -> {
            for (int i = 0; i < 1_000_000; i++) {
                client.send("stop", Map.of());
            }
        });
        assertTrue(client.hasUnsent());
        assertTrue(String.valueOf(refused.getMessage()).contains("does not read its QMP connection"));
    }

    @Test
    void whatDidNotFitIntoTheSocketIsSentLaterInOrder() throws Exception {
        QmpClient client = connected();
        int sent = 0;
        while (!client.hasUnsent()) {
            client.send("stop", Map.of());
            sent++;
        }
        for (int i = 0; i < sent; i++) {
            assertEquals("{\"execute\":\"stop\",\"id\":" + (QmpClient.FIRST_FREE_ID + 1 + i) + "}", readLine());
            client.poll(received);
        }
        assertFalse(client.hasUnsent());
    }

    @Test
    void aPeerThatIsNotQmpIsRefused() throws Exception {
        CompletableFuture<QmpClient> connecting = connecting(LIMIT);
        peer = opened.push(server.accept());
        say("{\"hello\": 1}\r\n");
        Exception refused = assertThrows(Exception.class, connecting::join);
        assertInstanceOf(QmpException.class, refused.getCause());
    }

    @Test
    void nobodyListeningIsALinuxError() {
        assertThrows(LinuxException.class, () -> QmpClient.connect(directory.resolve("none"), LIMIT));
    }

    private QmpClient connected() throws Exception {
        CompletableFuture<QmpClient> connecting = connecting(LIMIT);
        peer = opened.push(server.accept());
        say(GREETING);
        assertEquals("{\"execute\":\"qmp_capabilities\",\"id\":16}", readLine());
        say(DONE);
        return opened.push(connecting.get());
    }

    private CompletableFuture<QmpClient> connecting(Duration limit) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                return QmpClient.connect(directory.resolve("qmp"), limit);
            } catch (LinuxException | QmpException e) {
                throw new java.util.concurrent.CompletionException(e);
            }
        });
    }

    private void say(String text) {
        try {
            ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                peer.write(bytes);
            }
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private String readChars(int count) throws Exception {
        ByteBuffer bytes = ByteBuffer.allocate(count);
        while (bytes.hasRemaining() && peer.read(bytes) >= 0) {
            // until all of them are there
        }
        return new String(bytes.array(), 0, bytes.position(), StandardCharsets.UTF_8);
    }

    private String readLine() throws Exception {
        StringBuilder line = new StringBuilder();
        ByteBuffer one = ByteBuffer.allocate(1);
        while (peer.read(one.clear()) == 1 && one.get(0) != '\n') {
            line.append((char) one.get(0));
        }
        return line.toString();
    }

    private void pollUntil(QmpClient client, int count) throws Exception {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        try (Poller poller = new Poller(1)) {
            client.poll(received);
            while (received.all.size() < count) {
                assertTrue(System.nanoTime() < deadline, "only " + received.all);
                poller.enable(0, client.descriptor(), true, false);
                poller.await(LIMIT.toNanos());
                client.poll(received);
            }
        }
    }

    private static final class Received implements QmpClient.Handler {
        final List<String> all = new ArrayList<>();

        @Override
        public void returned(long id, JsonNode value) {
            all.add("returned " + id + " " + value);
        }

        @Override
        public void refused(long id, String errorClass, String description) {
            all.add("refused " + id + " " + errorClass + " " + description);
        }

        @Override
        public void event(String name, JsonNode data) {
            all.add("event " + name + " " + data);
        }
    }
}
