package remus.checkpoint;

import java.lang.foreign.MemorySegment;
import remus.base.EpochId;
import remus.wire.WireLimits;

/**
 * The way of a guest's disk writes to the backup, a part of the {@link BackupChannel}. Writes arrive there in the order
 * of the calls, and all those of an epoch before the end of its checkpoint. They are kept until that checkpoint is
 * acknowledged and sent again after a reconnection; those of {@link EpochId#NONE}, which belong to the synchronization,
 * are sent once.
 *
 * <p>Any thread may call. What calls of several threads mean for one disk is for the caller to put in order.
 */
public interface DiskForwarding {
    /** Most disks of a VM: of what QEMU is given, of what a backup keeps, and of what a session names. */
    int MAX_DISKS = WireLimits.MAX_DISKS;

    /** Bytes of a block whose digests are compared; the last block of a disk may be shorter. */
    int COMPARED_BLOCK_BYTES = WireLimits.COMPARED_BLOCK_BYTES;

    /** Most blocks that one {@link #compare} asks for. */
    int MAX_COMPARED_BLOCKS = WireLimits.MAX_COMPARED_BLOCKS;

    /** Most data of one {@link #forward} call, in bytes. */
    int MAX_WRITE_BYTES = WireLimits.MAX_BULK_BYTES;

    /** Longest range of one {@link #forward} call that brings no data, in bytes: 4 GiB - 1. */
    long MAX_RANGE_BYTES = WireLimits.MAX_DISK_RANGE_BYTES;

    /**
     * Forwards one operation; data is copied before the call returns. Waits while too much is under way, unless writes
     * are let through. Epochs never go back.
     *
     * @param disk index of the disk in the VM's definition
     * @param length bytes; for a {@link DiskOperation#WRITE} at most {@link #MAX_WRITE_BYTES}, else
     *     {@link #MAX_RANGE_BYTES}
     * @param data what is written, from {@code dataOffset} on; ignored for other operations
     * @return false when the channel has ended: nothing is forwarded any more
     */
    boolean forward(
            EpochId epoch,
            int disk,
            DiskOperation operation,
            long offset,
            long length,
            MemorySegment data,
            long dataOffset);

    /**
     * While {@code true}, {@link #forward} never waits: QEMU answers a stop only when all its requests are answered, so
     * that a write that waits for the next acknowledgement would wait for ever.
     */
    void letWritesThrough(boolean through);

    /**
     * Asks for the digests of {@code count} blocks, as the backup has them after all that was forwarded before; they come
     * as {@code diskDigests} of the channel's listener. Before the first checkpoint only.
     */
    void compare(int disk, long firstBlock, int count);
}
