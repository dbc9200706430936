package remus.disk;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.base.Invariant;
import remus.base.Term;
import remus.base.Time;
import remus.checkpoint.BackupDisks;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.DiskOperation;
import remus.checkpoint.DiskWriteCount;

/**
 * The images of a VM's disks on its backup, for one session. What is received waits in memory until its checkpoint is
 * whole; a thread of its own ({@link ImageWriter}) then brings it into redo log and images ({@link WriteAheadImages}).
 *
 * <p>Invariants: what reaches an image is of the synchronization or of a whole checkpoint, in order; once {@link #settle}
 * has completed nothing here touches the images. Limits: {@link StandbyLimits}, {@link #MAX_OPEN_EPOCHS},
 * {@link #MAX_COMPARISONS}. After a disk's failure no checkpoint may be acknowledged and nothing more is received;
 * {@link #finishApplying} and {@link #settle} try again.
 *
 * <p>Confined to the backup's agent, but {@link #settle} and {@link #figures} are for any thread. The listener and the
 * consumers of digests are called on the thread of the images, and must not close this. The images are closed by whoever
 * opened them, after this.
 */
public final class StandbyDisks implements BackupDisks, AutoCloseable {
    /** What the owner learns, on the thread of the images. */
    public interface Listener {
        /** From here on images and log together equal a whole checkpoint, even after a power loss. */
        void consistent(EpochId base);

        /** The writes of whole checkpoints up to {@code last} are safe in the log; the images get them next. */
        void logged(EpochId last);

        /** Writes of whole checkpoints have reached the images: {@link #mayAcknowledge} may have become true. */
        void progressed();

        /**
         * A disk failed; {@code reason} names it and the system's error. DEGRADE: this backup can't go on, but what is
         * whole may yet be saved by {@link #finishApplying}; FATAL: it can't.
         */
        void failed(CheckpointException reason);
    }

    /** Takes the SHA-256 digests of successive blocks, one behind the other. */
    @FunctionalInterface
    public interface DigestConsumer {
        void digests(int disk, long firstBlock, byte[] digests);
    }

    /**
     * Where the disks of a backup stand.
     *
     * @param pendingBytes received and not yet in the images, each operation counted with 64 bytes beside its data
     * @param wholeBytes how much of that belongs to whole checkpoints
     * @param synchronizedBytes what the synchronization has brought into the images
     * @param logBytes what the redo log holds
     * @param applied the last checkpoint that a power loss could not take away
     * @param isConsistent whether there is one
     */
    public record Figures(
            long pendingBytes,
            long wholeBytes,
            long synchronizedBytes,
            long logBytes,
            EpochId applied,
            boolean isConsistent) {}

    /** Most epochs whose writes may come before they are whole: two in flight, the current one, and one in reserve. */
    static final int MAX_OPEN_EPOCHS = 4;

    /** Most requests for digests that may wait: a primary has two under way for a disk. */
    static final int MAX_COMPARISONS = 16;

    private final List<ReplicaDisk> disks;
    private final StandbyLimits limits;
    private final RedoLog log;
    private final StagingBlocks blocks = new StagingBlocks();
    private final ImageWriter writer;
    private final Deque<EpochWrites> open = new ArrayDeque<>();
    private final AtomicLong openBytes = new AtomicLong();
    private EpochId lastWhole = EpochId.NONE;
    private boolean isClosed;

    private StandbyDisks(
            String vm, List<ReplicaDisk> disks, RedoLog log, StandbyLimits limits, Time time, Listener listener) {
        this.disks = List.copyOf(disks);
        this.limits = limits;
        this.log = log;
        this.writer = new ImageWriter(vm, this.disks, log, blocks, limits, time, listener);
    }

