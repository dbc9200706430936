package remus.checkpoint;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.Invariant;
import remus.wire.DiskWrites;
import remus.wire.WireLimits;

/**
 * The guest's disk writes on their way to the backup, in the order in which they were made: copied into blocks of one
 * epoch each, handed out in batches that fit a frame, and kept until their epoch is acknowledged, for they may have to be
 * sent again. Those without an epoch, of the synchronization, are forgotten when they have been sent.
 *
 * <p>A block goes on being filled after a part of it was handed out. So a write does not wait for others where the
 * connection is idle, and where it is busy they gather meanwhile; what is sent again goes in whole blocks.
 *
 * <p>Limits: {@link #LIMIT_BYTES}, which counts {@link #OPERATION_BYTES} for each write besides its data; of the
 * synchronization {@link #SYNCHRONIZATION_LIMIT_BYTES}. Beyond it are only writes that must not wait, which are what QEMU
 * has under way at a stop. A block holds {@link #BLOCK_BYTES} of data; as a write is in one block, they take up to twice
 * the limit. Memory is kept and used again until {@link #close}. Guarded by its owner's lock.
 */
public final class ForwardedWrites implements AutoCloseable {
    /** Most that waits to be sent or acknowledged. */
    public static final long LIMIT_BYTES = 64L << 20;

    /** What each write counts besides its data: with it a full table weighs as much as a block full of data. */
    static final long OPERATION_BYTES = 256;

    /** Most of the synchronization that waits to be sent: the guest's own writes queue behind it. */
    static final long SYNCHRONIZATION_LIMIT_BYTES = 8L << 20;

    /** Data of one block, and so of one batch. */
    static final int BLOCK_BYTES = WireLimits.MAX_BULK_BYTES;

    /** Writes of one epoch that fit one frame. */
    public record Batch(EpochId epoch, int count, ByteBuffer table, MemorySegment data, long offset, long length) {}

    private static final class Block {
        private final MemorySegment data;
        private final ByteBuffer table;
        private EpochId epoch = EpochId.NONE;
        private int count;
        private int dataBytes;
        private int sentCount;
        private int sentDataBytes;

        Block(Arena arena) {
            data = arena.allocate(BLOCK_BYTES, 64);
            table = arena.allocate((long) WireLimits.MAX_DISK_WRITES * WireLimits.DISK_WRITE_BYTES)
                    .asByteBuffer();
        }

        void open(EpochId of) {
            epoch = of;
            count = 0;
            dataBytes = 0;
            table.clear();
            rewind();
        }

        boolean hasRoom(EpochId of, long bytes) {
            return epoch.equals(of) && count < WireLimits.MAX_DISK_WRITES && bytes <= BLOCK_BYTES - dataBytes;
        }

        boolean hasUnsent() {
            return sentCount < count;
        }

        void rewind() {
            sentCount = 0;
            sentDataBytes = 0;
        }

        long weight() {
            return dataBytes + count * OPERATION_BYTES;
        }

        Batch takeUnsent() {
            int from = sentCount * WireLimits.DISK_WRITE_BYTES;
            Batch batch = new Batch(
                    epoch,
                    count - sentCount,
                    table.slice(from, count * WireLimits.DISK_WRITE_BYTES - from),
                    data,
                    sentDataBytes,
                    dataBytes - sentDataBytes);
            sentCount = count;
            sentDataBytes = dataBytes;
            return batch;
        }
    }

    private final Arena arena = Arena.ofShared();
    private final Deque<Block> blocks = new ArrayDeque<>();
    private final Deque<Block> free = new ArrayDeque<>();
    private long weight;
    private long addedCount;
    private long unsentCount;
    private long unsentDataBytes;

    /** Whether a write of so many bytes finds room; one that must not wait may be added all the same. */
    public boolean hasRoom(EpochId epoch, long dataBytes) {
        long limit = epoch.equals(EpochId.NONE) ? SYNCHRONIZATION_LIMIT_BYTES : LIMIT_BYTES;
        return weight + dataBytes + OPERATION_BYTES <= limit;
    }

    /** Whether half of the limit is reached. */
    public boolean isHalfFull() {
        return weight >= LIMIT_BYTES / 2;
    }

