package remus.qemu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Predicate;
import remus.base.Invariant;
import remus.linux.FileDescriptor;
import remus.linux.LinuxException;
import remus.linux.Poller;
import remus.linux.UnixStreamSocket;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * One QMP connection (docs/interop/qmp-spec.txt of QEMU): sends commands without waiting, hands over replies and events
 * as they come. QEMU answers commands in the order sent.
 *
 * <p>Used by one thread at a time; may be handed over to another. Never blocks but in {@link #connect} and
 * {@link #execute}. Limits: a line of {@value QmpInput#MAX_LINE_BYTES} bytes, {@value #MAX_UNSENT_BYTES} bytes of
 * commands that QEMU does not read, {@value #MAX_QUEUED_MESSAGES} messages that came during {@code execute}. After a
 * {@link QmpException} of category FATAL the connection is unusable and is to be closed.
 */
public final class QmpClient implements AutoCloseable {
    /** Ids below this are for the caller's pre-encoded commands; {@link #send} counts from here. */
    public static final long FIRST_FREE_ID = 16;

    static final int MAX_UNSENT_BYTES = 64 * 1024;
    static final int MAX_QUEUED_MESSAGES = 1024;

    /** Of a command that was begun and then taken back. */
    private static final long TAKEN_BACK_ID = 0;

    private static final MemorySegment LAST_BYTE = constant("}");

    /** No command that is begun has such an argument. */
    private static final MemorySegment BAD_ARGUMENTS = constant(",\"arguments\":{\"none\":0}}");

    private static final int MAX_READS_PER_POLL = 16;
    private static final int READ_BYTES = 64 * 1024;
    private static final JsonMapper MAPPER = JsonMapper.builder().build();

    private final UnixStreamSocket socket;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment received = arena.allocate(READ_BYTES);
    private final MemorySegment unsent = arena.allocate(MAX_UNSENT_BYTES);
    private final QmpInput input = new QmpInput(MAPPER);
    private final Deque<JsonNode> queued = new ArrayDeque<>();
    private final Deque<Long> bareIds = new ArrayDeque<>();
    private boolean begun;
    private int unsentBytes;
    private long nextId = FIRST_FREE_ID;
    private boolean ended;
    private boolean closed;

    /** Receives what QEMU sends, during {@link #poll}; may send commands or close the client, and must not poll or execute. */
    public interface Handler {
        /** The command with this id succeeded. */
        void returned(long id, JsonNode value);

        /** QEMU refused the command with this id. */
        void refused(long id, String errorClass, String description);

        /** Something happened; {@code data} may be empty. */
        void event(String name, JsonNode data);
    }

    private static MemorySegment constant(String text) {
        return Arena.global().allocateFrom(JAVA_BYTE, text.getBytes(StandardCharsets.UTF_8));
    }

    private QmpClient(UnixStreamSocket socket) {
        this.socket = socket;
    }

    /**
     * Connects to a QEMU that listens at {@code path} and negotiates: afterwards commands may be sent.
     *
     * @throws LinuxException with ENOENT or ECONNREFUSED while nobody listens there
     * @throws QmpException when no QMP greeting comes within {@code limit}
     */
    public static QmpClient connect(Path path, Duration limit) throws LinuxException, QmpException {
        QmpClient client = new QmpClient(UnixStreamSocket.connect(path));
        boolean ready = false;
        try {
            long deadline = System.nanoTime() + limit.toNanos();
            JsonNode greeting = client.awaitMessage("its greeting", deadline, limit);
            if (!greeting.has("QMP")) {
                throw QmpException.unusable(path + " did not greet as QMP does: " + greeting, null);
            }
            client.execute("qmp_capabilities", Map.of(), limit);
            ready = true;
            return client;
        } finally {
            if (!ready) {
                client.close();
            }
        }
    }

    /**
     * One command without an id and without its last byte, to be kept and sent often by {@link #begin}: as short as it can be.
     */
    static byte[] encodeBegun(String command, Map<String, ?> arguments) {
        byte[] json = MAPPER.writeValueAsBytes(message(command, arguments));
        return Arrays.copyOf(json, json.length - 1);
    }

    private static Map<String, Object> message(String command, Map<String, ?> arguments) {
        Map<String, Object> message = new LinkedHashMap<>();
        message.put("execute", command);
        if (!arguments.isEmpty()) {
            message.put("arguments", arguments);
        }
        return message;
    }

    /**
     * The line for one command, to be kept and sent often by {@link #sendEncoded}.
     *
     * @param id less than {@link #FIRST_FREE_ID}
     */
    public static byte[] encode(long id, String command, Map<String, ?> arguments) {
        Map<String, Object> message = message(command, arguments);
        message.put("id", id);
        byte[] json = MAPPER.writeValueAsBytes(message);
        byte[] line = Arrays.copyOf(json, json.length + 1);
        line[json.length] = '\n';
        return line;
    }

    /** For a {@link Poller}: readable means that {@link #poll} has something to do. */
    public FileDescriptor descriptor() {
        return socket.descriptor();
    }

    /** Whether commands wait for room in the socket: then wait for writing too, and {@link #poll}. */
    public boolean hasUnsent() {
        return unsentBytes > 0;
    }

    /** Whether messages wait that came during {@link #execute}: then {@link #poll} without waiting. */
    public boolean hasQueued() {
        return !queued.isEmpty();
    }

    /** Sends a command and returns the id that its reply will carry. */
    public long send(String command, Map<String, ?> arguments) throws QmpException {
        long id = nextId++;
        byte[] line = encode(id, command, arguments);
        sendEncoded(MemorySegment.ofArray(line));
        return id;
    }

    /**
     * Says all of a command but its last byte, for QEMU to have read it when {@link #finish} is called. Any other command takes
     * it back.
     *
     * @param command made by {@link #encodeBegun}
     */
    void begin(MemorySegment command) throws QmpException {
        takeBack();
        write(command);
        begun = true;
    }

    /**
     * Has QEMU carry out what was begun. The reply is handed over as if it carried {@code id}, less than
     * {@link #FIRST_FREE_ID}: QEMU answers in the order of the commands, and no others of this client's are without an id.
     */
    void finish(long id) throws QmpException {
        Invariant.check(begun, "no command was begun, id=%d", id);
        begun = false;
        bareIds.addLast(id);
        write(LAST_BYTE);
    }

    /** What was begun becomes a command that QEMU refuses, without an effect. */
    private void takeBack() throws QmpException {
        if (begun) {
            begun = false;
            bareIds.addLast(TAKEN_BACK_ID);
            write(BAD_ARGUMENTS);
        }
    }

    /** Sends one or more lines made by {@link #encode}. Native segments are sent without a copy. */
    public void sendEncoded(MemorySegment lines) throws QmpException {
        takeBack();
        write(lines);
    }

    private void write(MemorySegment lines) throws QmpException {
        long sent = 0;
        if (unsentBytes == 0 && lines.isNative()) {
            sent = write(lines, (int) lines.byteSize());
        }
        long rest = lines.byteSize() - sent;
        if (rest > MAX_UNSENT_BYTES - unsentBytes) {
            throw QmpException.unusable(
                    "QEMU does not read its QMP connection: " + unsentBytes + " bytes of commands wait", null);
        }
        MemorySegment.copy(lines, sent, unsent, unsentBytes, rest);
        unsentBytes += (int) rest;
        flush();
    }

    /**
     * Sends what waits, reads what is there and hands it to {@code handler}; returns at once. A very talkative QEMU is
     * left with a rest that makes the descriptor readable again.
     *
     * @throws QmpException when the connection has ended or is unusable; what came before has been handed over
     */
    public void poll(Handler handler) throws QmpException {
        flush();
        while (!queued.isEmpty() && !closed) {
            dispatch(queued.removeFirst(), handler);
        }
        boolean more = true;
        for (int reads = 0; more && !closed && reads < MAX_READS_PER_POLL; reads++) {
            more = receive();
            for (JsonNode message = input.next(); message != null && !closed; message = input.next()) {
                dispatch(message, handler);
            }
        }
        if (ended && !closed) {
            throw connectionEnded();
        }
    }

    /**
     * Sends a command and waits for its reply, at most {@code limit}; for set-up, not for the way of a checkpoint. What
     * else comes meanwhile is kept for the next {@link #poll} (see {@link #hasQueued}).
     *
     * @throws QmpException when QEMU refuses the command (RETRY), does not answer in time or is gone (FATAL)
     */
    public JsonNode execute(String command, Map<String, ?> arguments, Duration limit) throws QmpException {
        return awaitReply(send(command, arguments), command, limit);
    }

    /** Waits for the reply to a command sent before, as {@link #execute} does. */
    public JsonNode awaitReply(long id, String command, Duration limit) throws QmpException {
        JsonNode reply = awaitFirst(
                "the reply to " + command, message -> message.path("id").asLong(-1) == id, limit);
        JsonNode error = reply.get("error");
        if (error != null) {
            throw QmpException.refused(
                    command,
                    error.path("class").asString(""),
                    error.path("desc").asString(""));
        }
        return reply.path("return");
    }

    /**
     * Waits for an event, at most {@code limit}; one that has come and was not handed over yet counts.
     *
     * @return the event's data, possibly missing
     */
    public JsonNode awaitEvent(String name, Duration limit) throws QmpException {
        return awaitFirst(
                        "the event " + name,
                        message -> message.path("event").asString("").equals(name),
                        limit)
                .path("data");
    }

    /** Waits until this event has come so many times, at most {@code limit} for each; those handed over already don't count. */
    public void awaitEvents(String name, int count, Duration limit) throws QmpException {
        for (int come = 0; come < count; come++) {
            awaitEvent(name, limit);
        }
    }

    /** The first message that is {@code wanted}; the others are left for {@link #poll}. */
    private JsonNode awaitFirst(String what, Predicate<JsonNode> wanted, Duration limit) throws QmpException {
        for (Iterator<JsonNode> earlier = queued.iterator(); earlier.hasNext(); ) {
            JsonNode message = earlier.next();
            if (wanted.test(message)) {
                earlier.remove();
                return message;
            }
        }
        long deadline = System.nanoTime() + limit.toNanos();
        while (true) {
            JsonNode message = awaitMessage(what, deadline, limit);
            if (wanted.test(message)) {
                return message;
            }
            if (queued.size() == MAX_QUEUED_MESSAGES) {
                throw QmpException.unusable(
                        "QEMU sent more than " + MAX_QUEUED_MESSAGES + " messages before " + what, null);
            }
            queued.addLast(message);
        }
    }

    private JsonNode awaitMessage(String what, long deadline, Duration limit) throws QmpException {
        try (Poller poller = new Poller(1)) {
            while (true) {
                flush();
                JsonNode message = input.next();
                if (message != null) {
                    return message;
                }
                if (receive()) {
                    continue;
                }
                if (ended) {
                    throw connectionEnded();
                }
                long remaining = deadline - System.nanoTime();
                if (remaining <= 0) {
                    throw QmpException.unusable(
                            "QEMU did not send " + what + " within " + limit.toMillis() + "ms", null);
                }
                poller.enable(0, descriptor(), true, hasUnsent());
                poller.await(remaining);
            }
        } catch (LinuxException e) {
            throw QmpException.unusable("waiting for QEMU failed: " + e.getMessage(), e);
        }
    }

    private void dispatch(JsonNode message, Handler handler) throws QmpException {
        JsonNode event = message.get("event");
        if (event != null) {
            handler.event(event.asString(""), message.path("data"));
            return;
        }
        JsonNode value = message.get("return");
        JsonNode error = message.get("error");
        long id = message.path("id").asLong(-1);
        if (id < 0 && !bareIds.isEmpty() && (value != null || error != null)) {
            id = bareIds.removeFirst();
        }
        if (id == TAKEN_BACK_ID) {
            return;
        }
        if (id >= 0 && value != null) {
            handler.returned(id, value);
        } else if (id >= 0 && error != null) {
            handler.refused(
                    id, error.path("class").asString(""), error.path("desc").asString(""));
        } else {
            // An error without an id: QEMU could not even read what we sent.
            throw QmpException.unusable("QEMU sent a QMP message that answers nothing: " + message, null);
        }
    }

    /** Reads once; false when nothing was there or the stream has ended. */
    private boolean receive() throws QmpException {
        if (ended) {
            return false;
        }
        try {
            int count = socket.read(received, 0, READ_BYTES);
            if (count > 0) {
                input.append(received, count);
            }
            ended = count == 0;
            return count > 0;
        } catch (LinuxException e) {
            throw QmpException.unusable("QEMU's QMP connection failed: " + e.getMessage(), e);
        }
    }

    private void flush() throws QmpException {
        if (unsentBytes > 0) {
            int sent = write(unsent, unsentBytes);
            MemorySegment.copy(unsent, JAVA_BYTE, sent, unsent, JAVA_BYTE, 0, unsentBytes - sent);
            unsentBytes -= sent;
        }
    }

    private int write(MemorySegment source, int length) throws QmpException {
        try {
            return Math.max(0, socket.write(source, 0, length));
        } catch (LinuxException e) {
            throw QmpException.unusable("QEMU's QMP connection failed: " + e.getMessage(), e);
        }
    }

    private static QmpException connectionEnded() {
        return QmpException.unusable("QEMU closed its QMP connection", null);
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            socket.close();
            arena.close();
        }
    }
}
