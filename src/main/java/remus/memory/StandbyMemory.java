package remus.memory;

import java.lang.foreign.MemorySegment;
import remus.base.ErrorCategory;
import remus.checkpoint.BackupMemory;
import remus.checkpoint.CheckpointException;
import remus.linux.LinuxException;
import remus.linux.SparseFile;

/**
 * The RAM of a standby that waits, written as checkpoints become whole. The standby's QEMU has the same file mapped and
 * does not touch it until it is activated. Confined to the backup's agent thread.
 */
public final class StandbyMemory implements BackupMemory, AutoCloseable {
    private final GuestMemory memory;

    /** @param memory mapped for writing; owned by this object from now on */
    public StandbyMemory(GuestMemory memory) {
        this.memory = memory;
    }

    @Override
    public long pageCount() {
        return memory.pageCount();
    }

    @Override
    public void write(long firstPage, int count, MemorySegment data, long offset) throws CheckpointException {
        checkRange(firstPage, count);
        MemorySegment.copy(
                data,
                offset,
                memory.segment(),
                firstPage * GuestMemory.PAGE_BYTES,
                (long) count * GuestMemory.PAGE_BYTES);
    }

    @Override
    public void read(long page, MemorySegment target, long offset) throws CheckpointException {
        checkRange(page, 1);
        MemorySegment.copy(memory.segment(), page * GuestMemory.PAGE_BYTES, target, offset, GuestMemory.PAGE_BYTES);
    }

    @Override
    public void zero(long firstPage, int count) throws CheckpointException {
        checkRange(firstPage, count);
        try {
            memory.file().punchHole(firstPage * GuestMemory.PAGE_BYTES, (long) count * GuestMemory.PAGE_BYTES);
        } catch (LinuxException e) {
            throw new CheckpointException(
                    ErrorCategory.DEGRADE, "the standby's memory can't be cleared: " + e.getMessage(), e);
        }
    }

    /** Whether nothing was ever written to it. */
    public boolean isEmpty() throws CheckpointException {
        try {
            return memory.file().nextData(0) == SparseFile.NONE;
        } catch (LinuxException e) {
            throw new CheckpointException(
                    ErrorCategory.DEGRADE, "the standby's memory can't be read: " + e.getMessage(), e);
        }
    }

    /** Makes {@code target}, whose memory is still zero and of the same size, an equal copy of this. */
    public void copyTo(StandbyMemory target) throws CheckpointException {
        try {
            SparseFile file = memory.file();
            for (long data = file.nextData(0); data != SparseFile.NONE; ) {
                long hole = file.nextHole(data);
                long end = hole == SparseFile.NONE ? memory.bytes() : hole;
                MemorySegment.copy(memory.segment(), data, target.memory.segment(), data, end - data);
                data = file.nextData(end);
            }
        } catch (LinuxException e) {
            throw new CheckpointException(
                    ErrorCategory.DEGRADE, "the standby's memory can't be copied: " + e.getMessage(), e);
        }
    }

    private void checkRange(long firstPage, int count) throws CheckpointException {
        if (firstPage < 0 || count <= 0 || firstPage > pageCount() - count) {
            throw new CheckpointException(
                    ErrorCategory.FATAL,
                    "pages outside guest RAM: first=" + firstPage + " count=" + count + " all=" + pageCount(),
                    null);
        }
    }

    @Override
    public byte[] digest() throws CheckpointException {
        try {
            return memory.digest();
        } catch (LinuxException e) {
            throw new CheckpointException(
                    ErrorCategory.DEGRADE, "the standby's memory can't be read: " + e.getMessage(), e);
        }
    }

    @Override
    public void close() {
        memory.close();
    }
}
