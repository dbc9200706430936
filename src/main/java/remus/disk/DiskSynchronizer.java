package remus.disk;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.base.RemusException;
import remus.base.Time;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.DiskForwarding;
import remus.checkpoint.DiskOperation;

/**
 * Brings the backup's images to ours while the guest runs, one disk after the other: a cursor goes through the disk, and
 * what is below it stays equal because the guest's changes there are forwarded.
 *
 * <p>Each step holds the disk's order lock: a piece at the cursor is read and forwarded as far as the backup lacks it, and
 * the cursor moves past it. So a change of the guest's is either in what a step reads, or comes after it. A guest that
 * waits for the lock gets its turn between two steps; while the channel is full, it waits as long as the step does.
 *
 * <p>A backup without earlier content has an image of zeros: holes and blocks of zeros are skipped. With earlier content
 * its digests (SHA-256) of blocks of 64 KiB are compared with ours, and only what differs is sent.
 *
 * <p>Has a thread of its own, from {@link #start} until it has called {@link Listener#done} or
 * {@link Listener#failed}, or silently after {@link #cancel} or when the channel has ended, which says so itself. Writes
 * go on being forwarded after it. Failure: an image that can't be read, or digests that do not come or were not asked
 * for, end the session: {@link Listener#failed} gives the reason.
 */
public final class DiskSynchronizer {
    /** Blocks are compared, and tested for zeros, as a whole. */
    static final int BLOCK_BYTES = BlockDigests.BLOCK_BYTES;

    /** Read and sent in one step. */
    static final int COPY_STEP_BYTES = DiskForwarding.MAX_WRITE_BYTES;

    /** Compared in one step: less, for digests take long enough that a guest's change would feel it. */
    static final int COMPARE_STEP_BYTES = 4 * BLOCK_BYTES;

    /** Time between two reports of progress. */
    static final long PROGRESS_NANOS = 250_000_000L;

    /** How often, and for how long at a time, a step is put off for a guest that waits for the lock. */
    private static final int COURTESY_TURNS = 16;

    private static final long COURTESY_NANOS = 50_000L;

    /** A wait for the throttle looks at the clock again after so long. */
    private static final long LOOK_MILLIS = 100;

    /**
     * How it is done.
     *
     * @param bytesPerSecond of data sent, at most; 0 for no limit
     * @param earlierContent names of the disks of which the backup has an image with earlier content
     */
    public record Settings(long bytesPerSecond, Set<String> earlierContent) {
        public Settings {
            if (bytesPerSecond < 0) {
                throw new IllegalArgumentException("bytesPerSecond=" + bytesPerSecond + " is negative");
            }
            earlierContent = Set.copyOf(earlierContent);
        }
    }

    /** What becomes of it, on its thread: an implementation hands over and returns. Nothing begins after a cancel. */
    public interface Listener {
        /** A few times a second. */
        void progress(SyncProgress progress);

        /** The backup's images equal ours, and will as long as changes are forwarded. */
        void done();

        /** The session can't go on. */
        void failed(CheckpointException cause);

        /** The program's own state contradicts itself: the process should stop. */
        void broken(Throwable cause);
    }

    /** What a block at an offset in the buffer, of a length, is to become at the backup; null: it is that already. */
    @FunctionalInterface
    private interface Judge {
        @Nullable
        DiskOperation judge(long inBuffer, long length) throws DiskException;
    }

    private final List<GuestDisk> disks;
    private final DiskForwarding forwarding;
    private final Settings settings;
    private final Listener listener;
    private final Time time;
    private final Throttle throttle;
    private final SyncRate rate;
    private final Thread thread;
    private final long bytesTotal;
    private volatile boolean cancelled;
    private boolean held; // guarded by this
    private volatile @Nullable DigestWindows windows;
    private long bytesSent;
    private long lastProgressNanos;
    private MemorySegment buffer = MemorySegment.NULL;
    private MemorySegment zeros = MemorySegment.NULL;

    DiskSynchronizer(
            List<GuestDisk> disks, DiskForwarding forwarding, Settings settings, Listener listener, Time time) {
        this.disks = disks;
        this.forwarding = forwarding;
        this.settings = settings;
        this.listener = listener;
        this.time = time;
        throttle = new Throttle(settings.bytesPerSecond());
        rate = new SyncRate(time.nanos());
        lastProgressNanos = time.nanos();
        bytesTotal = disks.stream().mapToLong(GuestDisk::bytes).sum();
        thread = Thread.ofPlatform().daemon().name("disk-sync").unstarted(this::run);
    }

