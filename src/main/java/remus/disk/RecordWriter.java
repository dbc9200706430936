package remus.disk;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;
import remus.checkpoint.DiskOperation;

/**
 * Writes the records of a redo log through a buffer of {@link #STAGE_BYTES}: head, table of operations, data. One thread
 * at a time. After a failure the record is not there, and may be written again.
 */
final class RecordWriter {
    /** Records up to this size take one write; larger ones several. */
    static final int STAGE_BYTES = 1 << 20;

    /** Writes from this size on do not go through the buffer. */
    static final int DIRECT_BYTES = 128 << 10;

    private final BlockImage file;
    private final MemorySegment stage;
    private final ByteBuffer view;
    private final CRC32C crc = new CRC32C();
    private long position;
    private int unchecked;

    RecordWriter(BlockImage file, Arena arena) {
        this.file = file;
        this.stage = arena.allocate(STAGE_BYTES);
        this.view = stage.asByteBuffer();
    }

    /**
     * Writes the record of {@code writes} at {@code start}; not durable yet.
     *
     * @param head all but the checksum
     */
    void write(long start, RecordHead head, EpochWrites writes) throws DiskException {
        position = start;
        unchecked = RecordHead.CHECKED_FROM;
        crc.reset();
        view.clear();
        head.encode(view);
        for (DiskWrite write : writes.writes()) {
            putOperation(write);
        }
        for (DiskWrite write : writes.writes()) {
            if (write.operation() == DiskOperation.WRITE) {
                putData(write);
            }
        }
        boolean isWhole = position == start;
        check();
        if (isWhole) {
            view.putInt(Integer.BYTES, (int) crc.getValue());
        }
        flush();
        if (!isWhole) {
            view.clear();
            head.withChecksum((int) crc.getValue()).encode(view);
            file.write(start, stage, 0, RecordHead.BYTES);
        }
    }

    private void putOperation(DiskWrite write) throws DiskException {
        if (view.remaining() < RecordHead.OPERATION_BYTES) {
            flush();
        }
        view.put((byte) write.disk()).put((byte) OperationCode.of(write.operation()));
        view.putShort((short) 0).putInt(0);
        view.putLong(write.offset()).putLong(write.length());
    }

    private void putData(DiskWrite write) throws DiskException {
        if (write.length() >= DIRECT_BYTES) {
            writeDirectly(write);
            return;
        }
        long done = 0;
        while (done < write.length()) {
            if (!view.hasRemaining()) {
                flush();
            }
            int part = (int) Math.min(view.remaining(), write.length() - done);
            MemorySegment.copy(write.data(), write.at() + done, stage, view.position(), part);
            view.position(view.position() + part);
            done += part;
        }
    }

    /** From where it is: copying it would take longer than another call. */
    private void writeDirectly(DiskWrite write) throws DiskException {
        flush();
        crc.update(write.data().asSlice(write.at(), write.length()).asByteBuffer());
        file.write(position, write.data(), write.at(), write.length());
        position += write.length();
    }

    private void check() {
        crc.update(view.slice(unchecked, view.position() - unchecked));
        unchecked = view.position();
    }

    private void flush() throws DiskException {
        if (view.position() == 0) {
            return;
        }
        check();
        file.write(position, stage, 0, view.position());
        position += view.position();
        view.clear();
        unchecked = 0;
    }
}
