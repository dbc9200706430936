package remus.memory;

import java.util.Arrays;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.linux.Errno;
import remus.linux.EventFd;
import remus.linux.LinuxException;
import remus.linux.Poller;
import remus.linux.ProcessMapping;
import remus.linux.Userfaultfd;

/**
 * Tracking by a thread of ours, for kernels that can't do it alone: the first write of a page waits until the handler
 * thread has noted the page and lifted its protection.
 *
 * <p>Invariant: to note a page and lift its protection is one step, and so is to take the noted pages and protect them
 * again; a lock keeps the two apart. Were they not, a page taken between note and lifting would be left unprotected and
 * unnoted.
 *
 * <p>If the handler fails it ends the protection, so that no vCPU waits for ever, and the next {@link #collect} says so.
 */
final class SyncDirtyTracker implements DirtyTracker {
    private static final Logger LOG = LoggerFactory.getLogger(SyncDirtyTracker.class);
    private static final long WAIT_NANOS = 1_000_000_000L;
    private static final int FAULTS = 0;
    private static final int STOP = 1;
    private static final int SLOT_COUNT = 2;

    private final Userfaultfd protection;
    private final EventFd wakeUp;
    private final long start;
    private final long bytes;
    private final Thread handler;
    private final ReentrantLock lock = new ReentrantLock();

    // Guarded by lock: a bit for each page that may have been written since it was last collected.
    private final long[] written;
    private @Nullable LinuxException failure;
    private volatile boolean closing;
    private boolean closed;

    /**
     * Takes over {@code protection}.
     *
     * @param ram where QEMU has mapped the RAM file, registered with {@code protection}
     */
    SyncDirtyTracker(Userfaultfd protection, ProcessMapping ram) throws LinuxException {
        this.protection = protection;
        start = ram.start();
        bytes = ram.bytes();
        written = new long[Math.toIntExact((bytes / GuestMemory.PAGE_BYTES + Long.SIZE - 1) / Long.SIZE)];
        wakeUp = EventFd.open();
        handler = Thread.ofPlatform().name("dirty-pages").daemon().start(this::handleFaults);
    }

    @Override
    public void arm() throws LinuxException {
        lock.lock();
        try {
            checkWorking();
            Arrays.fill(written, 0);
            protection.protect(start, bytes);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void collect(DirtyPages into) throws LinuxException {
        lock.lock();
        try {
            checkWorking();
            int page = nextWritten(0, true);
            while (page >= 0) {
                int behind = nextWritten(page, false);
                protection.protect(
                        start + (long) page * GuestMemory.PAGE_BYTES, (long) (behind - page) * GuestMemory.PAGE_BYTES);
                into.add(page, behind - page);
                page = nextWritten(behind, true);
            }
            Arrays.fill(written, 0);
            protection.checkProcessLives(start, bytes);
        } finally {
            lock.unlock();
        }
    }

    /** First page at or after {@code from} that is written, or is not; -1 for no written one, all pages for no other. */
    private int nextWritten(int from, boolean isWritten) {
        int word = from / Long.SIZE;
        long bits = 0;
        if (word < written.length) {
            bits = (isWritten ? written[word] : ~written[word]) & -1L << from % Long.SIZE;
        }
        while (bits == 0 && ++word < written.length) {
            bits = isWritten ? written[word] : ~written[word];
        }
        if (word < written.length) {
            return word * Long.SIZE + Long.numberOfTrailingZeros(bits);
        }
        return isWritten ? -1 : Math.toIntExact(bytes / GuestMemory.PAGE_BYTES);
    }

    private void checkWorking() throws LinuxException {
        if (failure != null) {
            throw new LinuxException("tracking guest memory", failure.errno(), "the handler of writes failed before");
        }
    }

    private void handleFaults() {
        long[] addresses = new long[Userfaultfd.MAX_FAULTS];
        try (Poller poller = new Poller(SLOT_COUNT)) {
            poller.enable(FAULTS, protection.descriptor(), true, false);
            poller.enable(STOP, wakeUp.descriptor(), true, false);
            while (!closing) {
                int count = protection.readWriteFaults(addresses);
                if (count == 0) {
                    poller.await(WAIT_NANOS);
                } else {
                    letThrough(addresses, count);
                }
            }
        } catch (LinuxException e) {
            fail(e);
        } catch (RuntimeException e) {
            LOG.error("the handler of writes to guest memory failed", e);
            fail(new LinuxException("handling writes to guest memory", Errno.EIO));
        }
    }

    private void letThrough(long[] addresses, int count) throws LinuxException {
        lock.lock();
        try {
            for (int i = 0; i < count; i++) {
                long page = (addresses[i] - start) / GuestMemory.PAGE_BYTES;
                // Noted before the writer goes on, so that no write is ever unknown.
                written[(int) (page / Long.SIZE)] |= 1L << page % Long.SIZE;
                protection.unprotect(start + page * GuestMemory.PAGE_BYTES, GuestMemory.PAGE_BYTES);
            }
        } finally {
            lock.unlock();
        }
    }

    private void fail(LinuxException cause) {
        lock.lock();
        try {
            failure = cause;
            LOG.warn("tracking of guest memory ends: {}", cause.getMessage());
            closeProtection();
        } finally {
            lock.unlock();
        }
    }

    /** Ends all protection and wakes all writers that wait. */
    private void closeProtection() {
        if (!closed) {
            closed = true;
            protection.close();
        }
    }

    @Override
    public TrackingMode mode() {
        return TrackingMode.SYNC;
    }

    @Override
    public void close() {
        closing = true;
        wakeUp.signal();
        boolean interrupted = false;
        while (true) {
            try {
                handler.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        lock.lock();
        try {
            closeProtection();
        } finally {
            lock.unlock();
        }
        wakeUp.close();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
