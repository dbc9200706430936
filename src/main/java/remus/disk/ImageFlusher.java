package remus.disk;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.ErrorCategory;

/**
 * Brings one disk's changes to stable storage, on a thread of its own, for the guest's flushes. Several that wait share
 * one fdatasync; where nothing has changed since the last, there is none.
 *
 * <p>While the guest is being stopped for the checkpoint of an epoch, a flush must not hold up the pause: it is answered
 * at once and <em>owed</em> to that epoch, whose output may not leave before the fdatasync, begun at once, is done. A
 * flush that waits when the pause begins is answered and owed in the same way.
 *
 * <p>Failure: every flush that waits gets the error. Where nobody waits any more, because the flush was answered already,
 * the guest's next flush of this disk gets it, as from a drive whose cache failed to be written back, and the epoch is
 * owed nothing more: checkpoints go on. Later flushes try again.
 *
 * <p>Thread-safe. Holds one owed entry per epoch in flight and one for earlier sessions, so a few at most.
 */
final class ImageFlusher {
    private final String disk;
    private final BlockImage image;
    private final Consumer<DiskException> failed;
    private final Runnable owedDone;
    private final Thread thread;

    // Changes are counted; a flush is for all those counted before it.
    private long changed;
    private long durable;
    private long wanted;
    private long failures;
    private @Nullable DiskException lastFailure;
    private @Nullable DiskException unreported;
    private @Nullable EpochId pausingFor;
    private final Deque<Owed> owed = new ArrayDeque<>();
    private boolean closed;

    private record Owed(EpochId epoch, long change) {}

    /**
     * @param failed called on the flusher's thread when an fdatasync has failed
     * @param owedDone called on the flusher's thread when fewer epochs are owed something
     */
    ImageFlusher(String disk, BlockImage image, Consumer<DiskException> failed, Runnable owedDone) {
        this.disk = disk;
        this.image = image;
        this.failed = failed;
        this.owedDone = owedDone;
        thread = Thread.ofPlatform().daemon().name("flush-" + disk).unstarted(this::run);
        thread.start();
    }

    /** The image has changed, or may have; called before the guest hears of it. */
    synchronized void changed() {
        changed++;
    }

    /** Returns when all changes counted so far are durable, or are owed to the epoch whose pause has begun. */
    synchronized void flush() throws DiskException {
        throwUnreported();
        try {
            awaitDurable(changed);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw DiskGate.interrupted(disk, e);
        }
    }

    private synchronized void awaitDurable(long through) throws DiskException, InterruptedException {
        long failuresBefore = failures;
        while (durable < through) {
            if (closed) {
                throw DiskGate.closed(disk);
            }
            want(through);
            EpochId pausing = pausingFor;
            if (pausing != null) {
                owe(pausing, through);
                return;
            }
            wait();
            // First of all: a later fdatasync may succeed because the kernel has given the data of the failed one up.
            DiskException failure = lastFailure;
            if (failures > failuresBefore && failure != null) {
                throw failure;
            }
        }
    }

    /** Not to a flush in a pause: it may be QEMU's own, and the guest would never hear of the error. */
    private void throwUnreported() throws DiskException {
        DiskException earlier = unreported;
        if (earlier != null && pausingFor == null) {
            unreported = null;
            throw earlier;
        }
    }

    private void want(long through) {
        if (wanted < through) {
            wanted = through;
            notifyAll();
        }
    }

    private void owe(EpochId epoch, long through) {
        Owed last = owed.peekLast();
        if (last != null && last.epoch().equals(epoch)) {
            owed.removeLast();
        }
        owed.addLast(new Owed(epoch, through));
    }

    /** The guest is being stopped at the end of {@code epoch}: flushes are answered at once from now on, and owed. */
    synchronized void pausing(EpochId epoch) {
        pausingFor = epoch;
        notifyAll();
    }

