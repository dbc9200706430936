package remus.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** A request to a disk on a thread of its own, as a worker of the NBD server would make it. */
final class Background {
    private static final Duration DEADLINE = Duration.ofSeconds(20);

    /** What may be asked of a disk. */
    @FunctionalInterface
    interface Request {
        void run() throws Exception;
    }

    private final FutureTask<@Nullable Exception> task;
    private final Thread thread;

    private Background(Request request) {
        Callable<@Nullable Exception> outcome = () -> {
            try {
                request.run();
                return null;
            } catch (DiskException e) {
                return e;
            }
        };
        task = new FutureTask<>(outcome);
        thread = Thread.ofPlatform().daemon().name("background").start(task);
    }

    static Background start(Request request) {
        return new Background(request);
    }

    /** Returns when the request waits for something; fails when it ends instead. */
    Background awaitWaiting() {
        await("the request waits", () -> {
            assertTrue(!task.isDone(), "the request has ended without waiting");
            Thread.State state = thread.getState();
            return state == Thread.State.WAITING || state == Thread.State.TIMED_WAITING;
        });
        return this;
    }

    /** Returns when the request has ended well. */
    void join() throws Exception {
        assertEquals(null, outcome());
    }

    /** Returns the request's error once it has ended with one. */
    DiskException failure() throws Exception {
        return (DiskException) java.util.Objects.requireNonNull(outcome(), "the request has not failed");
    }

    private @Nullable Exception outcome() throws Exception {
        try {
            return task.get(DEADLINE.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            throw new AssertionError("the request broke", e.getCause());
        }
    }

    static void await(String what, BooleanSupplier reached) {
        long deadline = System.nanoTime() + DEADLINE.toNanos();
        while (!reached.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, "in vain: " + what);
            Thread.onSpinWait();
        }
    }
}
