package remus.host;

import io.helidon.common.media.type.MediaTypes;
import io.helidon.http.DirectHandler;
import io.helidon.http.HeaderNames;
import io.helidon.http.HeaderValues;
import io.helidon.http.HttpException;
import io.helidon.http.Status;
import io.helidon.http.sse.SseEvent;
import io.helidon.webserver.WebServer;
import io.helidon.webserver.http.DirectHandlers;
import io.helidon.webserver.http.HttpRouting;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.helidon.webserver.sse.SseSink;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.ServerSocketChannel;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.ErrorDocument;
import remus.api.Event;
import remus.api.FailoverRequest;
import remus.api.Json;
import remus.api.MigrateRequest;
import remus.api.ProtectRequest;
import remus.api.StartRequest;
import remus.base.HostAddress;
import remus.host.OperationException.Kind;
import tools.jackson.core.JacksonException;

/**
 * The HTTP server of a host: turns requests into calls of {@link HostOperations} and answers with the documents of
 * {@code docs/openapi.yaml}, errors included.
 *
 * <p>Invariants: what is not a success carries an {@link ErrorDocument}; a request that changes something must say
 * {@code Content-Type: application/json}, which a foreign web page can't send without asking. Each request has a
 * (virtual) thread of the server's own. Limits: {@link #MAX_REQUEST_BYTES} per request, {@link #MAX_CONNECTIONS}.
 * Errors of an operation are answered, unexpected ones also logged; neither ends the server.
 */
public final class HttpApi implements AutoCloseable {
    /** Largest body of a request; the longest one carries a VM definition, in which JSON may escape a lot. */
    static final int MAX_REQUEST_BYTES = 4 * StartRequest.MAX_DEFINITION_CHARS;

    /** Clients at the same time, event subscribers included. */
    static final int MAX_CONNECTIONS = 256;

    /** How often a silent stream of events says that it is alive, so that both sides notice a dead connection. */
    private static final Duration EVENTS_ALIVE = Duration.ofSeconds(5);

    private static final Duration POLL = Duration.ofMillis(250);
    private static final Logger LOG = LoggerFactory.getLogger(HttpApi.class);

    private final HostOperations operations;
    private final EventLog events;
    private final WebServer server;
    private volatile boolean closing;

    private HttpApi(HostAddress address, HostOperations operations, EventLog events) {
        this.operations = operations;
        this.events = events;
        this.server = WebServer.builder()
                .host(address.host())
                .port(address.port())
                .maxPayloadSize(MAX_REQUEST_BYTES)
                .maxTcpConnections(MAX_CONNECTIONS)
                .shutdownGracePeriod(Duration.ofSeconds(1))
                .shutdownHook(false)
                .directHandlers(errorsBeforeRouting())
                .routing(this::route)
                .build();
    }

    /**
     * Starts to serve.
     *
     * @throws OperationException when the address can't be had
     */
    public static HttpApi start(HostAddress address, HostOperations operations, EventLog events)
            throws OperationException {
        requireFree(address);
        HttpApi api = new HttpApi(address, operations, events);
        api.server.start();
        if (!api.server.isRunning()) {
            throw cannotListen(address, "the daemon's log says why", null);
        }
        return api;
    }

    /** Helidon only logs that it can't bind, and says nothing of the reason. */
    private static void requireFree(HostAddress address) throws OperationException {
        InetSocketAddress socketAddress = new InetSocketAddress(address.host(), address.port());
        if (socketAddress.isUnresolved()) {
            throw cannotListen(address, "that name has no address", null);
        }
        try (ServerSocketChannel probe = ServerSocketChannel.open()) {
            probe.setOption(StandardSocketOptions.SO_REUSEADDR, true);
            probe.bind(socketAddress);
        } catch (IOException e) {
            throw cannotListen(address, String.valueOf(e.getMessage()), e);
        }
    }

    private static OperationException cannotListen(HostAddress address, String reason, @Nullable IOException cause) {
        return new OperationException(
                Kind.FAILED,
                "api: can't listen on %s: %s".formatted(address, reason),
                "end what uses that port, or choose another with --api ADDR:PORT",
                cause);
    }

