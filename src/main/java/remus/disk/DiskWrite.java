package remus.disk;

import java.lang.foreign.MemorySegment;
import remus.checkpoint.DiskForwarding;
import remus.checkpoint.DiskOperation;

/**
 * One operation on one image.
 *
 * @param disk index in the VM's definition
 * @param length bytes, at least 1
 * @param data holds what is written from {@code at} on; empty for operations other than {@link DiskOperation#WRITE}
 */
record DiskWrite(int disk, DiskOperation operation, long offset, long length, MemorySegment data, long at) {
    /** Most data of one operation. */
    static final int MAX_DATA_BYTES = DiskForwarding.MAX_WRITE_BYTES;

    /** Bytes of data, 0 for operations other than {@link DiskOperation#WRITE}. */
    long dataBytes() {
        return operation == DiskOperation.WRITE ? length : 0;
    }

    /** What this is counted as against {@link StandbyLimits}. */
    long accountedBytes() {
        return dataBytes() + StandbyLimits.OPERATION_BYTES;
    }

    void applyTo(BlockImage image) throws DiskException {
        switch (operation) {
            case WRITE -> image.write(offset, data, at, length);
            case ZERO -> image.zero(offset, length);
            case TRIM -> image.trim(offset, length);
        }
    }
}
