package remus.api;

/**
 * Figures of the checkpoints of a VM's current protection session.
 *
 * @param count checkpoints committed
 * @param pauseMicros how long the guest stood still for each, in microseconds
 * @param dirtyPages pages of 4 KiB that each carried
 * @param commitMicros from the end of the pause to the backup's acknowledgement, in microseconds
 * @param bytesPerSecond pages and device state sent to the backup, over the last seconds
 * @param rawBytesPerSecond what these would be if each page was sent as it is
 */
public record CheckpointStatus(
        long count,
        Percentiles pauseMicros,
        Percentiles dirtyPages,
        Percentiles commitMicros,
        long bytesPerSecond,
        long rawBytesPerSecond) {
    public static final CheckpointStatus NONE =
            new CheckpointStatus(0, Percentiles.NONE, Percentiles.NONE, Percentiles.NONE, 0, 0);
}