    /** The port it listens on: the one asked for, or the free one found when that was 0. */
    public int port() {
        return server.port();
    }

    @Override
    public void close() {
        closing = true;
        server.stop();
    }

    private void route(HttpRouting.Builder routing) {
        routing.get("/api/v1/status", (request, response) -> answer(response, Status.OK_200, operations.status()))
                .get("/api/v1/vms", (request, response) -> answer(response, Status.OK_200, operations.status()))
                .post("/api/v1/vms", this::start)
                .get(
                        "/api/v1/vms/{name}",
                        (request, response) -> answer(response, Status.OK_200, operations.status(name(request))))
                .delete(
                        "/api/v1/vms/{name}",
                        (request, response) -> answer(response, Status.OK_200, operations.stop(name(request))))
                .get(
                        "/api/v1/vms/{name}/migration",
                        (request, response) -> answer(response, Status.OK_200, operations.migration(name(request))))
                .delete(
                        "/api/v1/vms/{name}/migration",
                        (request, response) ->
                                answer(response, Status.OK_200, operations.cancelMigration(name(request))))
                .post("/api/v1/vms/{name}/{verb}", this::verb)
                .post("/api/v1/drain", (request, response) -> {
                    requireJson(request);
                    answer(response, Status.OK_200, operations.drain());
                })
                .delete("/api/v1/drain", (request, response) -> answer(response, Status.OK_200, operations.undoDrain()))
                .get("/api/v1/events", this::events)
                .any((request, response) -> unknownPath(request, response))
                .error(OperationException.class, (request, response, e) -> refuse(response, e))
                .error(
                        HttpException.class,
                        (request, response, e) -> error(response, e.status(), new ErrorDocument(messageOf(e), "")))
                .error(Exception.class, HttpApi::unexpected);
    }

    private void start(ServerRequest request, ServerResponse response) throws OperationException {
        answer(response, Status.CREATED_201, operations.start(body(request, StartRequest.class)));
    }

    private void verb(ServerRequest request, ServerResponse response) throws OperationException {
        String vm = name(request);
        String verb = request.path().pathParameters().get("verb");
        Object result = switch (verb) {
            case "protect" -> operations.protect(vm, body(request, ProtectRequest.class));
            case "migrate" -> operations.migrate(vm, body(request, MigrateRequest.class));
            case "failover" -> operations.failover(vm, body(request, FailoverRequest.class));
            case "unprotect" -> {
                requireJson(request);
                boolean force = request.query().first("force").orElse("false").equals("true");
                yield operations.unprotect(vm, force);
            }
            case "pause" -> {
                requireJson(request);
                yield operations.pause(vm);
            }
            case "resume" -> {
                requireJson(request);
                yield operations.resume(vm);
            }
            case "switchover" -> {
                requireJson(request);
                yield operations.switchover(vm);
            }
            case "stop" -> {
                requireJson(request);
                yield operations.stop(vm);
            }
            default ->
                throw new OperationException(
                        Kind.NOT_FOUND,
                        "'%s' is not something a VM can be asked".formatted(verb),
                        "the verbs are protect, unprotect, pause, resume, switchover, migrate, stop and failover");
        };
        answer(response, Status.OK_200, result);
    }

    /** Recent events, then new ones as they happen; {@code ?follow=false} ends after the recent ones. */
    private void events(ServerRequest request, ServerResponse response)
            throws OperationException, InterruptedException {
        boolean follow = !request.query().first("follow").orElse("true").equals("false");
        try (EventLog.Subscription subscription = events.subscribe();
                SseSink sink = response.sink(SseSink.TYPE)) {
            stream(subscription, sink, follow);
        } catch (UncheckedIOException e) {
            LOG.debug("a subscriber of events went away: {}", e.toString());
        }
    }