    /**
     * Begins a session: the images are SYNCHRONIZING from here on, and their log says so.
     *
     * @param logPath where the redo log is to be; none may be there ({@link RedoLog#recover}, {@link RedoLog#remove})
     */
    public static StandbyDisks open(
            Path logPath, String vm, Term term, List<ReplicaDisk> disks, Time time, Listener listener)
            throws DiskException {
        StandbyLimits limits = StandbyLimits.of(disks.size());
        LogHeader header = RedoLog.firstHeader(
                new SecureRandom().nextLong(), vm, term, limits.logBytes(), LogHeader.Disk.of(disks));
        return open(RedoLog.create(logPath, header), vm, disks, limits, time, listener);
    }

    /** Most memory that writes to a VM's {@code disks} take while they wait here, in bytes: what admission has to count. */
    public static long memoryBytes(int disks) {
        return disks == 0 ? 0 : StandbyLimits.of(disks).pendingBytes();
    }

    /** As the other one, with a log that was just begun; it is owned by this object from now on. */
    static StandbyDisks open(
            RedoLog log, String vm, List<ReplicaDisk> disks, StandbyLimits limits, Time time, Listener listener) {
        StandbyDisks opened = new StandbyDisks(vm, disks, log, limits, time, listener);
        opened.writer.start();
        return opened;
    }

    @Override
    public int count() {
        return disks.size();
    }

    @Override
    public long bytes(int disk) {
        return disks.get(disk).image().bytes();
    }

    @Override
    public void synchronize(
            int disk, DiskOperation operation, long offset, long length, MemorySegment data, long dataOffset)
            throws CheckpointException {
        if (lastWhole.isAfter(EpochId.NONE)) {
            throw protocolError("a write of the synchronization after checkpoint epoch=" + lastWhole);
        }
        writer.expectAble();
        writer.synchronize(
                new ImageWriter.Work.Synchronize(blocks.copy(disk, operation, offset, length, data, dataOffset)));
    }

    @Override
    public void receive(
            EpochId epoch,
            int disk,
            DiskOperation operation,
            long offset,
            long length,
            MemorySegment data,
            long dataOffset)
            throws CheckpointException {
        EpochWrites writes = writesOf(epoch);
        long mostBytes = (long) StagingBlocks.MAX_PIECES * StandbyLimits.OPERATION_BYTES
                + (operation == DiskOperation.WRITE ? length : 0);
        if (pendingBytes() + mostBytes > limits.pendingBytes()) {
            throw protocolError("more than %d bytes of writes wait to reach the images, epoch=%s last whole=%s"
                    .formatted(limits.pendingBytes(), epoch, lastWhole));
        }
        if (writes.accountedBytes() + mostBytes > limits.checkpointBytes()) {
            throw protocolError("more than %d bytes of writes in one checkpoint, epoch=%s last whole=%s"
                    .formatted(limits.checkpointBytes(), epoch, lastWhole));
        }
        writer.expectAble();
        if (operation == DiskOperation.WRITE) {
            reserve(disk, offset, length);
        }
        openBytes.addAndGet(-writes.accountedBytes());
        writes.add(blocks.copy(disk, operation, offset, length, data, dataOffset));
        openBytes.addAndGet(writes.accountedBytes());
    }

    private EpochWrites writesOf(EpochId epoch) throws CheckpointException {
        if (!open.isEmpty() && open.getLast().epoch().equals(epoch)) {
            return open.getLast();
        }
        EpochId last = open.isEmpty() ? lastWhole : open.getLast().epoch();
        if (!epoch.isAfter(last) || epoch.value() - lastWhole.value() > MAX_OPEN_EPOCHS) {
            throw protocolError(
                    "a disk write of epoch=%s after epoch=%s, last whole=%s".formatted(epoch, last, lastWhole));
        }
        EpochWrites writes = new EpochWrites(epoch);
        open.addLast(writes);
        return writes;
    }

    /** Space is made sure of before the checkpoint can be acknowledged: a full disk must not show afterwards. */
    private void reserve(int disk, long offset, long length) throws CheckpointException {
        try {
            disks.get(disk).image().reserve(offset, length);
        } catch (DiskException e) {
            throw new CheckpointException(
                    ErrorCategory.DEGRADE,
                    "the backup has no room for disk %s: %s"
                            .formatted(disks.get(disk).name(), e.getMessage()),
                    e);
        }
    }

