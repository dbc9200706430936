package remus.disk;

import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.base.Invariant;
import remus.base.Time;
import remus.checkpoint.CheckpointException;

/**
 * The thread that does all slow work on a backup's images, in the order in which it was asked for: the writes of the
 * synchronization, digests, whole checkpoints, as many at once as wait.
 *
 * <p>States: RUNNING → FAILED at an error; FAILED → RUNNING by {@link #finish} or {@link #settle}, which try again;
 * RUNNING → SETTLED when {@link #settle} has succeeded; any → CLOSED. Work that failed stays first in the queue, unless it
 * is safe in the log. After an error that is none of a disk nothing is tried again. Safe for many threads; the listener is
 * called without the lock.
 */
final class ImageWriter {
    /** How long anybody waits for a disk. */
    static final Duration PATIENCE = Duration.ofSeconds(60);

    private static final Logger LOG = LoggerFactory.getLogger(ImageWriter.class);

    /** What the thread is asked to do. */
    sealed interface Work {
        /** One operation of the synchronization. */
        record Synchronize(List<DiskWrite> pieces) implements Work {
            long accountedBytes() {
                return pieces.stream().mapToLong(DiskWrite::accountedBytes).sum();
            }
        }

        record Compare(int disk, long firstBlock, int count, StandbyDisks.DigestConsumer consumer) implements Work {}

        /** A whole checkpoint. */
        record Whole(EpochWrites writes) implements Work {}
    }

    /** What the thread does next. */
    private enum Step {
        REPAIR,
        WORK,
        EMPTY_LOG,
        END,
        STOP
    }

    private final String vm;
    private final List<ReplicaDisk> disks;
    private final StandbyLimits limits;
    private final Time time;
    private final StandbyDisks.Listener listener;
    private final StagingBlocks blocks;
    private final Thread thread;

    // Confined to the thread.
    private final WriteAheadImages images;
    private final BlockDigests blockDigests = new BlockDigests(Arena.ofAuto());

    // All below is guarded by the lock.
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Deque<Work> queue = new ArrayDeque<>();
    private int takenCount;
    private int comparisonCount;
    private int finisherCount;
    private boolean isApplying;
    private boolean isRepairAsked;
    private boolean isSettled;
    private boolean isClosed;
    private long wholeBytes;
    private long synchronizeQueueBytes;
    private long synchronizedBytes;
    private long logBytes;
    private EpochId applied = EpochId.NONE;
    private boolean isConsistent;
    private @Nullable CheckpointException failure;
    private @Nullable CompletableFuture<@Nullable Void> settling;

    /** Does not run before {@link #start}. */
    ImageWriter(
            String vm,
            List<ReplicaDisk> disks,
            RedoLog log,
            StagingBlocks blocks,
            StandbyLimits limits,
            Time time,
            StandbyDisks.Listener listener) {
        this.vm = vm;
        this.disks = disks;
        this.limits = limits;
        this.time = time;
        this.listener = listener;
        this.blocks = blocks;
        this.images =
                new WriteAheadImages(log, disks.stream().map(ReplicaDisk::image).toList(), limits);
        this.thread = Thread.ofPlatform().name("disks-" + vm).daemon().unstarted(this::run);
    }

    void start() {
        thread.start();
    }

