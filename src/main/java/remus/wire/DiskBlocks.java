package remus.wire;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * Blocks of a disk whose digests are compared: the payload of DISK_COMPARE, and what precedes the digests in that of
 * DISK_DIGESTS.
 *
 * @param disk index of the disk in the hello
 * @param firstBlock number of the first block, of {@link WireLimits#COMPARED_BLOCK_BYTES} each
 * @param count 1 to {@link WireLimits#MAX_COMPARED_BLOCKS}
 */
public record DiskBlocks(int disk, long firstBlock, int count) {
    static final int BYTES = 1 + Long.BYTES + Integer.BYTES;

    public void encode(ByteBuffer target) {
        target.put((byte) disk).putLong(firstBlock).putInt(count);
    }

    /** Puts the payload of DISK_DIGESTS: {@code digests} has 32 bytes for each block. */
    public void encodeDigests(ByteBuffer target, byte[] digests) {
        if (digests.length != count * WireLimits.DIGEST_BYTES) {
            throw new IllegalArgumentException(digests.length + " bytes of digests of " + count + " blocks");
        }
        encode(target);
        target.put(digests);
    }

    /** Reads the payload of DISK_COMPARE; the blocks lie within one of {@code disks}. */
    public static DiskBlocks decode(ByteBuffer source, List<HelloDisk> disks) throws WireException {
        DiskBlocks blocks = take(source, disks);
        WireText.end(source);
        return blocks;
    }

    /** Reads the payload of DISK_DIGESTS and leaves the digests, which are exactly what is left of {@code source}. */
    public static DiskBlocks decodeBeforeDigests(ByteBuffer source, List<HelloDisk> disks) throws WireException {
        DiskBlocks blocks = take(source, disks);
        int expected = blocks.count * WireLimits.DIGEST_BYTES;
        if (source.remaining() != expected) {
            throw WireException.corrupt("digests of blocks=" + blocks.count + " have bytes=" + source.remaining()
                    + " expected=" + expected);
        }
        return blocks;
    }

    private static DiskBlocks take(ByteBuffer source, List<HelloDisk> disks) throws WireException {
        WireText.need(source, BYTES, "blocks");
        int disk = Byte.toUnsignedInt(source.get());
        long first = source.getLong();
        int count = source.getInt();
        if (disk >= disks.size()) {
            throw WireException.corrupt("blocks of disk=" + disk + " of a VM with disks=" + disks.size());
        }
        long blocks = disks.get(disk).blockCount();
        if (count < 1
                || count > WireLimits.MAX_COMPARED_BLOCKS
                || first < 0
                || count > blocks
                || first > blocks - count) {
            throw WireException.corrupt("blocks=" + Integer.toUnsignedLong(count) + " from block="
                    + Long.toUnsignedString(first) + " of disk=" + disk + ", which has blocks=" + blocks + ", limit="
                    + WireLimits.MAX_COMPARED_BLOCKS);
        }
        return new DiskBlocks(disk, first, count);
    }
}
