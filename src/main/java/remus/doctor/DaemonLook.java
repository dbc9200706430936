package remus.doctor;

import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import remus.api.HostStatus;
import remus.api.Json;
import remus.base.HostAddress;
import remus.replication.PeerException;
import remus.replication.PeerProbe;
import tools.jackson.core.JacksonException;

/** Finds out whether those who listen on a host daemon's ports are one. */
final class DaemonLook {
    private static final Duration LIMIT = Duration.ofSeconds(10);
    private static final int MAX_ANSWER_BYTES = 4 << 20;

    private final PeerProbe probe;

    DaemonLook(PeerProbe probe) {
        this.probe = probe;
    }

    /** Name of the host that replicates over one of these, or null. */
    @Nullable
    String onReplicationPort(List<HostAddress> listeners) {
        return first(listeners, this::replicating);
    }

    /** What the host says of itself whose API is on one of these, or null. */
    @Nullable
    HostStatus onApiPort(List<HostAddress> listeners) {
        return first(listeners, DaemonLook::serving);
    }

    private static <T> @Nullable T first(List<HostAddress> listeners, Function<HostAddress, Optional<T>> ask) {
        return listeners.stream()
                .map(DaemonLook::reachable)
                .flatMap(listener -> ask.apply(listener).stream())
                .findFirst()
                .orElse(null);
    }

    private Optional<String> replicating(HostAddress listener) {
        try {
            return Optional.of(probe.ask(listener, LIMIT).answer().host());
        } catch (PeerException e) {
            return Optional.empty(); // somebody else's: the verdict says so
        }
    }

    private static Optional<HostStatus> serving(HostAddress listener) {
        try {
            return Optional.of(status(listener));
        } catch (IOException | JacksonException e) {
            return Optional.empty(); // as above
        }
    }

    /** Who listens on all addresses is asked on the loopback one. */
    private static HostAddress reachable(HostAddress listener) {
        return switch (listener.host()) {
            case "0.0.0.0" -> new HostAddress("127.0.0.1", listener.port());
            case "0:0:0:0:0:0:0:0" -> new HostAddress("localhost", listener.port());
            default -> listener;
        };
    }

    private static HostStatus status(HostAddress api) throws IOException {
        HttpURLConnection connection = (HttpURLConnection)
                URI.create("http://" + api + "/api/v1/status").toURL().openConnection(Proxy.NO_PROXY);
        connection.setConnectTimeout(Math.toIntExact(LIMIT.toMillis()));
        connection.setReadTimeout(Math.toIntExact(LIMIT.toMillis()));
        try (InputStream in = connection.getInputStream()) {
            byte[] answer = in.readNBytes(MAX_ANSWER_BYTES);
            return Json.read(new String(answer, StandardCharsets.UTF_8), HostStatus.class);
        } finally {
            connection.disconnect();
        }
    }
}
