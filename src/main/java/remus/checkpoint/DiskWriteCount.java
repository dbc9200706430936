package remus.checkpoint;

/**
 * How much was written to a VM's disks in one epoch: what the backup compares before it acknowledges.
 *
 * @param operations writes, zeroings and trims, as they were forwarded
 * @param bytes data of the writes
 */
public record DiskWriteCount(int operations, long bytes) {
    public static final DiskWriteCount NONE = new DiskWriteCount(0, 0);

    /** One more operation, with so many bytes of data. */
    public DiskWriteCount plus(long moreBytes) {
        return new DiskWriteCount(operations + 1, bytes + moreBytes);
    }
}
