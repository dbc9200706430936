package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class RedisClientLoadTest {
    private FakeRedis redis;
    private RedisClientLoad load;

    @BeforeEach
    void start() throws Exception {
        redis = new FakeRedis();
        load = RedisClientLoad.start(redis::connect, 42);
    }

    @AfterEach
    void close() throws Exception {
        load.close();
        redis.close();
    }

    private static void await(BooleanSupplier condition, String what) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, what);
            TimeUnit.MILLISECONDS.sleep(1);
        }
    }

    private void awaitAcknowledged(long writes) throws InterruptedException {
        await(() -> load.figures().acknowledged() >= writes || !load.isRunning(), writes + " writes acknowledged");
    }

    @Test
    void anHonestServerLosesNothing() throws Exception {
        awaitAcknowledged(200);
        ClientLoad.Figures figures = load.finish();
        assertTrue(figures.acknowledged() >= 200);
        assertEquals(0, figures.lost());
        assertEquals(0, figures.resets());
        assertNull(figures.problem());
        assertEquals(1, redis.connections.get());
        assertFalse(load.isRunning());
    }

    @Test
    void aServerThatGoesBackInTimeIsFoundOut() throws Exception {
        awaitAcknowledged(100);
        Map<String, String> snapshot = redis.snapshot();
        long before = load.figures().acknowledged();
        awaitAcknowledged(before + 60);
        redis.restore(snapshot);
        awaitAcknowledged(before + 120);
        ClientLoad.Figures figures = load.finish();
        assertTrue(figures.lost() >= 30, figures.toString());
        assertEquals(0, figures.resets());
        assertTrue(String.valueOf(figures.problem()).contains("instead of")
                || String.valueOf(figures.problem()).contains("another value")
                || String.valueOf(figures.problem()).contains("nothing"));
    }

    @Test
    void oneForgottenWriteIsFoundAtTheEndAtTheLatest() throws Exception {
        awaitAcknowledged(100);
        redis.answering.lock();
        try {
            Map<String, String> values = redis.snapshot();
            String forgotten = values.keySet().stream()
                    .filter(key -> !key.endsWith("counter"))
                    .findFirst()
                    .orElseThrow();
            values.remove(forgotten);
            redis.restore(values);
        } finally {
            redis.answering.unlock();
        }
        assertEquals(1, load.finish().lost());
    }

    @Test
    void aResetIsCountedAndTheConnectionNotReplaced() throws Exception {
        awaitAcknowledged(20);
        redis.resetConnection();
        await(() -> !load.isRunning(), "the load ends");
        ClientLoad.Figures figures = load.finish();
        assertEquals(1, figures.resets());
        assertEquals(0, figures.lost());
        assertTrue(String.valueOf(figures.problem()).startsWith("the connection broke"), figures.toString());
        assertEquals(1, redis.connections.get());
    }

    @Test
    void anErrorOfTheServerFailsTheLoad() throws Exception {
        awaitAcknowledged(20);
        redis.refuseFromNowOn();
        await(() -> !load.isRunning(), "the load ends");
        assertEquals(1, load.finish().resets());
    }

    @Test
    void aStallIsMeasuredFromTheFailureToTheNextAnswer() throws Exception {
        awaitAcknowledged(20);
        long failure;
        redis.answering.lock();
        try {
            failure = System.nanoTime();
            await(() -> System.nanoTime() - failure > TimeUnit.MILLISECONDS.toNanos(150), "time passes");
            assertFalse(load.answers().isAnsweredSince(failure + 1_000_000));
        } finally {
            redis.answering.unlock();
        }
        await(() -> load.answers().isAnsweredSince(failure + TimeUnit.MILLISECONDS.toNanos(50)), "an answer comes");
        double millis = load.answers().longestStallAfter(failure).orElseThrow().millis();
        assertTrue(millis >= 149 && millis < 2_000, "stall of " + millis + " ms");
    }
}
