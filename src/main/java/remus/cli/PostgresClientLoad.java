package remus.cli;

import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.HashSet;
import java.util.Properties;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.zip.CRC32C;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.base.RemusException;

/**
 * A PostgreSQL client that inserts rows, each in a transaction of its own, and checks that every row that the server
 * acknowledged is there, once, with its payload.
 *
 * <p>Rows are numbered without gaps and carry a payload that follows from seed and number, and its checksum; now and then
 * one that was acknowledged is read again, and all of them at the end. Invariants: one TCP connection from beginning to
 * end, a broken one is never replaced; one request at a time; a row that is missing, changed, doubled or was never sent
 * counts as lost once. The one row that was on its way when the connection broke may be there or not. Runs in a thread
 * of its own and ends at {@link #finish}, at the first error, or when an answer takes longer than
 * {@link #ANSWER_TIMEOUT}. Reading all rows again takes some 300 bytes of memory for each.
 */
final class PostgresClientLoad implements ClientLoad {
    static final int MIN_PAYLOAD_CHARS = 16;
    static final int MAX_PAYLOAD_CHARS = 256;

    /** A client of flesh and blood would have given up. */
    static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(60);

    /** An earlier row is read again after so many new ones. */
    private static final int READ_EVERY = 8;

    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(10);
    private static final Duration END_TIMEOUT = ANSWER_TIMEOUT.plusSeconds(10);

    /** SQLSTATE's class of connection exceptions. */
    private static final String CONNECTION_EXCEPTION = "08";

    private static final Logger LOG = LoggerFactory.getLogger(PostgresClientLoad.class);

    /** Makes a connection to the server. */
    @FunctionalInterface
    interface Connector {
        Connection connect() throws SQLException, RemusException;
    }

    private final LoadTally tally = new LoadTally();
    private final Connection connection;
    private final PreparedStatement insert;
    private final PreparedStatement select;
    private final long seed;
    private final SplittableRandom random;
    private final Thread thread;

    // Confined to the thread, and after its end to whoever has joined it.
    private final Set<Long> lost = new HashSet<>();
    private final long first;
    private long next;
    private long inFlight;

    private volatile boolean finishing;

    /**
     * Connects and begins after the rows that are there already.
     *
     * @param seed decides the payloads
     */
    static PostgresClientLoad start(Connector connector, long seed) throws SQLException, RemusException {
        Connection connection = connector.connect();
        try {
            PostgresClientLoad load = new PostgresClientLoad(connection, seed);
            load.thread.start();
            return load;
        } catch (SQLException e) {
            abort(connection);
            throw e;
        }
    }

    private PostgresClientLoad(Connection connection, long seed) throws SQLException {
        this.connection = connection;
        this.seed = seed;
        this.random = new SplittableRandom(seed);
        this.first = 1 + lastRow(connection);
        this.next = first;
        this.insert = connection.prepareStatement("INSERT INTO entries (id, payload, checksum) VALUES (?, ?, ?)");
        this.select = connection.prepareStatement("SELECT id, payload, checksum FROM entries WHERE id = ?");
        this.thread = Thread.ofPlatform().name("postgres-client").daemon().unstarted(this::run);
    }

