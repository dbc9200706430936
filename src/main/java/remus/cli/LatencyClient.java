package remus.cli;

import java.io.IOException;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.exceptions.JedisException;
import remus.base.RemusException;

/**
 * A client that asks the guest's Redis one thing after the other, SET and GET of one key in turn, and notes how long each
 * answer takes. A request is sent when the one before has its answer, but not earlier than a fixed time after that was sent:
 * so a guest that answers late is asked again at once. Runs in a thread of its own on one TCP connection, and ends at the first
 * wrong answer or error.
 */
final class LatencyClient implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LatencyClient.class);
    private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(60);
    private static final String KEY = "latency";

    private final Socket socket;
    private final Jedis jedis;
    private volatile long everyNanos;
    private final Thread thread;
    private volatile boolean closed;
    private volatile @Nullable String problem;

    /** Guarded by this. */
    private List<Long> answerNanos = new ArrayList<>();

    private LatencyClient(Socket socket, Duration every) {
        this.socket = socket;
        jedis = OneSocketJedis.over(socket, ANSWER_TIMEOUT);
        everyNanos = every.toNanos();
        thread = Thread.ofPlatform().name("latency-client").daemon().unstarted(this::run);
    }

    /** Begins to ask. */
    static LatencyClient start(Socket socket, Duration every) throws IOException {
        socket.setTcpNoDelay(true);
        socket.setSoTimeout((int) ANSWER_TIMEOUT.toMillis());
        LatencyClient client = new LatencyClient(socket, every);
        client.thread.start();
        return client;
    }

    private void run() {
        try {
            for (long number = 1; !closed; number++) {
                String value = Long.toString(number);
                ask(() -> expect("OK", jedis.set(KEY, value)));
                ask(() -> expect(value, jedis.get(KEY)));
            }
        } catch (JedisException e) {
            problem = "the client's connection broke: " + LoadTally.rootMessage(e);
        }
    }

    private void ask(Runnable request) {
        long sent = System.nanoTime();
        request.run();
        long took = System.nanoTime() - sent;
        synchronized (this) {
            answerNanos.add(took);
        }
        for (long wait = everyNanos - took; wait > 0 && !closed; wait = sent + everyNanos - System.nanoTime()) {
            LockSupport.parkNanos(wait);
        }
    }

    private void expect(String wanted, @Nullable String answer) {
        if (!wanted.equals(answer)) {
            throw new JedisException("'%s' came instead of '%s'".formatted(answer, wanted));
        }
    }

    /** From now on it sends a request at most once in such a time. */
    void pace(Duration every) {
        everyNanos = every.toNanos();
    }

    /** How long the answers since the last call took, in nanoseconds. */
    synchronized List<Long> take() throws RemusException {
        String wrong = problem;
        if (wrong != null) {
            throw new CommandException(wrong);
        }
        List<Long> taken = answerNanos;
        answerNanos = new ArrayList<>();
        return taken;
    }

    @Override
    public void close() {
        closed = true;
        LockSupport.unpark(thread);
        try {
            socket.close();
        } catch (IOException e) {
            LOG.debug("the client's connection did not close: {}", e.toString());
        }
    }
}