    /**
     * Adds one operation; its data is copied.
     *
     * @throws IllegalArgumentException when it is longer than {@link DiskForwarding#forward} allows
     */
    public void add(
            EpochId epoch,
            int disk,
            DiskOperation operation,
            long offset,
            long length,
            MemorySegment data,
            long dataOffset) {
        boolean brings = operation == DiskOperation.WRITE;
        long limit = brings ? DiskForwarding.MAX_WRITE_BYTES : DiskForwarding.MAX_RANGE_BYTES;
        if (length < 1 || length > limit) {
            throw new IllegalArgumentException(operation + " of " + length + " bytes, limit " + limit);
        }
        int bytes = brings ? (int) length : 0;
        Block block = blocks.peekLast();
        if (block == null || !block.hasRoom(epoch, bytes)) {
            Invariant.check(
                    block == null || !block.epoch.isAfter(epoch),
                    "a disk write of epoch=%s after one of %s",
                    epoch,
                    block == null ? null : block.epoch);
            block = free.isEmpty() ? new Block(arena) : free.removeLast();
            block.open(epoch);
            blocks.add(block);
        }
        if (brings) {
            MemorySegment.copy(data, dataOffset, block.data, block.dataBytes, length);
        }
        DiskWrites.putEntry(block.table, disk, operation.kind(), offset, length);
        block.count++;
        block.dataBytes += bytes;
        weight += bytes + OPERATION_BYTES;
        addedCount++;
        unsentCount++;
        unsentDataBytes += bytes;
    }

    /**
     * The next writes to be sent, or null. They count as sent; their memory stays as it is until their epoch is dropped or,
     * where they have none, until the next call.
     */
    public @Nullable Batch next() {
        while (!blocks.isEmpty()
                && blocks.getFirst().epoch.equals(EpochId.NONE)
                && !blocks.getFirst().hasUnsent()) {
            dropFirst();
        }
        if (unsentCount == 0) {
            return null;
        }
        for (Block block : blocks) {
            if (block.hasUnsent()) {
                Batch batch = block.takeUnsent();
                unsentCount -= batch.count();
                unsentDataBytes -= batch.length();
                return batch;
            }
        }
        throw new IllegalStateException(unsentCount + " unsent writes are in no block");
    }

    public boolean hasUnsent() {
        return unsentCount > 0;
    }

    /** What has not been handed out, in bytes as the limit counts them. */
    public long unsentBytes() {
        return unsentDataBytes + unsentCount * OPERATION_BYTES;
    }

    /** Whether a write of {@code epoch}, or of one before it, has not been handed out. */
    public boolean hasUnsentThrough(EpochId epoch) {
        for (Block block : blocks) {
            if (block.epoch.isAfter(epoch)) {
                return false;
            }
            if (block.hasUnsent()) {
                return true;
            }
        }
        return false;
    }

    /** All writes that were ever added. */
    public long addedCount() {
        return addedCount;
    }

    /** Of {@link #addedCount}, those that do not wait to be sent. */
    public long sentCount() {
        return addedCount - unsentCount;
    }

    /** What was written in {@code epoch}, which has not been dropped. */
    public DiskWriteCount count(EpochId epoch) {
        int operations = 0;
        long bytes = 0;
        for (Block block : blocks) {
            if (block.epoch.equals(epoch)) {
                operations += block.count;
                bytes += block.dataBytes;
            }
        }
        return new DiskWriteCount(operations, bytes);
    }

    /** The backup has acknowledged {@code epoch}: the writes up to it are needed no more. */
    public void dropThrough(EpochId epoch) {
        while (!blocks.isEmpty() && !blocks.getFirst().epoch.isAfter(epoch)) {
            dropFirst();
        }
    }

    private void dropFirst() {
        Block block = blocks.removeFirst();
        weight -= block.weight();
        unsentCount -= block.count - block.sentCount;
        unsentDataBytes -= block.dataBytes - block.sentDataBytes;
        free.add(block);
    }

    /** What was sent may not have arrived: all that is held is unsent again. */
    public void rewind() {
        for (Block block : blocks) {
            unsentCount += block.sentCount;
            unsentDataBytes += block.sentDataBytes;
            block.rewind();
        }
    }

    /** What is held, in bytes as the limit counts them. */
    public long weightBytes() {
        return weight;
    }

    /** Memory kept for blocks, used or not. */
    long allocatedBytes() {
        return (long) (blocks.size() + free.size()) * BLOCK_BYTES;
    }

    @Override
    public void close() {
        blocks.clear();
        free.clear();
        weight = 0;
        unsentCount = 0;
        unsentDataBytes = 0;
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
