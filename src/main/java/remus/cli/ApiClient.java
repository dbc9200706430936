package remus.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.HttpURLConnection;
import java.net.NoRouteToHostException;
import java.net.Proxy;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import remus.api.ErrorDocument;
import remus.api.Event;
import remus.api.Json;
import remus.base.HostAddress;
import tools.jackson.core.JacksonException;

/**
 * Asks a host daemon over its HTTP API. Every failure becomes a {@link CommandException} that says what to do.
 * Uses {@link HttpURLConnection}: a command's first answer comes 240 ms earlier than with {@code java.net.http}.
 * Limits: {@link #CONNECT_TIMEOUT}, {@link #ANSWER_TIMEOUT}, {@link #MAX_ANSWER_BYTES} per answer.
 */
final class ApiClient {
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);

    /** Operations such as start and stop answer when they are done, not before. */
    private static final Duration ANSWER_TIMEOUT = Duration.ofMinutes(2);

    /** A live stream of events says at least so often that it lives. */
    private static final Duration EVENTS_TIMEOUT = Duration.ofSeconds(30);

    private static final int MAX_ANSWER_BYTES = 16 << 20;

    private final HostAddress address;
    private final Duration answerTimeout;

    ApiClient(HostAddress address) {
        this(address, ANSWER_TIMEOUT);
    }

    /** @param answerTimeout for questions that a host answers at once */
    ApiClient(HostAddress address, Duration answerTimeout) {
        this.address = address;
        this.answerTimeout = answerTimeout;
    }

    <T> T get(String path, Class<T> type) throws CommandException {
        return read(exchange("GET", path, null), type);
    }

    <T> T post(String path, Object request, Class<T> type) throws CommandException {
        return read(exchange("POST", path, Json.write(request)), type);
    }

    <T> T delete(String path, Class<T> type) throws CommandException {
        return read(exchange("DELETE", path, null), type);
    }

    /** A verb that needs no document. */
    <T> T post(String path, Class<T> type) throws CommandException {
        return read(exchange("POST", path, "{}"), type);
    }

    /**
     * Passes each event to {@code consumer} until that returns false or the stream ends.
     *
     * @return false when the stream ended while the consumer still wanted more
     */
    boolean events(boolean follow, Predicate<Event> consumer) throws CommandException {
        HttpURLConnection connection = open("GET", "/api/v1/events?follow=" + follow);
        connection.setReadTimeout((int) EVENTS_TIMEOUT.toMillis());
        try (BufferedReader reader = new BufferedReader(new InputStreamReader(successOf(connection), UTF_8))) {
            String name = "";
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                if (line.startsWith("event:")) {
                    name = line.substring("event:".length()).strip();
                } else if (line.startsWith("data:")) {
                    String data = line.substring("data:".length()).strip();
                    if (name.equals("lost")) {
                        throw new CommandException("events: " + data);
                    }
                    if (!consumer.test(read(data, Event.class))) {
                        return true;
                    }
                }
            }
            return false;
        } catch (IOException e) {
            throw explained(e);
        } finally {
            connection.disconnect();
        }
    }

    private String exchange(String method, String path, @Nullable String body) throws CommandException {
        HttpURLConnection connection = open(method, path);
        try {
            if (body != null) {
                connection.setDoOutput(true);
                connection.setRequestProperty("Content-Type", "application/json");
                connection.getOutputStream().write(body.getBytes(UTF_8));
            }
            try (InputStream in = successOf(connection)) {
                return text(in);
            }
        } catch (IOException e) {
            throw explained(e);
        }
    }

    private HttpURLConnection open(String method, String path) {
        try {
            URI uri = URI.create("http://" + address + path);
            HttpURLConnection connection = (HttpURLConnection) uri.toURL().openConnection(Proxy.NO_PROXY);
            connection.setRequestMethod(method);
            connection.setConnectTimeout((int) CONNECT_TIMEOUT.toMillis());
            connection.setReadTimeout((int) answerTimeout.toMillis());
            return connection;
        } catch (IOException e) {
            // Nothing is sent yet: only the URL's form can be wrong, and that is ours.
            throw new UncheckedIOException(e);
        }
    }

    private InputStream successOf(HttpURLConnection connection) throws IOException, CommandException {
        int status = connection.getResponseCode();
        if (status >= 200 && status < 400) {
            return connection.getInputStream();
        }
        try (@Nullable InputStream in = connection.getErrorStream()) {
            throw new CommandException(in == null ? stranger(status) : refusal(status, text(in)));
        }
    }

    private String refusal(int status, String body) {
        try {
            return Json.read(body, ErrorDocument.class).line();
        } catch (JacksonException | NullPointerException e) {
            // No document of ours: another program's server answered.
            return stranger(status);
        }
    }

    private String stranger(int status) {
        return "%s answers HTTP %d, but not as a host daemon does; name one with --api ADDR:PORT"
                .formatted(address, status);
    }

    private static String text(InputStream in) throws IOException {
        byte[] bytes = in.readNBytes(MAX_ANSWER_BYTES + 1);
        if (bytes.length > MAX_ANSWER_BYTES) {
            throw new IOException("the answer has more than %d bytes".formatted(MAX_ANSWER_BYTES));
        }
        return new String(bytes, UTF_8);
    }

    private <T> T read(String json, Class<T> type) throws CommandException {
        try {
            return Json.read(json, type);
        } catch (JacksonException e) {
            throw new CommandException(
                    "%s does not answer as a host daemon does; name one with --api ADDR:PORT".formatted(address), e);
        }
    }

    private CommandException explained(IOException e) {
        String message = switch (e) {
            case ConnectException refused ->
                "no host daemon answers at %s: start one with 'remus host', or name another with --api ADDR:PORT"
                        .formatted(address);
            case UnknownHostException unknown ->
                "there is no host '%s': give --api an address that exists".formatted(address.host());
            case NoRouteToHostException noRoute ->
                "%s can't be reached: %s; check the network, or give --api another address"
                        .formatted(address, e.getMessage());
            case SocketTimeoutException late ->
                "the host daemon at %s does not answer; see whether it hangs, or give --api another address"
                        .formatted(address);
            default ->
                "the connection to the host daemon at %s broke: %s; see whether its API is there, and its log"
                        .formatted(address, e.getMessage());
        };
        return new CommandException(message, e);
    }
}
