package remus.api;

/**
 * Figures of the checkpoints of a VM's current protection session.
 *
 * @param count checkpoints committed
 * @param pauseMicros how long the guest stood still for each, in microseconds
 * @param dirtyPages pages of 4 KiB that each carried
 * @param commitMicros from the end of the pause to the backup's acknowledgement, in microseconds
 * @param bytesPerSecond payload sent to the backup, over the last seconds
 */
public record CheckpointStatus(
        long count, Percentiles pauseMicros, Percentiles dirtyPages, Percentiles commitMicros, long bytesPerSecond) {
    public static final CheckpointStatus NONE =
            new CheckpointStatus(0, Percentiles.NONE, Percentiles.NONE, Percentiles.NONE, 0);
}
