package remus.disk;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Lock;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The end of what works on disks, all of it within one limit. A disk that hangs, such as one behind a network that is gone,
 * keeps whoever is in a call to it for as long as the kernel likes; whoever closes does not wait for that. What hangs is
 * left then: threads are daemons that have been told to end, and do nothing more when their call returns. What they use is
 * freed after them. Confined to the thread that closes; an interrupt of that thread is kept for later.
 */
final class Closing {
    /** How long closing waits for the calls that are under way: longer than an fdatasync of a disk that works. */
    static final Duration LIMIT = Duration.ofSeconds(5);

    /** How often it is said that somebody waits for a thread that was left. */
    private static final Duration REMINDER = Duration.ofMinutes(5);

    private static final Logger LOG = LoggerFactory.getLogger(Closing.class);

    private final Duration limit;
    private final long deadlineNanos;

    private Closing(Duration limit) {
        this.limit = limit;
        deadlineNanos = System.nanoTime() + limit.toNanos();
    }

    static Closing within(Duration limit) {
        return new Closing(limit);
    }

    /** Waits for {@code thread}, which has been told to end; as {@link #await(Thread, String, Runnable)}. */
    boolean await(Thread thread, String what) {
        return await(thread, what, () -> {});
    }

    /**
     * Waits for {@code thread}, which has been told to end.
     *
     * @param what it does, for the message
     * @param atEnd frees what it uses: at once when it has ended in time, else on another thread when it ends
     * @return whether it has ended in time
     */
    boolean await(Thread thread, String what, Runnable atEnd) {
        if (attempt(nanos -> TimeUnit.NANOSECONDS.timedJoin(thread, nanos), () -> !thread.isAlive())) {
            atEnd.run();
            return true;
        }
        hangs(what);
        Thread.ofVirtual().name("after-" + thread.getName()).start(() -> {
            while (!Closing.within(REMINDER).hasEnded(thread)) {
                LOG.warn("{} still waits for its disk", what);
            }
            LOG.info("{} has ended after all", what);
            atEnd.run();
        });
        return false;
    }

    private boolean hasEnded(Thread thread) {
        return attempt(nanos -> TimeUnit.NANOSECONDS.timedJoin(thread, nanos), () -> !thread.isAlive());
    }

    /** Waits until nobody has {@code lock} any more; false when that takes too long. */
    boolean await(Lock lock, String what) {
        boolean[] locked = {false};
        if (attempt(nanos -> locked[0] = lock.tryLock(nanos, TimeUnit.NANOSECONDS), () -> locked[0])) {
            lock.unlock();
            return true;
        }
        hangs(what);
        return false;
    }

    private void hangs(String what) {
        LOG.error(
                "{} has not ended {} ms after it was told to: a disk does not answer. It is left alone, and the image "
                        + "stays locked until the disk answers; see the kernel's log (dmesg), and mend the disk or the "
                        + "way to it",
                what,
                limit.toMillis());
    }

    /** A wait that may take so long. */
    @FunctionalInterface
    private interface Wait {
        void of(long nanos) throws InterruptedException;
    }

    private boolean attempt(Wait wait, BooleanSupplier isDone) {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    // Even when no time is left, what is over already is no failure.
                    wait.of(Math.max(1, deadlineNanos - System.nanoTime()));
                } catch (InterruptedException e) {
                    interrupted = true;
                }
                if (isDone.getAsBoolean()) {
                    return true;
                }
                if (System.nanoTime() - deadlineNanos >= 0) {
                    return false;
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
