package remus.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Enough of a PostgreSQL server for the client load, with the faults that a bad failover would show. */
final class FakePostgres implements AutoCloseable {
    /** A row as it is in the table. */
    record Row(long id, String payload, long checksum) {}

    private static final Pattern INSERT =
            Pattern.compile("INSERT INTO entries .*VALUES \\(\\D*(\\d+)\\D.*'(\\w{16,})'\\D.*?(\\d+)\\D[^,]*\\)");
    private static final Pattern SELECT_ONE = Pattern.compile("SELECT .* FROM entries WHERE id = \\D*(\\d+).*");

    final AtomicInteger connections = new AtomicInteger();

    /** Held while a statement is answered: who holds it stalls the server. */
    final ReentrantLock answering = new ReentrantLock();

    private final ServerSocket listener = new ServerSocket(0, 5, InetAddress.getLoopbackAddress());
    private final List<Row> rows = new ArrayList<>();
    private volatile @Nullable Socket client;
    private volatile boolean refusing;
    private volatile boolean resettingBeforeAnswer;

    FakePostgres() throws IOException {
        Thread.ofPlatform().name("fake-postgres").daemon().start(this::serve);
    }

    Connection connect() throws SQLException {
        return PostgresClientLoad.open("127.0.0.1", listener.getLocalPort(), "demo");
    }

    /** Changes the table behind the client's back. */
    void change(Consumer<List<Row>> change) {
        answering.lock();
        try {
            change.accept(rows);
        } finally {
            answering.unlock();
        }
    }

    void resetConnection() throws IOException {
        Socket socket = client;
        if (socket != null) {
            socket.setSoLinger(true, 0);
            socket.close();
        }
    }

    /** Does the next insert, and resets the connection instead of an answer. */
    void resetBeforeTheNextAnswer() {
        resettingBeforeAnswer = true;
    }

    void answerAgain() {
        resettingBeforeAnswer = false;
    }

    void refuseFromNowOn() {
        refusing = true;
    }

    private void serve() {
        while (!listener.isClosed()) {
            try {
                Socket socket = listener.accept();
                connections.incrementAndGet();
                client = socket;
                Thread.ofPlatform().daemon().start(() -> serve(socket));
            } catch (IOException e) {
                // The test ended: the loop's condition tells.
                client = null;
            }
        }
    }

    private void serve(Socket socket) {
        try (socket) {
            DataInputStream in = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
            DataOutputStream out = new DataOutputStream(socket.getOutputStream());
            in.skipNBytes(in.readInt() - Integer.BYTES);
            ByteArrayOutputStream hello = new ByteArrayOutputStream();
            message(hello, 'R', new byte[4]);
            for (String parameter : List.of(
                    "server_version\u000015.0",
                    "client_encoding\0UTF8",
                    "integer_datetimes\0on",
                    "DateStyle\0ISO, MDY",
                    "standard_conforming_strings\0on",
                    "TimeZone\0UTC")) {
                message(hello, 'S', (parameter + "\0").getBytes(UTF_8));
            }
            message(hello, 'K', new byte[8]);
            message(hello, 'Z', "I".getBytes(UTF_8));
            out.write(hello.toByteArray());
            for (int type = in.read(); type == 'Q'; type = in.read()) {
                byte[] bytes = in.readNBytes(in.readInt() - Integer.BYTES);
                answering.lock();
                try {
                    byte[] answer = answer(new String(bytes, 0, bytes.length - 1, UTF_8));
                    if (resettingBeforeAnswer) {
                        resetConnection();
                        return;
                    }
                    out.write(answer);
                } finally {
                    answering.unlock();
                }
            }
        } catch (EOFException e) {
            // The client went, as clients do.
        } catch (IOException e) {
            // The connection was reset, by the test or by the client's end.
            client = null;
        }
    }

    private byte[] answer(String sql) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Matcher insert = INSERT.matcher(sql);
        Matcher one = SELECT_ONE.matcher(sql);
        if (refusing) {
            message(out, 'E', "SERROR\0C53100\0Mdisk full\0\0".getBytes(UTF_8));
        } else if (insert.matches()) {
            rows.add(new Row(Long.parseLong(insert.group(1)), insert.group(2), Long.parseLong(insert.group(3))));
            message(out, 'C', "INSERT 0 1\0".getBytes(UTF_8));
        } else if (one.matches()) {
            long id = Long.parseLong(one.group(1));
            table(out, rows.stream().filter(row -> row.id() == id).toList());
        } else if (sql.startsWith("SELECT coalesce")) {
            long last = rows.stream().mapToLong(Row::id).max().orElse(0);
            description(out, List.of("last"));
            data(out, List.of(Long.toString(last)));
            message(out, 'C', "SELECT 1\0".getBytes(UTF_8));
        } else if (sql.equals("SELECT id, payload, checksum FROM entries")) {
            table(out, rows);
        } else if (sql.startsWith("SET ")) {
            message(out, 'C', "SET\0".getBytes(UTF_8));
        } else {
            message(out, 'E', ("SERROR\0C42601\0Munknown: " + sql + "\0\0").getBytes(UTF_8));
        }
        message(out, 'Z', "I".getBytes(UTF_8));
        return out.toByteArray();
    }

    private static void table(ByteArrayOutputStream out, List<Row> rows) throws IOException {
        description(out, List.of("id", "payload", "checksum"));
        for (Row row : rows) {
            data(out, List.of(Long.toString(row.id()), row.payload(), Long.toString(row.checksum())));
        }
        message(out, 'C', ("SELECT " + rows.size() + "\0").getBytes(UTF_8));
    }

    /** All columns are text: the client converts. */
    private static void description(ByteArrayOutputStream out, List<String> columns) throws IOException {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        DataOutputStream data = new DataOutputStream(body);
        data.writeShort(columns.size());
        for (String column : columns) {
            data.write((column + "\0").getBytes(UTF_8));
            data.writeInt(0);
            data.writeShort(0);
            data.writeInt(25);
            data.writeShort(-1);
            data.writeInt(-1);
            data.writeShort(0);
        }
        message(out, 'T', body.toByteArray());
    }

    private static void data(ByteArrayOutputStream out, List<String> values) throws IOException {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        DataOutputStream data = new DataOutputStream(body);
        data.writeShort(values.size());
        for (String value : values) {
            byte[] bytes = value.getBytes(UTF_8);
            data.writeInt(bytes.length);
            data.write(bytes);
        }
        message(out, 'D', body.toByteArray());
    }

    private static void message(ByteArrayOutputStream out, char type, byte[] body) throws IOException {
        DataOutputStream data = new DataOutputStream(out);
        data.writeByte(type);
        data.writeInt(body.length + Integer.BYTES);
        data.write(body);
    }

    @Override
    public void close() throws IOException {
        listener.close();
        Socket socket = client;
        if (socket != null) {
            socket.close();
        }
    }
}