    /**
     * Has the digests of {@code count} blocks of {@link BlockDigests#BLOCK_BYTES} computed, after the writes of the
     * synchronization that came before.
     *
     * @throws CheckpointException RETRY: a request that no primary makes
     */
    public void digests(int disk, long firstBlock, int count, DigestConsumer consumer) throws CheckpointException {
        if (disk < 0
                || disk >= disks.size()
                || count < 1
                || count > BlockDigests.MAX_BLOCKS
                || firstBlock < 0
                || firstBlock > BlockDigests.count(bytes(disk)) - count) {
            throw protocolError("a question for blocks %d+%d of disk %d".formatted(firstBlock, count, disk));
        }
        if (!writer.compare(new ImageWriter.Work.Compare(disk, firstBlock, count, consumer), MAX_COMPARISONS)) {
            throw protocolError("more than %d questions for digests at once".formatted(MAX_COMPARISONS));
        }
    }

    @Override
    public DiskWriteCount received(EpochId epoch) {
        for (EpochWrites writes : open) {
            if (writes.epoch().equals(epoch)) {
                return writes.received();
            }
        }
        return DiskWriteCount.NONE;
    }

    @Override
    public void whole(EpochId epoch) {
        Invariant.check(epoch.isAfter(lastWhole), "epoch=%s is whole after epoch=%s", epoch, lastWhole);
        lastWhole = epoch;
        EpochWrites writes = new EpochWrites(epoch);
        if (!open.isEmpty() && !open.getFirst().epoch().isAfter(epoch)) {
            writes = open.removeFirst();
            openBytes.addAndGet(-writes.accountedBytes());
            Invariant.check(writes.epoch().equals(epoch), "writes of epoch=%s never became whole", writes.epoch());
        }
        writer.whole(writes);
    }

    @Override
    public boolean mayAcknowledge() {
        return writer.mayAcknowledge();
    }

    @Override
    public void dropAfter(EpochId lastWholeEpoch) {
        while (!open.isEmpty() && open.getLast().epoch().isAfter(lastWholeEpoch)) {
            EpochWrites dropped = open.removeLast();
            openBytes.addAndGet(-dropped.accountedBytes());
            dropped.writes().forEach(blocks::release);
        }
    }

    /**
     * {@inheritDoc}
     *
     * @throws CheckpointException DEGRADE: a disk fails, still; RETRY: it takes longer than {@link ImageWriter#PATIENCE}
     */
    @Override
    public void finishApplying() throws CheckpointException {
        writer.finish();
    }

    /**
     * Brings all whole checkpoints into the images, makes these durable and ends the log. When the result completes the
     * images belong to the guest that is to run here. Completed on the thread of the images, exceptionally with a
     * {@link CheckpointException} after which this may be called again.
     */
    public CompletableFuture<@Nullable Void> settle() {
        return writer.settle();
    }

    /** For any thread. */
    public Figures figures() {
        return writer.figures(openBytes.get());
    }

    /** Data written to {@code disk} that was received and is not in its image yet, in bytes. For any thread. */
    public long pendingBytes(int disk) {
        return blocks.bytesOf(disk);
    }

    private long pendingBytes() {
        return openBytes.get() + writer.figures(0).wholeBytes();
    }

    private static CheckpointException protocolError(String message) {
        return new CheckpointException(ErrorCategory.RETRY, message, null);
    }

    /**
     * What is not in the log yet is dropped; the log keeps the rest. Waits for a disk that does not answer for
     * {@link Closing#LIMIT}; what is in use then is freed when it answers. May be called repeatedly.
     */
    @Override
    public void close() {
        closeWithin(Closing.LIMIT);
    }

    /** Returns whether all of it is closed. */
    boolean closeWithin(Duration limit) {
        if (isClosed) {
            return true;
        }
        isClosed = true;
        return writer.close(Closing.within(limit), () -> {
            try {
                blocks.close();
            } finally {
                log.close();
            }
        });
    }
}