    /**
     * Opens a connection; its socket is made in the calling thread, and so in that thread's network namespace.
     *
     * @param user a role that needs no password
     */
    static Connection open(String address, int port, String user) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", user);
        properties.setProperty("sslmode", "disable");
        properties.setProperty("gssEncMode", "disable");
        // One message per statement, and so one round trip per transaction.
        properties.setProperty("preferQueryMode", "simple");
        properties.setProperty("connectTimeout", Long.toString(CONNECT_TIMEOUT.toSeconds()));
        properties.setProperty("socketTimeout", Long.toString(ANSWER_TIMEOUT.toSeconds()));
        return DriverManager.getConnection("jdbc:postgresql://%s:%d/demo".formatted(address, port), properties);
    }

    private static long lastRow(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT coalesce(max(id), 0) FROM entries")) {
            rows.next();
            return rows.getLong(1);
        }
    }

    @Override
    public Figures figures() {
        return tally.figures();
    }

    @Override
    public AnswerTimes answers() {
        return tally.answers();
    }

    @Override
    public boolean isRunning() {
        return thread.isAlive();
    }

    @Override
    public Figures finish() throws InterruptedException {
        finishing = true;
        if (!thread.join(END_TIMEOUT)) {
            tally.fail("the client did not end within " + END_TIMEOUT.toSeconds() + " s");
        }
        Figures result = figures();
        close();
        return result;
    }

    /**
     * Reads all rows once more over another connection, when {@link #finish} has ended the first; what was found lost
     * before is not counted again.
     */
    void readAgain(Connection other) throws SQLException {
        if (isRunning()) {
            throw new IllegalStateException("the client has not finished");
        }
        readAll(other);
    }

    /** Ends the connection at once; the driver itself would first say good-bye to a server that may be gone. */
    @Override
    public void close() {
        finishing = true;
        abort(connection);
    }

    private static void abort(Connection connection) {
        try {
            connection.abort(Runnable::run);
        } catch (SQLException e) {
            LOG.debug("the client's connection did not close: {}", e.toString());
        }
    }

    private void run() {
        try {
            while (!finishing) {
                insert();
                if (next % READ_EVERY == 0) {
                    read(random.nextLong(first, next));
                }
            }
            readAll(connection);
        } catch (SQLException e) {
            String state = e.getSQLState();
            boolean broken = state == null || state.startsWith(CONNECTION_EXCEPTION);
            tally.fail(
                    broken
                            ? "the connection broke: " + LoadTally.rootMessage(e)
                            : "the server refused: " + e.getMessage());
        }
    }

    private void insert() throws SQLException {
        String payload = payload(next);
        insert.setLong(1, next);
        insert.setString(2, payload);
        insert.setLong(3, checksum(payload));
        inFlight = next;
        long sent = tally.begin();
        int rows = insert.executeUpdate();
        tally.end(sent);
        tally.acknowledge();
        inFlight = 0;
        if (rows != 1) {
            lose(next, "INSERT of row %d answered %d rows".formatted(next, rows));
        }
        next++;
    }

    private void read(long id) throws SQLException {
        select.setLong(1, id);
        long sent = tally.begin();
        try (ResultSet rows = select.executeQuery()) {
            tally.end(sent);
            if (!rows.next()) {
                lose(id, "row %d is missing".formatted(id));
                return;
            }
            compare(rows);
            if (rows.next()) {
                lose(id, "row %d is there twice".formatted(id));
            }
        }
    }

    /** In the order of the table, not by its index: that could hide a second row of the same number. */
    private void readAll(Connection through) throws SQLException {
        Set<Long> found = new HashSet<>();
        try (Statement statement = through.createStatement();
                ResultSet rows = statement.executeQuery("SELECT id, payload, checksum FROM entries")) {
            while (rows.next()) {
                long id = rows.getLong(1);
                if (id < first) {
                    continue; // of a client before
                }
                if (!found.add(id)) {
                    lose(id, "row %d is there twice".formatted(id));
                } else if (id < next) {
                    compare(rows);
                } else if (id != inFlight) {
                    lose(id, "row %d is there, but was never sent".formatted(id));
                }
            }
        }
        for (long id = first; id < next; id++) {
            if (!found.contains(id)) {
                lose(id, "row %d is missing".formatted(id));
            }
        }
    }

    private void compare(ResultSet row) throws SQLException {
        long id = row.getLong(1);
        String payload = row.getString(2);
        if (!payload(id).equals(payload) || row.getLong(3) != checksum(payload)) {
            lose(id, "row %d has another content".formatted(id));
        }
    }

    private void lose(long id, String problem) {
        if (lost.add(id)) {
            tally.lose(1, problem);
        }
    }

    /** What the row of that number holds. */
    private String payload(long id) {
        SplittableRandom source = new SplittableRandom(seed + id);
        int length = source.nextInt(MIN_PAYLOAD_CHARS, MAX_PAYLOAD_CHARS + 1);
        StringBuilder payload = new StringBuilder(length + Long.BYTES * 2);
        while (payload.length() < length) {
            payload.append(Long.toString(source.nextLong() & Long.MAX_VALUE, Character.MAX_RADIX));
        }
        return payload.substring(0, length);
    }

    private static long checksum(String payload) {
        CRC32C checksum = new CRC32C();
        checksum.update(payload.getBytes(StandardCharsets.UTF_8));
        return checksum.getValue();
    }
}