    /** Waits until the queue has room for a write of the synchronization, then adds it. */
    void synchronize(Work.Synchronize write) throws CheckpointException {
        long bytes = write.accountedBytes();
        lock.lock();
        try {
            long patienceNanos = PATIENCE.toNanos();
            while (true) {
                expectRunning();
                if (synchronizeQueueBytes + bytes <= limits.synchronizeQueueBytes()) {
                    break;
                }
                patienceNanos = await(patienceNanos);
            }
            synchronizeQueueBytes += bytes;
            queue.add(write);
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Adds a comparison; false when too many wait. */
    boolean compare(Work.Compare comparison, int limit) throws CheckpointException {
        lock.lock();
        try {
            expectRunning();
            if (comparisonCount >= limit) {
                return false;
            }
            comparisonCount++;
            queue.add(comparison);
            changed.signalAll();
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** Adds a whole checkpoint; also after a failure, for it may yet be needed. */
    void whole(EpochWrites writes) {
        lock.lock();
        try {
            Invariant.check(!isSettled && !isClosed, "epoch=%s for images that were given away", writes.epoch());
            // Of checkpoints without writes only the last one says anything; so they can't fill the queue.
            if (queue.size() > takenCount
                    && queue.getLast() instanceof Work.Whole before
                    && before.writes().isEmpty()
                    && isConsistent) {
                queue.removeLast();
            }
            wholeBytes += writes.accountedBytes();
            queue.add(new Work.Whole(writes));
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    boolean mayAcknowledge() {
        lock.lock();
        try {
            return failure == null && !isSettled && !isClosed && wholeBytes < limits.acknowledgeBytes();
        } finally {
            lock.unlock();
        }
    }

    /** Throws what keeps this from running. */
    void expectAble() throws CheckpointException {
        lock.lock();
        try {
            expectRunning();
        } finally {
            lock.unlock();
        }
    }

    private void expectRunning() throws CheckpointException {
        if (failure != null) {
            throw new CheckpointException(failure.category(), String.valueOf(failure.getMessage()), failure);
        }
        if (isSettled || isClosed) {
            throw new CheckpointException(
                    ErrorCategory.FATAL, "the disks of %s are no concern of a backup any more".formatted(vm), null);
        }
    }

    /** Waits until all that was asked for is in the images; tries again what failed. */
    void finish() throws CheckpointException {
        lock.lock();
        finisherCount++;
        try {
            tryAgain();
            long patienceNanos = PATIENCE.toNanos();
            while (true) {
                if (failure == null && isSettled) {
                    return;
                }
                expectRunning();
                if (queue.isEmpty() && !isApplying && !isRepairAsked) {
                    return;
                }
                patienceNanos = await(patienceNanos);
            }
        } finally {
            finisherCount--;
            lock.unlock();
        }
    }

    /** Finishes, makes the images durable and ends the log; tries again what failed. */
    CompletableFuture<@Nullable Void> settle() {
        lock.lock();
        try {
            if (settling == null) {
                // Nothing is tried again after it, so nobody would ever complete what is given here.
                if (failure != null && failure.category() == ErrorCategory.FATAL) {
                    return CompletableFuture.failedFuture(failure);
                }
                settling = new CompletableFuture<>();
                if (isClosed) {
                    settling.completeExceptionally(new CheckpointException(
                            ErrorCategory.FATAL, "the disks of %s are closed".formatted(vm), null));
                }
                tryAgain();
            }
            return settling;
        } finally {
            lock.unlock();
        }
    }

    private void tryAgain() {
        if (failure != null && failure.category() != ErrorCategory.FATAL) {
            failure = null;
            isRepairAsked = true;
        }
        changed.signalAll();
    }

    @SuppressWarnings("WaitNotInLoop") // The callers loop.
    private long await(long patienceNanos) throws CheckpointException {
        if (patienceNanos <= 0) {
            throw new CheckpointException(
                    ErrorCategory.RETRY,
                    "the disks of %s did not take their writes within %d s".formatted(vm, PATIENCE.toSeconds()),
                    null);
        }
        try {
            return changed.awaitNanos(patienceNanos);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CheckpointException(ErrorCategory.RETRY, "interrupted while waiting for the disks of " + vm, e);
        }
    }

    StandbyDisks.Figures figures(long openBytes) {
        lock.lock();
        try {
            return new StandbyDisks.Figures(
                    openBytes + wholeBytes, wholeBytes, synchronizedBytes, logBytes, applied, isConsistent);
        } finally {
            lock.unlock();
        }
    }

    private void run() {
        Step step = next();
        while (step != Step.STOP) {
            try {
                perform(step);
            } catch (DiskException e) {
                LOG.warn("the disks of {} failed: {}", vm, e.getMessage());
                fail(new CheckpointException(
                        ErrorCategory.DEGRADE, "the disks of %s failed: %s".formatted(vm, e.getMessage()), e));
            } catch (RuntimeException | Error e) {
                LOG.error("the writer of the disks of {} broke down", vm, e);
                fail(new CheckpointException(
                        ErrorCategory.FATAL, "the writer of the disks of %s broke down: %s".formatted(vm, e), e));
            }
            step = next();
        }
    }

    private void perform(Step step) throws DiskException {
        switch (step) {
            case REPAIR -> images.repair();
            case WORK -> work();
            case EMPTY_LOG -> images.empty();
            case END -> end();
            case STOP -> throw new IllegalStateException("stopping is no work");
        }
    }

    /** Waits for something to do. */
    private Step next() {
        lock.lock();
        try {
            logBytes = images.logBytes();
            applied = images.last();
            isConsistent = images.isConsistent() || isSettled;
            takenCount = 0;
            isApplying = false;
            changed.signalAll();
            while (true) {
                if (isClosed || isSettled) {
                    return Step.STOP;
                }
                if (failure != null) {
                    changed.awaitUninterruptibly();
                    continue;
                }
                long dueNanos = images.nanosUntilDue(time.nanos());
                Step step = ready(dueNanos);
                if (step != null) {
                    return step;
                }
                waitFor(dueNanos);
            }
        } finally {
            lock.unlock();
        }
    }

    private @Nullable Step ready(long dueNanos) {
        if (isRepairAsked) {
            isRepairAsked = false;
            isApplying = true;
            return Step.REPAIR;
        }
        // Whoever waits for the images to be up to date does not wait for the log to be emptied.
        if (dueNanos == 0 && (finisherCount == 0 || queue.isEmpty())) {
            return Step.EMPTY_LOG;
        }
        if (!queue.isEmpty()) {
            isApplying = true;
            return Step.WORK;
        }
        return settling != null ? Step.END : null;
    }

    @SuppressWarnings("WaitNotInLoop") // The caller loops.
    private void waitFor(long nanos) {
        try {
            long left = changed.awaitNanos(nanos);
            LOG.trace("{} ns left", left);
        } catch (InterruptedException e) {
            // Nobody but close() ends this thread, and it does so by a flag.
            LOG.debug("the writer of the disks of {} was interrupted", vm, e);
        }
    }

    private void work() throws DiskException {
        List<Work> taken = take();
        switch (taken.getFirst()) {
            case Work.Synchronize write -> {
                for (DiskWrite piece : write.pieces()) {
                    images.synchronize(piece);
                }
                done(taken);
            }
            case Work.Compare comparison -> {
                byte[] digests = blockDigests.of(
                        disks.get(comparison.disk()).image(), comparison.firstBlock(), comparison.count());
                done(taken);
                comparison.consumer().digests(comparison.disk(), comparison.firstBlock(), digests);
            }
            case Work.Whole first -> whole(taken, first.writes());
        }
    }

    /** The head of the queue; of whole checkpoints, as many as may go together. They stay in the queue. */
    private List<Work> take() {
        lock.lock();
        try {
            List<Work> taken = new ArrayList<>();
            long bytes = 0;
            for (Work work : queue) {
                bytes += work instanceof Work.Whole whole ? whole.writes().accountedBytes() : 0;
                boolean goesAlone = !(work instanceof Work.Whole && images.isConsistent());
                if (!taken.isEmpty() && (goesAlone || bytes > limits.batchBytes())) {
                    break;
                }
                taken.add(work);
                if (goesAlone) {
                    break;
                }
            }
            takenCount = taken.size();
            return taken;
        } finally {
            lock.unlock();
        }
    }

    private void whole(List<Work> taken, EpochWrites first) throws DiskException {
        if (!images.isConsistent()) {
            images.begin(first);
            done(taken);
            listener.consistent(first.epoch());
            listener.progressed();
            return;
        }
        List<EpochWrites> epochs = new ArrayList<>();
        for (Work work : taken) {
            if (work instanceof Work.Whole whole) {
                epochs.add(whole.writes());
            }
        }
        images.record(epochs, time.nanos());
        listener.logged(images.last());
        try {
            images.write(epochs);
        } finally {
            // Where that failed they come out of the log again.
            done(taken);
        }
        listener.progressed();
    }

    private void done(List<Work> taken) {
        lock.lock();
        try {
            for (Work work : taken) {
                queue.removeFirst();
                switch (work) {
                    case Work.Synchronize write -> {
                        synchronizeQueueBytes -= write.accountedBytes();
                        synchronizedBytes += write.pieces().stream()
                                .mapToLong(DiskWrite::length)
                                .sum();
                        write.pieces().forEach(blocks::release);
                    }
                    case Work.Compare comparison -> comparisonCount--;
                    case Work.Whole whole -> {
                        wholeBytes -= whole.writes().accountedBytes();
                        whole.writes().writes().forEach(blocks::release);
                    }
                }
            }
            takenCount = 0;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void end() throws DiskException {
        if (!images.isConsistent()) {
            throw new DiskException(
                    ErrorCategory.DEGRADE, "no checkpoint is whole: there is nothing to go on from", 0, null);
        }
        images.end();
        CompletableFuture<@Nullable Void> settled;
        lock.lock();
        try {
            isSettled = true;
            settled = Invariant.present(settling, "who asked for the end");
        } finally {
            lock.unlock();
        }
        settled.complete(null);
    }

    private void fail(CheckpointException reason) {
        CompletableFuture<@Nullable Void> waiting;
        lock.lock();
        try {
            failure = reason;
            waiting = settling;
            settling = null;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        if (waiting != null) {
            waiting.completeExceptionally(reason);
        }
        listener.failed(reason);
    }

    /**
     * Ends the thread after what it is doing now; what it has not begun is dropped.
     *
     * @param atEnd frees what the thread uses, once that has ended
     * @return whether it has ended in time
     */
    boolean close(Closing closing, Runnable atEnd) {
        CompletableFuture<@Nullable Void> waiting;
        lock.lock();
        try {
            isClosed = true;
            waiting = settling;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        boolean hasEnded = closing.await(thread, "the writer of the disks of " + vm, atEnd);
        if (waiting != null) {
            waiting.completeExceptionally(
                    new CheckpointException(ErrorCategory.FATAL, "the disks of %s are closed".formatted(vm), null));
        }
        return hasEnded;
    }
}