    /** Begins; once. */
    public void start() {
        thread.start();
    }

    /** The backup's answer to a comparison; called on any thread. */
    public void digests(int disk, long firstBlock, byte[] digests) {
        DigestWindows current = windows;
        if (current != null) {
            current.received(disk, firstBlock, digests);
        }
    }

    /** Ends it as soon as its thread has noticed, without waiting for that; nothing is reported any more. */
    public void cancel() {
        cancelled = true;
        DigestWindows current = windows;
        if (current != null) {
            current.cancel();
        }
        synchronized (this) {
            notifyAll();
        }
    }

    /** While {@code stands}, no further step is begun: nothing would keep it from filling the channel's memory. */
    synchronized void hold(boolean stands) {
        held = stands;
        notifyAll();
    }

    boolean hasEnded() {
        return thread.getState() == Thread.State.TERMINATED;
    }

    /**
     * Cancels it and waits for its thread, which reads a disk or waits for the channel at most: writes are to be let
     * through, or the channel closed, before. Returns false when that takes too long.
     */
    boolean close(Closing closing) {
        cancel();
        return closing.await(thread, "the synchronization of the disks");
    }

    private void run() {
        try (Arena arena = Arena.ofConfined()) {
            buffer = arena.allocate(COPY_STEP_BYTES, BLOCK_BYTES);
            zeros = arena.allocate(BLOCK_BYTES, BLOCK_BYTES);
            BlockDigests own = new BlockDigests(arena);
            for (int disk = 0; disk < disks.size(); disk++) {
                if (!synchronize(disk, own)) {
                    return;
                }
            }
            if (!cancelled) {
                listener.done();
            }
        } catch (DiskException | CheckpointException e) {
            fail(e);
        } catch (RuntimeException | Error e) {
            listener.broken(e);
        }
    }

    private void fail(RemusException cause) {
        if (!cancelled) {
            listener.failed(new CheckpointException(
                    ErrorCategory.DEGRADE, "the disks can't be synchronized: " + cause.getMessage(), cause));
        }
    }

    /** Returns false when there is nothing more to be done in this session. */
    private boolean synchronize(int index, BlockDigests own) throws DiskException, CheckpointException {
        GuestDisk disk = disks.get(index);
        DiskReplica replica = disk.replica();
        if (replica == null) {
            return false; // the session has ended before its synchronization began
        }
        boolean compares = settings.earlierContent().contains(disk.name());
        DigestWindows digests = new DigestWindows(forwarding, index, BlockDigests.count(disk.bytes()), time);
        windows = digests;
        while (!replica.isSynchronized()) {
            awaitTurn();
            if (cancelled || (compares && !digests.await(replica.cursor() / BLOCK_BYTES))) {
                return false;
            }
            if (!step(disk, replica, own, compares ? digests : null)) {
                return false;
            }
            giveWay(disk.order());
            progress(disk, false);
        }
        windows = null;
        progress(disk, true);
        return true;
    }

    private boolean step(GuestDisk disk, DiskReplica replica, BlockDigests own, @Nullable DigestWindows digests)
            throws DiskException {
        disk.order().lock();
        try {
            return digests == null ? copy(disk.image(), replica) : compare(disk.image(), replica, own, digests);
        } finally {
            disk.order().unlock();
        }
    }

    private boolean copy(BlockImage image, DiskReplica replica) throws DiskException {
        long from = replica.cursor();
        long data = image.nextData(from);
        if (data > from) {
            replica.moveCursor(data);
            return true;
        }
        // Steps end at a block's boundary, so that blocks of zeros are found as a whole.
        long limit = Math.min(image.bytes(), (from + COPY_STEP_BYTES) / BLOCK_BYTES * BLOCK_BYTES);
        long hole = image.nextHole(from);
        long end = hole > from ? Math.min(limit, hole) : limit;
        image.read(from, buffer, 0, end - from);
        return forward(replica, from, end, (at, length) -> isZero(at, length) ? null : DiskOperation.WRITE);
    }

