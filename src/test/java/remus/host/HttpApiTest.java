package remus.host;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.Proxy;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import remus.api.ErrorDocument;
import remus.api.Event;
import remus.api.EventType;
import remus.api.FailoverRequest;
import remus.api.HostStatus;
import remus.api.Json;
import remus.api.ProtectRequest;
import remus.api.StartRequest;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.api.WhenAlone;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;

@Timeout(30)
class HttpApiTest {
    @TempDir
    private Path directory;

    private final FakeHost host = new FakeHost();
    private EventLog events;
    private HttpApi api;

    private record Answer(int status, @Nullable String contentType, String body) {
        <T> T as(Class<T> type) {
            return Json.read(body, type);
        }

        ErrorDocument error() {
            assertEquals("application/json", contentType);
            return as(ErrorDocument.class);
        }
    }

    @BeforeEach
    void serve() throws Exception {
        events = new EventLog(directory, new SettableTime());
        api = HttpApi.start(new HostAddress("127.0.0.1", 0), host, events);
        host.vms.put("shop", FakeHost.vm("shop", VmState.UNPROTECTED));
    }

    @AfterEach
    void close() {
        api.close();
        events.close();
    }

    private HttpURLConnection connect(String method, String path) throws IOException {
        URI uri = URI.create("http://127.0.0.1:%d%s".formatted(api.port(), path));
        HttpURLConnection connection = (HttpURLConnection) uri.toURL().openConnection(Proxy.NO_PROXY);
        connection.setRequestMethod(method);
        connection.setReadTimeout(10_000);
        return connection;
    }

    private Answer ask(String method, String path) throws IOException {
        return answer(connect(method, path));
    }

    private Answer post(String path, String body) throws IOException {
        HttpURLConnection connection = connect("POST", path);
        connection.setDoOutput(true);
        connection.setRequestProperty("Content-Type", "application/json");
        connection.getOutputStream().write(body.getBytes(UTF_8));
        return answer(connection);
    }

    private static Answer answer(HttpURLConnection connection) throws IOException {
        int status = connection.getResponseCode();
        try (InputStream in = status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
            String body = in == null ? "" : new String(in.readAllBytes(), UTF_8);
            return new Answer(status, connection.getContentType(), body);
        }
    }

    @Test
    void statusAnswersWithTheHostsDocument() throws Exception {
        Answer answer = ask("GET", "/api/v1/status");
        assertEquals(200, answer.status());
        assertEquals("application/json", answer.contentType());
        assertEquals(host.status(), answer.as(HostStatus.class));
        assertEquals(answer, ask("GET", "/api/v1/vms"));
        assertEquals(host.status("shop"), ask("GET", "/api/v1/vms/shop").as(VmStatus.class));
    }

    @Test
    void aVmIsStartedFromItsDefinition() throws Exception {
        StartRequest request = new StartRequest("name: shop\nmemory: 256MiB\n", "/srv/vms", null);
        Answer answer = post("/api/v1/vms", Json.write(request));
        assertEquals(201, answer.status());
        assertEquals(request, host.asked.getFirst());
        assertEquals("shop", answer.as(VmStatus.class).name());
    }

    @Test
    void verbsReachTheHost() throws Exception {
        ProtectRequest protect = new ProtectRequest(
                "192.0.2.7:7420", "25ms", null, null, false, 10L, WhenAlone.CONTINUE, null, null, null);
        assertEquals(200, post("/api/v1/vms/shop/protect", Json.write(protect)).status());
        assertEquals(protect, host.asked.getLast());
        assertEquals(
                VmState.UNPROTECTED,
                post("/api/v1/vms/shop/unprotect", "").as(VmStatus.class).state());
        assertEquals(
                "paused by command",
                post("/api/v1/vms/shop/pause", "").as(VmStatus.class).reason());
        assertNull(post("/api/v1/vms/shop/resume", "").as(VmStatus.class).reason());
        assertEquals(
                VmState.FENCED,
                post("/api/v1/vms/shop/switchover", "").as(VmStatus.class).state());
        assertEquals(
                VmState.STOPPED,
                post("/api/v1/vms/shop/stop", "{}").as(VmStatus.class).state());
        host.vms.put("shop", FakeHost.vm("shop", VmState.UNPROTECTED));
        assertEquals(
                VmState.STOPPED,
                ask("DELETE", "/api/v1/vms/shop").as(VmStatus.class).state());
        assertEquals("stop shop", host.asked.getLast());
        post("/api/v1/drain", "").as(HostStatus.class);
        assertEquals("drain", host.asked.getLast());
        ask("DELETE", "/api/v1/drain").as(HostStatus.class);
        assertEquals("undo drain", host.asked.getLast());
    }

