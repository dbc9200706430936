package remus.bench;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import remus.base.RemusException;

/**
 * Lets a bench end in order at Ctrl-C or SIGTERM: the virtual machine then waits, at most {@link #LIMIT}, until the
 * bench has noticed it at one of its {@link #check}s and closed all it owns, by which it leaves no process and no file.
 */
public final class StopSignal implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private final CountDownLatch closed = new CountDownLatch(1);
    private final Thread hook;
    private volatile boolean wanted;

    private StopSignal() {
        Thread bench = Thread.currentThread();
        hook = new Thread(() -> awaitEnd(bench), "bench-end");
    }

    /** To be opened before, and so closed after, all that has to be cleaned up; by the thread that runs the bench. */
    public static StopSignal install() {
        StopSignal signal = new StopSignal();
        Runtime.getRuntime().addShutdownHook(signal.hook);
        return signal;
    }

    private void awaitEnd(Thread bench) {
        wanted = true;
        // Also ends a wait for another process.
        bench.interrupt();
        try {
            boolean _ = closed.await(LIMIT.toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** @throws BenchException when the bench is to end now */
    public void check() throws BenchException {
        if (wanted) {
            throw new BenchException("interrupted; nothing is left behind", null);
        }
    }

    @Override
    public void close() {
        closed.countDown();
        if (!wanted) {
            try {
                boolean _ = Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException e) {
                // The virtual machine has begun to end meanwhile; the hook finds us closed.
            }
        }
    }

    /** What is measured until the end, or until a signal comes. */
    @FunctionalInterface
    public interface Measurement<T> {
        T run(StopSignal stop) throws RemusException, InterruptedException;
    }

    /**
     * Measures with a signal of its own.
     *
     * @param failure what is said first where that fails
     */
    public static <T> T during(String failure, Measurement<T> measurement) throws BenchException {
        try (StopSignal stop = install()) {
            try {
                return measurement.run(stop);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new BenchException("interrupted; nothing is left behind", e);
            } catch (BenchException e) {
                throw e;
            } catch (RemusException e) {
                stop.check();
                throw BenchException.because(failure, e);
            }
        }
    }
}