    private boolean compare(BlockImage image, DiskReplica replica, BlockDigests own, DigestWindows digests)
            throws DiskException {
        long from = replica.cursor();
        long windowBytes = (long) DigestWindows.WINDOW_BLOCKS * BLOCK_BYTES;
        long windowEnd = (from / windowBytes + 1) * windowBytes;
        long end = Math.min(Math.min(image.bytes(), from + COMPARE_STEP_BYTES), windowEnd);
        if (image.nextData(from) >= end) {
            return forward(
                    replica,
                    from,
                    end,
                    (at, length) -> digests.matches((from + at) / BLOCK_BYTES, own.ofZeros((int) length))
                            ? null
                            : DiskOperation.TRIM);
        }
        image.read(from, buffer, 0, end - from);
        return forward(replica, from, end, (at, length) -> {
            boolean zero = isZero(at, length);
            byte[] digest = zero ? own.ofZeros((int) length) : own.of(buffer.asSlice(at, length));
            if (digests.matches((from + at) / BLOCK_BYTES, digest)) {
                return null;
            }
            return zero ? clearing(image, from + at, length) : DiskOperation.WRITE;
        });
    }

    /** What makes zeros of a range at the backup, and a hole where it is one here. */
    private static DiskOperation clearing(BlockImage image, long offset, long length) throws DiskException {
        return image.nextData(offset) >= offset + length ? DiskOperation.TRIM : DiskOperation.ZERO;
    }

    private boolean isZero(long at, long length) {
        return MemorySegment.mismatch(buffer, at, at + length, zeros, 0, length) == -1;
    }

    /** Forwards what the backup lacks of a range that is in the buffer, neighbours together, and moves the cursor. */
    private boolean forward(DiskReplica replica, long from, long end, Judge judge) throws DiskException {
        long runFrom = from;
        @Nullable DiskOperation run = null;
        for (long block = from; block < end; ) {
            long next = Math.min(end, (block / BLOCK_BYTES + 1) * BLOCK_BYTES);
            DiskOperation operation = judge.judge(block - from, next - block);
            if (operation != run) {
                if (!forwardRun(replica, run, from, runFrom, block)) {
                    return false;
                }
                run = operation;
                runFrom = block;
            }
            block = next;
        }
        if (!forwardRun(replica, run, from, runFrom, end)) {
            return false;
        }
        replica.moveCursor(end);
        return true;
    }

    private boolean forwardRun(
            DiskReplica replica, @Nullable DiskOperation operation, long bufferFrom, long from, long end) {
        if (operation == null || from == end) {
            return true;
        }
        if (operation == DiskOperation.WRITE) {
            bytesSent += end - from;
            throttle.take(end - from, time.nanos());
        }
        return replica.forwardSynchronized(operation, from, end - from, buffer, from - bufferFrom);
    }

    /** The lock is not fair, and whoever waits for it has to wake up first: without this a guest would hardly get it. */
    private static void giveWay(ReentrantLock order) {
        for (int turn = 0; turn < COURTESY_TURNS && order.hasQueuedThreads(); turn++) {
            LockSupport.parkNanos(COURTESY_NANOS);
        }
    }

    /** Waits while it is held, and as its rate demands; an interrupt cancels it. */
    private synchronized void awaitTurn() {
        try {
            for (long left = throttle.nanosToWait(time.nanos());
                    (held || left > 0) && !cancelled;
                    left = throttle.nanosToWait(time.nanos())) {
                wait(held ? LOOK_MILLIS : Math.min(LOOK_MILLIS, left / 1_000_000 + 1));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            cancelled = true;
        }
    }

    private void progress(GuestDisk disk, boolean atOnce) {
        long now = time.nanos();
        if (cancelled || (!atOnce && now - lastProgressNanos < PROGRESS_NANOS)) {
            return;
        }
        lastProgressNanos = now;
        long done = 0;
        for (GuestDisk each : disks) {
            DiskReplica replica = each.replica();
            done += replica == null ? 0 : replica.cursor();
        }
        rate.sample(done, now);
        Duration remaining = Duration.ofSeconds(rate.secondsFor(bytesTotal - done));
        listener.progress(new SyncProgress(
                disk.name(), done, bytesTotal, bytesSent, done - bytesSent, rate.bytesPerSecond(), remaining));
    }
}