    private void stream(EventLog.Subscription subscription, SseSink sink, boolean follow) throws InterruptedException {
        Duration silent = Duration.ZERO;
        while (!closing && !subscription.isEnded()) {
            @Nullable Event event = subscription.next(follow ? POLL : Duration.ZERO);
            if (event != null) {
                sink.emit(
                        SseEvent.builder().name("event").data(Json.write(event)).build());
                silent = Duration.ZERO;
            } else if (subscription.isLost()) {
                sink.emit(SseEvent.builder()
                        .name("lost")
                        .data("this subscriber was too slow: events are missing from here on; subscribe again")
                        .build());
                return;
            } else if (!follow) {
                return;
            } else {
                silent = silent.plus(POLL);
                if (silent.compareTo(EVENTS_ALIVE) >= 0) {
                    sink.emit(SseEvent.builder().comment("alive").build());
                    silent = Duration.ZERO;
                }
            }
        }
    }

    private static String name(ServerRequest request) {
        return request.path().pathParameters().get("name");
    }

    private static <T> T body(ServerRequest request, Class<T> type) {
        requireJson(request);
        String text = request.content().hasEntity() ? request.content().as(String.class) : "{}";
        try {
            return Json.readStrictly(text, type);
        } catch (JacksonException e) {
            throw new HttpException(
                    "the request is not a valid document: " + e.getOriginalMessage(), Status.BAD_REQUEST_400, e);
        }
    }

    private static void requireJson(ServerRequest request) {
        boolean json = request.headers()
                .contentType()
                .filter(type -> type.mediaType().text().equals(MediaTypes.APPLICATION_JSON.text()))
                .isPresent();
        if (!json) {
            throw new HttpException(
                    "requests that change something need 'Content-Type: application/json'",
                    Status.UNSUPPORTED_MEDIA_TYPE_415);
        }
    }

    private static void answer(ServerResponse response, Status status, Object document) {
        response.status(status)
                .header(HeaderValues.CONTENT_TYPE_JSON)
                .header(HeaderNames.CACHE_CONTROL, "no-store")
                .send(Json.write(document));
    }

    private static void error(ServerResponse response, Status status, ErrorDocument document) {
        answer(response, status, document);
    }

    private static void refuse(ServerResponse response, OperationException e) {
        if (e.kind() == Kind.FAILED) {
            LOG.warn("an operation failed: {}", e.getMessage());
            LOG.debug("it failed here", e);
        }
        error(response, Status.create(e.kind().httpStatus()), e.document());
    }

    private static void unexpected(ServerRequest request, ServerResponse response, Exception e) {
        LOG.error(
                "{} {} failed unexpectedly",
                request.prologue().method(),
                request.path().path(),
                e);
        error(
                response,
                Status.INTERNAL_SERVER_ERROR_500,
                new ErrorDocument(
                        "the host failed on this request: " + messageOf(e), "see the daemon's log for the details"));
    }

    private static void unknownPath(ServerRequest request, ServerResponse response) {
        error(
                response,
                Status.NOT_FOUND_404,
                new ErrorDocument(
                        "there is nothing at %s %s"
                                .formatted(
                                        request.prologue().method(),
                                        request.path().path()),
                        "docs/openapi.yaml lists what there is"));
    }

    /** What the server answers by itself, before any route: malformed HTTP, bodies over the limit. */
    private static DirectHandlers errorsBeforeRouting() {
        DirectHandlers.Builder handlers = DirectHandlers.builder();
        for (DirectHandler.EventType type : DirectHandler.EventType.values()) {
            handlers.addHandler(type, (request, eventType, status, headers, message) -> {
                headers.set(HeaderValues.CONTENT_TYPE_JSON);
                headers.set(HeaderNames.CACHE_CONTROL, "no-store");
                // Helidon passes null for some errors, whatever its documentation says.
                String problem = message == null || message.isEmpty() ? status.reasonPhrase() : message;
                return DirectHandler.TransportResponse.builder()
                        .status(status)
                        .headers(headers)
                        .entity(Json.write(new ErrorDocument(problem, remedyFor(status))))
                        .build();
            });
        }
        return handlers.build();
    }

    private static String remedyFor(Status status) {
        return status.code() == Status.REQUEST_ENTITY_TOO_LARGE_413.code()
                ? "a request may have %d bytes".formatted(MAX_REQUEST_BYTES)
                : "";
    }

    private static String messageOf(Exception e) {
        @Nullable String message = e.getMessage();
        return message == null ? e.getClass().getSimpleName() : message;
    }
}
