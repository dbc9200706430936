package remus.cli;

import java.io.IOException;
import java.net.Socket;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisException;

/**
 * A Redis client that remembers every write that the server acknowledged and checks that the server does too.
 *
 * <p>It repeats INCR of one counter, SET of a random value under a random key, and GET of a key that it has written;
 * at the end it reads everything again. Invariants: one TCP connection from beginning to end, a broken one is never
 * replaced; one request at a time; an answer that contradicts an acknowledged write counts as lost once. Runs in a
 * thread of its own and ends at {@link #finish}, at the first error of the connection, or when an answer takes longer
 * than {@link #ANSWER_TIMEOUT}. Limits: {@link #KEYS} keys of at most {@link #MAX_VALUE_CHARS} characters.
 */
final class RedisClientLoad implements ClientLoad {
    /** Keys that are written again and again. */
    static final int KEYS = 1_000;

    static final int MAX_VALUE_CHARS = 256;

    /** A client of flesh and blood would have given up. */
    static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(60);

    private static final Duration END_TIMEOUT = ANSWER_TIMEOUT.plusSeconds(10);

    private static final Logger LOG = LoggerFactory.getLogger(RedisClientLoad.class);

    /** Makes the one connection. */
    @FunctionalInterface
    interface Connector {
        Socket connect() throws IOException;
    }

    private final LoadTally tally = new LoadTally();
    private final Socket socket;
    private final Jedis jedis;
    private final String prefix;
    private final SplittableRandom random;
    private final Thread thread;

    // Confined to the thread.
    private final Map<Integer, String> values = new HashMap<>();
    private long counter;

    private volatile boolean finishing;

    /**
     * Connects and begins.
     *
     * @param seed decides keys and values
     * @throws IOException when the connection can't be made
     */
    static RedisClientLoad start(Connector connector, long seed) throws IOException {
        return start(connector, seed, LoadTally.REQUEST_EVERY);
    }

    /**
     * The same at a slower pace.
     *
     * @param every it sends a request at most once in such a time, until it finishes
     */
    static RedisClientLoad start(Connector connector, long seed, Duration every) throws IOException {
        Socket socket = connector.connect();
        try {
            socket.setTcpNoDelay(true);
            socket.setSoTimeout((int) ANSWER_TIMEOUT.toMillis());
            RedisClientLoad load = new RedisClientLoad(socket, seed);
            load.tally.pace(every);
            load.thread.start();
            return load;
        } catch (IOException | JedisException e) {
            socket.close();
            throw new IOException("the server can't be asked: " + e.getMessage(), e);
        }
    }

    private RedisClientLoad(Socket socket, long seed) {
        this.socket = socket;
        this.random = new SplittableRandom(seed);
        this.prefix = "remus-%016x:".formatted(random.nextLong());
        this.jedis = OneSocketJedis.over(socket, ANSWER_TIMEOUT);
        this.thread = Thread.ofPlatform().name("redis-client").daemon().unstarted(this::run);
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
        tally.pace(LoadTally.REQUEST_EVERY);
        if (!thread.join(END_TIMEOUT)) {
            tally.fail("the client did not end within " + END_TIMEOUT.toSeconds() + " s");
        }
        Figures result = figures();
        close();
        return result;
    }

    /** Ends the connection at once; Jedis itself would first try to send what a broken one can't take. */
    @Override
    public void close() {
        finishing = true;
        try {
            socket.close();
        } catch (IOException e) {
            LOG.debug("the client's connection did not close: {}", e.toString());
        }
    }

    private void run() {
        try {
            while (!finishing) {
                increment();
                set();
                check(randomWrittenKey());
            }
            checkEverything();
        } catch (JedisConnectionException e) {
            tally.fail("the connection broke: " + LoadTally.rootMessage(e));
        } catch (JedisException e) {
            tally.fail("the server refused: " + e.getMessage());
        }
    }

    private void increment() {
        long sent = tally.begin();
        long answer = jedis.incr(prefix + "counter");
        tally.end(sent);
        tally.acknowledge();
        long expected = counter + 1;
        if (answer != expected) {
            tally.lose(Math.max(1, expected - answer), "INCR answered %d instead of %d".formatted(answer, expected));
        }
        counter = answer;
    }

    private void set() {
        int key = random.nextInt(KEYS);
        String value = randomValue();
        long sent = tally.begin();
        jedis.set(prefix + key, value);
        tally.end(sent);
        tally.acknowledge();
        values.put(key, value);
    }

    private void check(int key) {
        long sent = tally.begin();
        String value = jedis.get(prefix + key);
        tally.end(sent);
        if (!Optional.ofNullable(value).equals(Optional.ofNullable(values.get(key)))) {
            tally.lose(1, "GET of key %d answered %s".formatted(key, value == null ? "nothing" : "another value"));
            // What is lost once is not counted again.
            values.remove(key);
        }
    }

    private void checkEverything() {
        for (int key : values.keySet().toArray(Integer[]::new)) {
            check(key);
        }
        String answer = jedis.get(prefix + "counter");
        long counted = answer == null ? 0 : Long.parseLong(answer);
        if (counted != counter) {
            tally.lose(Math.max(1, counter - counted), "the counter is %d instead of %d".formatted(counted, counter));
        }
    }

    /** Any key that was written, which there is from the first SET on. */
    private int randomWrittenKey() {
        int key = random.nextInt(KEYS);
        while (!values.containsKey(key)) {
            key = (key + 1) % KEYS;
        }
        return key;
    }

    private String randomValue() {
        int length = random.nextInt(16, MAX_VALUE_CHARS + 1);
        StringBuilder value = new StringBuilder(length);
        while (value.length() < length) {
            value.append(Long.toString(random.nextLong() & Long.MAX_VALUE, Character.MAX_RADIX));
        }
        return value.substring(0, length);
    }
}
