package remus.disk;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;
import remus.checkpoint.DiskOperation;

/**
 * Reads the records of a redo log through a buffer of {@link #BUFFER_BYTES}. The file may hold anything: nothing is
 * allocated by what it says, and {@link #apply} is only for records that {@link #isWhole} and {@link #check} have passed.
 * One thread at a time.
 */
final class RecordReader {
    static final int BUFFER_BYTES = 1 << 20;

    /** Operations read at once. */
    private static final int TABLE_ENTRIES = 1024;

    private interface Visitor {
        void operation(int disk, DiskOperation operation, long offset, long length, long dataPosition)
                throws DiskException;
    }

    private final BlockImage file;
    private final long logId;
    private final MemorySegment buffer;
    private final MemorySegment table;

    RecordReader(BlockImage file, long logId, Arena arena) {
        this.file = file;
        this.logId = logId;
        this.buffer = arena.allocate(BUFFER_BYTES);
        this.table = arena.allocate((long) TABLE_ENTRIES * RecordHead.OPERATION_BYTES);
    }

    /** What looks like a record of this log at {@code position}, of any generation; or null. */
    @Nullable
    RecordHead head(long position) throws DiskException {
        if (position > file.bytes() - RecordHead.BYTES) {
            return null;
        }
        file.read(position, buffer, 0, RecordHead.BYTES);
        ByteBuffer bytes = buffer.asSlice(0, RecordHead.BYTES).asByteBuffer();
        return RecordHead.decode(bytes, logId, file.bytes() - position);
    }

    /** Whether all of the record at {@code position} is there as it was written. */
    boolean isWhole(long position, RecordHead head) throws DiskException {
        CRC32C crc = new CRC32C();
        long done = RecordHead.CHECKED_FROM;
        while (done < head.length()) {
            int part = (int) Math.min(BUFFER_BYTES, head.length() - done);
            file.read(position + done, buffer, 0, part);
            crc.update(buffer.asSlice(0, part).asByteBuffer());
            done += part;
        }
        return (int) crc.getValue() == head.checksum();
    }

    /** Refuses a record whose operations do not fit the disks or its data; {@code disks} gives their sizes. */
    void check(long position, RecordHead head, List<LogHeader.Disk> disks) throws DiskException {
        long end = position + head.length();
        long data = visit(position, head, (disk, operation, offset, length, dataPosition) -> {
            if (disk >= disks.size()
                    || length < 1
                    || offset < 0
                    || offset > disks.get(disk).bytes() - length
                    || (operation == DiskOperation.WRITE && length > end - dataPosition)) {
                throw refusal(head, "%s of disk %d, %d bytes at %d".formatted(operation, disk, length, offset));
            }
        });
        if (data != end) {
            throw refusal(head, "it has " + head.dataBytes() + " bytes of data, but not its operations");
        }
    }

    /** Applies the record to the images. */
    void apply(long position, RecordHead head, List<? extends BlockImage> images) throws DiskException {
        visit(position, head, (disk, operation, offset, length, dataPosition) -> {
            BlockImage image = images.get(disk);
            switch (operation) {
                case WRITE -> copy(dataPosition, image, offset, length);
                case ZERO -> image.zero(offset, length);
                case TRIM -> image.trim(offset, length);
            }
        });
    }

    private void copy(long dataPosition, BlockImage image, long offset, long length) throws DiskException {
        long done = 0;
        while (done < length) {
            long part = Math.min(BUFFER_BYTES, length - done);
            file.read(dataPosition + done, buffer, 0, part);
            image.write(offset + done, buffer, 0, part);
            done += part;
        }
    }

    /** Shows all operations to {@code visitor}; returns where the data of the last one ends. */
    private long visit(long position, RecordHead head, Visitor visitor) throws DiskException {
        long entryPosition = position + RecordHead.BYTES;
        long dataPosition = position + RecordHead.length(head.operationCount(), 0);
        for (long done = 0; done < head.operationCount(); ) {
            int count = (int) Math.min(TABLE_ENTRIES, head.operationCount() - done);
            long bytes = (long) count * RecordHead.OPERATION_BYTES;
            file.read(entryPosition, table, 0, bytes);
            ByteBuffer entries = table.asSlice(0, bytes).asByteBuffer();
            while (entries.hasRemaining()) {
                int disk = Byte.toUnsignedInt(entries.get());
                @Nullable DiskOperation operation = OperationCode.operation(entries.get());
                short reserved = entries.getShort();
                int reservedToo = entries.getInt();
                if (operation == null || reserved != 0 || reservedToo != 0) {
                    throw refusal(head, "an operation that does not exist");
                }
                long offset = entries.getLong();
                long length = entries.getLong();
                visitor.operation(disk, operation, offset, length, dataPosition);
                dataPosition += operation == DiskOperation.WRITE ? length : 0;
            }
            entryPosition += bytes;
            done += count;
        }
        return dataPosition;
    }

    private DiskException refusal(RecordHead head, String what) {
        return DiskException.unusable(
                "the redo log %s is refused: its record of epoch=%s has %s".formatted(file.path(), head.epoch(), what),
                null);
    }
}
