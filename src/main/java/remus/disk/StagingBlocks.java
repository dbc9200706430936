package remus.disk;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import remus.base.Invariant;
import remus.checkpoint.DiskForwarding;
import remus.checkpoint.DiskOperation;

/**
 * Off-heap copies of what a guest wrote, one after the other in blocks of {@link #BLOCK_BYTES}; a block is used again
 * when all that lies in it is released. Writes are released in about the order of their arrival, so few blocks are held by
 * a rest. Safe for many threads. How much may be held is for the caller to bound; {@link #FREE_BLOCKS} more are kept for
 * later.
 */
final class StagingBlocks implements AutoCloseable {
    static final int BLOCK_BYTES = 1 << 20;
    static final int FREE_BLOCKS = 16;

    /** Most pieces that a write is kept in. */
    static final int MAX_PIECES = 2;

    static {
        if (DiskWrite.MAX_DATA_BYTES > BLOCK_BYTES) {
            throw new AssertionError("a write may not fit into " + MAX_PIECES + " blocks");
        }
    }

    private static final class Block {
        private final Arena arena = Arena.ofShared();
        private final MemorySegment segment = arena.allocate(BLOCK_BYTES);
        private int useCount;
    }

    private final Map<Long, Block> blocks = new HashMap<>();
    private final Deque<Block> free = new ArrayDeque<>();
    private final long[] bytesOfDisk = new long[DiskForwarding.MAX_DISKS];
    private Block current = new Block();
    private int filledBytes;

    StagingBlocks() {
        blocks.put(current.segment.address(), current);
    }

    /** Copies an operation; its pieces lie one behind the other on the disk. */
    synchronized List<DiskWrite> copy(
            int disk, DiskOperation operation, long offset, long length, MemorySegment data, long at) {
        if (operation != DiskOperation.WRITE) {
            return List.of(new DiskWrite(disk, operation, offset, length, MemorySegment.NULL, 0));
        }
        if (filledBytes == BLOCK_BYTES) {
            nextBlock();
        }
        int first = (int) Math.min(length, BLOCK_BYTES - filledBytes);
        DiskWrite head = piece(disk, offset, first, data, at);
        if (first == length) {
            return List.of(head);
        }
        nextBlock();
        return List.of(head, piece(disk, offset + first, (int) length - first, data, at + first));
    }

    private DiskWrite piece(int disk, long offset, int length, MemorySegment data, long at) {
        MemorySegment.copy(data, at, current.segment, filledBytes, length);
        DiskWrite piece = new DiskWrite(disk, DiskOperation.WRITE, offset, length, current.segment, filledBytes);
        filledBytes += length;
        current.useCount++;
        bytesOfDisk[disk] += length;
        return piece;
    }

    private void nextBlock() {
        Block full = current;
        if (full.useCount == 0) {
            filledBytes = 0;
            return;
        }
        current = free.isEmpty() ? new Block() : free.pop();
        blocks.put(current.segment.address(), current);
        filledBytes = 0;
    }

    /** Lets go of the data of a write that came from {@link #copy}; it is not read any more. */
    synchronized void release(DiskWrite write) {
        if (write.operation() != DiskOperation.WRITE) {
            return;
        }
        Block block = Invariant.present(blocks.get(write.data().address()), "the block of a write");
        block.useCount--;
        bytesOfDisk[write.disk()] -= write.length();
        Invariant.check(block.useCount >= 0, "a write was released twice");
        if (block.useCount > 0) {
            return;
        }
        if (block == current) {
            filledBytes = 0;
        } else {
            blocks.remove(block.segment.address());
            if (free.size() < FREE_BLOCKS) {
                free.push(block);
            } else {
                block.arena.close();
            }
        }
    }

    /** Data of writes to {@code disk} that is kept, in bytes. */
    synchronized long bytesOf(int disk) {
        return bytesOfDisk[disk];
    }

    /** Bytes of the blocks in use. */
    synchronized long heldBytes() {
        return (long) blocks.size() * BLOCK_BYTES;
    }

    @Override
    public synchronized void close() {
        blocks.values().forEach(block -> block.arena.close());
        free.forEach(block -> block.arena.close());
        blocks.clear();
        free.clear();
    }
}
