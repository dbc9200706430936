package remus.wire;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * The writes of one DISK_WRITES frame, in their order: a table and, for those that bring data, where it lies in the
 * receiver's buffer. Reused from frame to frame and valid only until the next one is read. All numbers have been
 * checked: every range lies within its disk, and the data is there. Confined to one thread.
 */
public final class DiskWrites {
    private final List<HelloDisk> disks;
    private final int[] diskIndexes;
    private final DiskWriteKind[] kinds;
    private final long[] offsets;
    private final long[] lengths;
    private final long[] dataOffsets;
    private int count;
    private long dataBytes;
    private MemorySegment data = MemorySegment.NULL;

    /** @param disks the VM's, as its hello names them */
    public DiskWrites(List<HelloDisk> disks) {
        this.disks = List.copyOf(disks);
        // Without disks every frame is refused at its first entry.
        int capacity = disks.isEmpty() ? 0 : WireLimits.MAX_DISK_WRITES;
        diskIndexes = new int[capacity];
        kinds = new DiskWriteKind[capacity];
        offsets = new long[capacity];
        lengths = new long[capacity];
        dataOffsets = new long[capacity];
    }

    /** Puts one entry of the table; the table of a payload is preceded by the number of its entries. */
    public static void putEntry(ByteBuffer target, int disk, DiskWriteKind kind, long offset, long length) {
        target.put((byte) disk).put((byte) kind.code()).putLong(offset).putInt((int) length);
    }

    /**
     * Reads the payload of DISK_WRITES, which is {@code payload} from its position to its limit.
     *
     * @param memory the memory behind {@code payload}: byte i of one is byte i of the other
     */
    public void decode(ByteBuffer payload, MemorySegment memory) throws WireException {
        count = 0;
        dataBytes = 0;
        WireText.need(payload, Integer.BYTES, "number of writes");
        int entries = payload.getInt();
        if (entries < 1 || entries > WireLimits.MAX_DISK_WRITES) {
            throw WireException.corrupt(
                    "disk writes=" + Integer.toUnsignedLong(entries) + " limit=" + WireLimits.MAX_DISK_WRITES);
        }
        long tableBytes = (long) entries * WireLimits.DISK_WRITE_BYTES;
        WireText.need(payload, tableBytes, "table of writes");
        long dataAt = payload.position() + tableBytes;
        long dataLimit = Math.min(WireLimits.MAX_BULK_BYTES, payload.limit() - dataAt);
        for (int i = 0; i < entries; i++) {
            decodeEntry(payload, i);
            dataOffsets[i] = dataAt + dataBytes;
            if (kinds[i] == DiskWriteKind.WRITE) {
                dataBytes += lengths[i];
            }
            if (dataBytes > dataLimit) {
                throw WireException.corrupt("the frame's writes have bytes=" + dataBytes
                        + " of data and more, but it brings or may bring bytes=" + dataLimit);
            }
        }
        if (dataBytes != payload.remaining()) {
            throw WireException.corrupt("the frame's writes have bytes=" + dataBytes + " of data, but it brings bytes="
                    + payload.remaining());
        }
        data = memory;
        count = entries;
    }

    private void decodeEntry(ByteBuffer payload, int index) throws WireException {
        int disk = Byte.toUnsignedInt(payload.get());
        DiskWriteKind kind = DiskWriteKind.ofCode(Byte.toUnsignedInt(payload.get()));
        long offset = payload.getLong();
        long length = Integer.toUnsignedLong(payload.getInt());
        if (disk >= disks.size()) {
            throw WireException.corrupt("a write to disk=" + disk + " of a VM with disks=" + disks.size());
        }
        long bytes = disks.get(disk).bytes();
        if (offset < 0 || length < 1 || length > bytes || offset > bytes - length) {
            throw WireException.corrupt("a write of bytes=" + length + " at offset=" + Long.toUnsignedString(offset)
                    + " of disk=" + disk + ", which has bytes=" + bytes);
        }
        diskIndexes[index] = disk;
        kinds[index] = kind;
        offsets[index] = offset;
        lengths[index] = length;
    }

    public int count() {
        return count;
    }

    /** Data of all writes of the frame together. */
    public long dataBytes() {
        return dataBytes;
    }

    /** Index of the disk in the hello. */
    public int disk(int write) {
        return diskIndexes[write];
    }

    public DiskWriteKind kind(int write) {
        return kinds[write];
    }

    public long offset(int write) {
        return offsets[write];
    }

    /** 1 to 2^32-1 bytes. */
    public long length(int write) {
        return lengths[write];
    }

    /** The memory that holds the data of each {@link DiskWriteKind#WRITE}, from {@link #dataOffset} on. */
    public MemorySegment data() {
        return data;
    }

    public long dataOffset(int write) {
        return dataOffsets[write];
    }
}
