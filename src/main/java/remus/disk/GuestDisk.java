package remus.disk;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import remus.base.Invariant;
import remus.base.Time;
import remus.checkpoint.DiskOperation;

/**
 * One disk of a VM: serves the guest from the local image and forwards what changes it to the backup, if there is one.
 *
 * <p>Order: changes are made one at a time under the disk's <em>order lock</em>, to the local image first and then to the
 * backup's channel, so that both sides see the same order. A change waits for the one before it, and so for the channel
 * too where that is full. Reads and flushes take no lock and wait for neither: overlapping requests have no order that
 * anyone could count on, and a flush is for changes that have been answered.
 *
 * <p>Failure: what fails on the local image is answered with its error and not forwarded; the image may then have a part
 * of it, as a real disk might, and the backup's has none. Each burst of errors is reported once.
 *
 * <p>Thread-safe; called by the workers of the NBD server. Made and closed by {@link GuestDisks}, which says what waits
 * when.
 */
public final class GuestDisk implements NbdExport {
    /** Errors that follow each other within this time are one burst. */
    static final long BURST_NANOS = 10_000_000_000L;

    private static final MemorySegment NO_DATA = MemorySegment.NULL;

    private final String name;
    private final BlockImage image;
    private final DiskGate gate;
    private final ImageFlusher flusher;
    private final BiConsumer<DiskRequest, DiskException> failed;
    private final Time time;
    private final AtomicInteger underWay = new AtomicInteger();
    private final ReentrantLock order = new ReentrantLock();
    private volatile @Nullable DiskReplica replica;
    private boolean hasFailed;
    private long lastFailureNanos;

    /**
     * @param failed called with the first error of each burst, on the thread that met it
     * @param owedDone called on any thread when an owed fdatasync is done
     */
    GuestDisk(
            String name,
            BlockImage image,
            DiskGate gate,
            BiConsumer<DiskRequest, DiskException> failed,
            Runnable owedDone,
            Time time) {
        this.name = name;
        this.image = image;
        this.gate = gate;
        this.failed = failed;
        this.time = time;
        flusher = new ImageFlusher(name, image, cause -> report(DiskRequest.FLUSH, cause), owedDone);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public long bytes() {
        return image.bytes();
    }

    @Override
    public void read(long offset, MemorySegment target, long at, long length) throws DiskException {
        underWay.incrementAndGet();
        try {
            image.read(offset, target, at, length);
        } catch (DiskException e) {
            report(DiskRequest.READ, e);
            throw e;
        } finally {
            underWay.decrementAndGet();
        }
    }

    @Override
    public boolean readNow(long offset, MemorySegment target, long at, long length) throws DiskException {
        try {
            return image.readCached(offset, target, at, length);
        } catch (DiskException e) {
            report(DiskRequest.READ, e);
            throw e;
        }
    }

    @Override
    public void write(long offset, MemorySegment data, long at, long length, boolean durable) throws DiskException {
        change(DiskOperation.WRITE, offset, length, data, at);
        if (durable) {
            flusher.flush();
        }
    }

    @Override
    public void zero(long offset, long length, boolean mayTrim, boolean durable) throws DiskException {
        change(mayTrim ? DiskOperation.TRIM : DiskOperation.ZERO, offset, length, NO_DATA, 0);
        if (durable) {
            flusher.flush();
        }
    }

    @Override
    public void trim(long offset, long length, boolean durable) throws DiskException {
        change(DiskOperation.TRIM, offset, length, NO_DATA, 0);
        if (durable) {
            flusher.flush();
        }
    }

    /** Returns when all changes answered before are durable, or at once in a pause for a checkpoint. */
    @Override
    public void flush() throws DiskException {
        gate.awaitFlushable(name);
        flusher.flush();
    }

    @Override
    public long nextData(long offset) throws DiskException {
        return image.nextData(offset);
    }

    @Override
    public long nextHole(long offset) throws DiskException {
        return image.nextHole(offset);
    }

    private void change(DiskOperation operation, long offset, long length, MemorySegment data, long at)
            throws DiskException {
        underWay.incrementAndGet();
        try {
            gate.awaitOpen(name);
            changeInOrder(operation, offset, length, data, at);
        } finally {
            underWay.decrementAndGet();
        }
    }

    private void changeInOrder(DiskOperation operation, long offset, long length, MemorySegment data, long at)
            throws DiskException {
        order.lock();
        try {
            apply(operation, offset, length, data, at);
            DiskReplica current = replica;
            if (current != null) {
                current.guestChanged(operation, offset, length, data, at);
            }
        } finally {
            order.unlock();
        }
    }

    /** Whether a request is with the image, or waits for its turn there, or for the image to be this host's. */
    boolean isBusy() {
        return underWay.get() > 0;
    }

    private void apply(DiskOperation operation, long offset, long length, MemorySegment data, long at)
            throws DiskException {
        try {
            switch (operation) {
                case WRITE -> image.write(offset, data, at, length);
                case ZERO -> image.zero(offset, length);
                case TRIM -> image.trim(offset, length);
            }
        } catch (DiskException e) {
            report(request(operation), e);
            throw e;
        } finally {
            flusher.changed();
        }
    }

    private static DiskRequest request(DiskOperation operation) {
        return switch (operation) {
            case WRITE -> DiskRequest.WRITE;
            case ZERO -> DiskRequest.ZERO;
            case TRIM -> DiskRequest.TRIM;
        };
    }

    private void report(DiskRequest request, DiskException cause) {
        if (beginsBurst(time.nanos())) {
            failed.accept(request, cause);
        }
    }

    private synchronized boolean beginsBurst(long nowNanos) {
        boolean begins = !hasFailed || nowNanos - lastFailureNanos > BURST_NANOS;
        hasFailed = true;
        lastFailureNanos = nowNanos;
        return begins;
    }

    /** The lock under which the image changes and the cursor of its synchronization moves. */
    ReentrantLock order() {
        return order;
    }

    BlockImage image() {
        return image;
    }

    ImageFlusher flusher() {
        return flusher;
    }

    /** From now on changes are forwarded to {@code next} too; null: to nobody. Takes no lock. */
    void replicateTo(@Nullable DiskReplica next) {
        replica = next;
    }

    @Nullable
    DiskReplica replica() {
        return replica;
    }

    /** The replica of the session that is there. */
    DiskReplica presentReplica() {
        return Invariant.present(replica, "the replica of disk " + name);
    }

    /** Fails who waits for the disk, without waiting. */
    void shutDown() {
        flusher.shutDown();
    }

    /** Waits for changes and the fdatasync under way; false when that takes too long. */
    boolean close(Closing closing) {
        boolean isFlushed = flusher.close(closing);
        boolean isWritten = closing.await(order, "a change of disk " + name);
        replica = null;
        return isFlushed && isWritten;
    }
}
