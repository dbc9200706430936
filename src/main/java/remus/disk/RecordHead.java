package remus.disk;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;

/**
 * The beginning of a record in the redo log (docs/DISK-FORMAT.md): the writes of one epoch.
 *
 * @param checksum CRC32C of everything in the record that follows it
 * @param sequence number of the record in its generation, from 0 on
 * @param durableCount how many records of the generation were durable before this one was written: where one of these is
 *     damaged, the log is, and not just its tail torn
 * @param length bytes of the whole record
 */
record RecordHead(
        int checksum,
        long logId,
        long generation,
        long sequence,
        long durableCount,
        EpochId epoch,
        long length,
        long operationCount) {
    static final int MAGIC = 0x524D4452; // "RMDR"
    static final int BYTES = 64;

    /** Bytes of one operation in the table that follows the head. */
    static final int OPERATION_BYTES = 24;

    /** What the checksum covers begins here. */
    static final int CHECKED_FROM = 8;

    static {
        if (OPERATION_BYTES > StandbyLimits.OPERATION_BYTES) {
            throw new AssertionError("an operation takes more room in the log than in the account of memory");
        }
    }

    /** Length of a record with so many operations and so much data. */
    static long length(long operationCount, long dataBytes) {
        return BYTES + OPERATION_BYTES * operationCount + dataBytes;
    }

    /** Length of the data behind the table of operations. */
    long dataBytes() {
        return length - length(operationCount, 0);
    }

    RecordHead withChecksum(int value) {
        return new RecordHead(value, logId, generation, sequence, durableCount, epoch, length, operationCount);
    }

    void encode(ByteBuffer target) {
        target.putInt(MAGIC).putInt(checksum).putLong(logId).putLong(generation);
        target.putLong(sequence).putLong(durableCount).putLong(epoch.value()).putLong(length);
        target.putInt((int) operationCount).putInt(0);
    }

    /**
     * Reads {@link #BYTES} bytes that may be anything.
     *
     * @param limitBytes most bytes that a record at this place can have
     * @return null where no record of that log begins
     */
    static @Nullable RecordHead decode(ByteBuffer source, long logId, long limitBytes) {
        if (source.getInt() != MAGIC) {
            return null;
        }
        int checksum = source.getInt();
        long id = source.getLong();
        long generation = source.getLong();
        long sequence = source.getLong();
        long durableCount = source.getLong();
        long epoch = source.getLong();
        long length = source.getLong();
        long operationCount = Integer.toUnsignedLong(source.getInt());
        int reserved = source.getInt();
        if (id != logId || generation < 1 || sequence < 0 || durableCount < 0 || epoch < 1 || reserved != 0) {
            return null;
        }
        if (operationCount < 1 || length < length(operationCount, 0) || length > limitBytes) {
            return null;
        }
        return new RecordHead(
                checksum, id, generation, sequence, durableCount, new EpochId(epoch), length, operationCount);
    }
}