    /** QEMU has flushed for its own purposes; what comes is the guest's, and waits. */
    synchronized void paused() {
        pausingFor = null;
    }

    /** Begins an fdatasync of all that has changed so far, where it is not durable yet. */
    synchronized void syncAhead() {
        want(changed);
    }

    /**
     * Waits until all changes are durable, those included whose flush was answered already.
     *
     * @throws DiskException they can't be made so, or not within {@code limit}
     */
    synchronized void awaitAllDurable(Duration limit) throws DiskException {
        long deadlineNanos = System.nanoTime() + limit.toNanos();
        long failuresBefore = failures;
        try {
            while (durable < changed || unreported != null) {
                DiskException failure = unreported != null || failures > failuresBefore ? lastFailure : null;
                if (failure != null) {
                    throw failure;
                }
                if (closed) {
                    throw DiskGate.closed(disk);
                }
                long leftNanos = deadlineNanos - System.nanoTime();
                if (leftNanos <= 0) {
                    throw new DiskException(
                            ErrorCategory.DEGRADE,
                            "an fdatasync of disk %s has not ended for %d s".formatted(disk, limit.toSeconds()),
                            0,
                            null);
                }
                want(changed);
                TimeUnit.NANOSECONDS.timedWait(this, leftNanos);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw DiskGate.interrupted(disk, e);
        }
    }

    /** What is still owed is owed to no epoch of a later session in particular, so to all of them. */
    synchronized void sessionEnded() {
        pausingFor = null;
        Owed last = owed.peekLast();
        if (last != null) {
            owed.clear();
            owed.add(new Owed(EpochId.NONE, last.change()));
        }
    }

    /** Whether {@code epoch}, or one before it, waits for an owed fdatasync. */
    synchronized boolean owes(EpochId epoch) {
        Owed first = owed.peekFirst();
        return first != null && !first.epoch().isAfter(epoch);
    }

    private void run() {
        try {
            serve();
        } finally {
            // Whatever ended it: nobody waits for a thread that is gone.
            shutDown();
        }
    }

    private void serve() {
        while (true) {
            long through;
            synchronized (this) {
                while (wanted <= durable && !closed) {
                    try {
                        wait();
                    } catch (InterruptedException e) {
                        return; // nobody interrupts it
                    }
                }
                if (closed && owed.isEmpty()) {
                    return;
                }
                through = changed;
            }
            try {
                image.sync();
                done(through);
            } catch (DiskException e) {
                notDone(e);
            } catch (RuntimeException e) {
                notDone(new DiskException(ErrorCategory.DEGRADE, "disk " + disk + " can't be flushed: " + e, 0, e));
            } catch (Error e) {
                notDone(new DiskException(
                        ErrorCategory.FATAL, "the flusher of disk " + disk + " broke down: " + e, 0, e));
            }
        }
    }

    private void done(long through) {
        boolean fewerOwed = false;
        synchronized (this) {
            durable = Math.max(durable, through);
            while (!owed.isEmpty() && owed.element().change() <= durable) {
                owed.remove();
                fewerOwed = true;
            }
            notifyAll();
        }
        if (fewerOwed) {
            owedDone.run();
        }
    }

    private void notDone(DiskException cause) {
        boolean fewerOwed;
        synchronized (this) {
            failures++;
            lastFailure = cause;
            wanted = durable;
            fewerOwed = !owed.isEmpty();
            if (fewerOwed) {
                owed.clear();
                unreported = cause;
            }
            notifyAll();
        }
        failed.accept(cause);
        if (fewerOwed) {
            owedDone.run();
        }
    }

    /** Fails the flushes that wait, without waiting itself; what is owed is still brought to the disk. */
    synchronized void shutDown() {
        closed = true;
        notifyAll();
    }

    /** Waits for the fdatasync under way, if there is one; false when that takes too long. */
    boolean close(Closing closing) {
        shutDown();
        return closing.await(thread, "the flusher of disk " + disk);
    }
}
