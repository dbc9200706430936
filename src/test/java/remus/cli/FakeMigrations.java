package remus.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.api.ErrorDocument;
import remus.api.Json;
import remus.api.MigrateRequest;
import remus.api.MigrationMode;
import remus.api.MigrationRound;
import remus.api.MigrationSettling;
import remus.api.MigrationStage;
import remus.api.MigrationStatus;

/** A host daemon's API that knows only of the migration of VM shop: it tells what it was given, one status an answer. */
final class FakeMigrations implements AutoCloseable {
    private final HttpServer server;
    private final Deque<MigrationStatus> answers = new ArrayDeque<>();
    private final List<String> asked = new ArrayList<>();
    private @Nullable MigrateRequest request;

    FakeMigrations() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 5);
        server.createContext("/", this::answer);
        server.start();
    }

    /** What is answered one after the other; the last one again and again. */
    FakeMigrations tells(MigrationStatus... statuses) {
        synchronized (this) {
            answers.clear();
            answers.addAll(List.of(statuses));
        }
        return this;
    }

    String address() {
        return "127.0.0.1:" + server.getAddress().getPort();
    }

    synchronized List<String> asked() {
        return List.copyOf(asked);
    }

    synchronized @Nullable MigrateRequest request() {
        return request;
    }

    private synchronized void answer(HttpExchange exchange) throws IOException {
        String what = exchange.getRequestMethod() + " " + exchange.getRequestURI();
        asked.add(what);
        String body = new String(exchange.getRequestBody().readAllBytes(), UTF_8);
        switch (what) {
            case "POST /api/v1/vms/shop/migrate" -> {
                request = Json.readStrictly(body, MigrateRequest.class);
                send(exchange, 200, next());
            }
            case "GET /api/v1/vms/shop/migration", "DELETE /api/v1/vms/shop/migration" -> send(exchange, 200, next());
            default ->
                send(exchange, 404, new ErrorDocument("there is no VM 'nobody' on host alpha", "see 'remus status'"));
        }
    }

    private MigrationStatus next() {
        MigrationStatus status = answers.size() > 1 ? answers.remove() : answers.element();
        return status;
    }

    private static void send(HttpExchange exchange, int code, Object document) throws IOException {
        byte[] bytes = Json.write(document).getBytes(UTF_8);
        exchange.getResponseHeaders().add("Content-Type", "application/json");
        exchange.sendResponseHeaders(code, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    @Override
    public void close() {
        server.stop(0);
    }

    static final List<MigrationRound> ROUNDS = List.of(
            new MigrationRound(1, 65_536, 40_321, 25_215, 0, 165_154_816, 423_000, 0, 3_210, 0),
            new MigrationRound(2, 3_210, 2_804, 0, 406, 11_485_184, 31_000, 0, 911, 0),
            new MigrationRound(3, 911, 880, 3, 28, 3_604_480, 9_700, 0, 312, 0));

    static final MigrationSettling SETTLING = new MigrationSettling(4, 730, 2_990_000, 42_000, 9_100);

    static final List<String> PLAN = List.of(
            "Memory (256 MiB) is copied in rounds while the guest runs.",
            "The guest is suspended as soon as what is left can be expected to arrive within 30ms, after 30 rounds at the "
                    + "latest.");

    static MigrationStatus status(MigrationStage stage, List<MigrationRound> rounds) {
        boolean done = stage == MigrationStage.DONE;
        return new MigrationStatus(
                "shop",
                "alpha",
                "192.0.2.7:7420",
                MigrationMode.PRE_COPY,
                stage,
                PLAN,
                rounds,
                done ? "what was left could be expected to arrive within 30ms" : null,
                null,
                256L << 20,
                0,
                done ? SETTLING : null,
                done ? 312 : 0,
                rounds.stream().mapToLong(MigrationRound::bytes).sum() + (done ? SETTLING.bytes() + 1_350_000 : 0),
                310_000,
                done ? 518_000 : 400_000,
                done ? 12_300L : null,
                done ? 14_700L : null,
                null);
    }

    static MigrationStatus done() {
        return status(MigrationStage.DONE, ROUNDS);
    }

    /** One round that the guest stands still for, then the rest. */
    static MigrationStatus stopTheWorld() {
        MigrationRound round = new MigrationRound(1, 65_536, 40_321, 25_215, 0, 165_154_816, 423_000, 0, 0, 100);
        return new MigrationStatus(
                "shop",
                "alpha",
                "192.0.2.7:7420",
                MigrationMode.STOP_THE_WORLD,
                MigrationStage.DONE,
                PLAN,
                List.of(round),
                "the guest stood still from the beginning",
                null,
                256L << 20,
                0,
                null,
                120,
                round.bytes() + 500_000,
                310_000,
                440_000,
                442_000L,
                445_000L,
                true);
    }

    static MigrationStatus failed() {
        MigrationStatus pushed = status(MigrationStage.PUSHING, ROUNDS.subList(0, 2));
        return new MigrationStatus(
                pushed.vm(),
                pushed.from(),
                pushed.to(),
                pushed.mode(),
                MigrationStage.FAILED,
                pushed.plan(),
                pushed.rounds(),
                null,
                "the connection to 192.0.2.7:7420 broke: reset by peer",
                pushed.memoryBytes(),
                0,
                null,
                0,
                pushed.bytesSent(),
                pushed.setUpMicros(),
                pushed.totalMicros(),
                null,
                null,
                null);
    }
}