    @Test
    void refusalsCarryTheErrorDocumentAndAStatusOfTheirKind() throws Exception {
        Answer unknown = ask("GET", "/api/v1/vms/nobody");
        assertEquals(404, unknown.status());
        assertEquals(new ErrorDocument("there is no VM 'nobody' on host alpha", "see 'remus status'"), unknown.error());
        Answer refused = post("/api/v1/vms", Json.write(new StartRequest("broken", "/", null)));
        assertEquals(422, refused.status());
        Answer conflict = post("/api/v1/vms/shop/failover", Json.write(new FailoverRequest(false)));
        assertEquals(409, conflict.status());
        assertTrue(conflict.error().error().contains("runs here already"), conflict.body());
    }

    @Test
    void anUnforeseenExceptionIsAnsweredAndTheServerGoesOn() throws Exception {
        Answer answer = post("/api/v1/vms/shop/failover", Json.write(new FailoverRequest(true)));
        assertEquals(500, answer.status());
        assertTrue(answer.error().error().contains("unforeseen"), answer.body());
        assertEquals(200, ask("GET", "/api/v1/status").status());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            not JSON            | /api/v1/vms              | {'definition'
            no document         | /api/v1/vms              | ''
            no definition       | /api/v1/vms              | {"baseDirectory":"/"}
            null definition     | /api/v1/vms              | {"definition":null,"baseDirectory":"/"}
            unknown key         | /api/v1/vms              | {"definition":"x","baseDirectory":"/","colour":1}
            repeated key        | /api/v1/vms              | {"definition":"x","definition":"y","baseDirectory":"/"}
            wrong type          | /api/v1/vms/shop/protect | {"verifyEvery":"often"}
            unknown value       | /api/v1/vms/shop/protect | {"whenAlone":"panic"}
            not an object       | /api/v1/vms/shop/protect | 17
            two documents       | /api/v1/vms/shop/protect | {} {}
            null flag           | /api/v1/vms/shop/failover | {"force":null}
            """)
    void malformedRequestsAreRefused(String what, String path, String body) throws Exception {
        Answer answer = post(path, body);
        assertEquals(400, answer.status(), what + ": " + answer);
        assertFalse(answer.error().error().isEmpty());
        assertFalse(answer.error().error().contains("\n"), answer.body());
        assertTrue(host.asked.isEmpty());
    }

    @Test
    void aRequestThatCouldComeFromAForeignWebPageIsRefused() throws Exception {
        HttpURLConnection connection = connect("POST", "/api/v1/vms/shop/stop");
        connection.setDoOutput(true);
        connection.setRequestProperty("Content-Type", "text/plain");
        connection.getOutputStream().write("{}".getBytes(UTF_8));
        Answer answer = answer(connection);
        assertEquals(415, answer.status());
        assertTrue(answer.error().error().contains("application/json"));
        assertTrue(host.asked.isEmpty());
    }

    @Test
    void whatIsNotThereIsSaidSo() throws Exception {
        for (String path : new String[] {"/", "/api/v1/vm", "/api/v1/vms/shop/", "/api/v2/status", "/favicon.ico"}) {
            Answer answer = ask("GET", path);
            assertEquals(404, answer.status(), path);
            assertTrue(answer.error().error().contains(path), answer.body());
        }
        assertEquals(404, post("/api/v1/vms/shop/dance", "{}").status());
        assertEquals(404, ask("DELETE", "/api/v1/status").status());
    }

    @Test
    void anOversizedRequestIsRefused() throws Exception {
        String body = "{\"definition\":\"%s\"}".formatted("x".repeat(HttpApi.MAX_REQUEST_BYTES));
        Answer answer = post("/api/v1/vms", body);
        assertEquals(413, answer.status());
        assertTrue(answer.error().remedy().contains("bytes"), answer.body());
        HttpURLConnection chunked = connect("POST", "/api/v1/vms");
        chunked.setDoOutput(true);
        chunked.setChunkedStreamingMode(1024);
        chunked.setRequestProperty("Content-Type", "application/json");
        chunked.getOutputStream().write(body.getBytes(UTF_8));
        assertEquals(413, answer(chunked).status());
        assertTrue(host.asked.isEmpty());
    }

    @Test
    void garbageOnThePortDoesNotEndTheServer() throws Exception {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), api.port())) {
            socket.setSoTimeout(10_000);
            socket.getOutputStream().write("\u0000\u0001garbage\r\n\r\n".getBytes(UTF_8));
            socket.shutdownOutput();
            socket.getInputStream().readAllBytes();
        }
        assertEquals(200, ask("GET", "/api/v1/status").status());
    }

    private Event publish(EventType type, long epoch) {
        return events.publish("shop", type, null, new Term(1), new EpochId(epoch));
    }

    private static Event next(BufferedReader reader) throws IOException {
        for (String line = reader.readLine(); line != null; line = reader.readLine()) {
            if (line.startsWith("data:")) {
                return Json.read(line.substring("data:".length()).strip(), Event.class);
            }
        }
        throw new IOException("the stream of events ended");
    }

    @Test
    void eventsAreReplayedAndFollowed() throws Exception {
        Event before = publish(EventType.STARTED, 0);
        HttpURLConnection connection = connect("GET", "/api/v1/events");
        try (BufferedReader reader = new BufferedReader(new InputStreamReader(connection.getInputStream(), UTF_8))) {
            assertEquals("text/event-stream", connection.getContentType());
            assertEquals(before, next(reader));
            for (int epoch = 1; epoch < 50; epoch++) {
                Event event = publish(EventType.PROTECTED, epoch);
                assertEquals(event, next(reader));
            }
        }
    }

    @Test
    void recentEventsEndWhereTheyAreNotFollowed() throws Exception {
        Event only = publish(EventType.STARTED, 0);
        Answer answer = ask("GET", "/api/v1/events?follow=false");
        try (BufferedReader reader = new BufferedReader(new java.io.StringReader(answer.body()))) {
            assertEquals(only, next(reader));
            assertThrows(IOException.class, () -> next(reader));
        }
    }

    @Test
    void closingEndsTheStreamsOfEvents() throws Exception {
        HttpURLConnection connection = connect("GET", "/api/v1/events");
        publish(EventType.STARTED, 0);
        try (BufferedReader reader = new BufferedReader(new InputStreamReader(connection.getInputStream(), UTF_8))) {
            assertNotNull(next(reader));
            api.close();
            assertNull(reader.lines()
                    .filter(line -> line.startsWith("data:"))
                    .findAny()
                    .orElse(null));
        }
    }

    @Test
    void aPortInUseIsRefusedClearly() throws Exception {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            HostAddress address = new HostAddress("127.0.0.1", taken.getLocalPort());
            OperationException refusal =
                    assertThrows(OperationException.class, () -> HttpApi.start(address, host, events));
            String message = String.valueOf(refusal.getMessage());
            assertTrue(message.contains("can't listen on " + address) && message.contains("in use"), message);
            assertTrue(message.contains("--api"), message);
        }
    }
}
