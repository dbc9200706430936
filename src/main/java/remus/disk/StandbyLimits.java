package remus.disk;

import remus.checkpoint.ForwardedWrites;

/**
 * The bounds of a backup's disks, in bytes unless named otherwise. They depend on each other, and the constructor checks
 * it.
 *
 * @param pendingBytes most that is kept of writes that are not in the images yet, each one counted with
 *     {@link #OPERATION_BYTES} more than its data; a primary that sends more breaks the protocol. A bound, no reservation
 * @param acknowledgeBytes a checkpoint is acknowledged only while less than this of whole ones waits for the images
 * @param synchronizeQueueBytes most of the synchronization's writes that wait in memory
 * @param synchronizeSyncBytes after so much the synchronization makes the images durable, so that little is left to do
 *     when the first checkpoint is whole
 * @param batchBytes most that is logged at once, unless a single checkpoint is larger
 * @param logBytes size of the redo log's file, all of it allocated from the beginning; any single checkpoint fits
 * @param logEmptiedBytes the log is emptied when it holds so much
 * @param logEmptiedNanos or when its oldest record is as old as this
 */
record StandbyLimits(
        long pendingBytes,
        long acknowledgeBytes,
        long synchronizeQueueBytes,
        long synchronizeSyncBytes,
        long batchBytes,
        long logBytes,
        long logEmptiedBytes,
        long logEmptiedNanos) {
    /** What an operation costs beside its data, in memory and, less than that, in the log. */
    static final int OPERATION_BYTES = 64;

    private static final long MIB = 1L << 20;

    /** What a primary may let through for each disk while its guest is being stopped. */
    private static final long PAUSE_BYTES = (long) NbdLimits.MAX_IN_FLIGHT * NbdLimits.MAX_PAYLOAD_BYTES;

    private static final long ACKNOWLEDGE_BYTES = 64 * MIB;
    private static final long LEAST_LOG_BYTES = 256 * MIB;

    static {
        boolean holds = ForwardedWrites.LIMIT_BYTES <= 64 * MIB && PAUSE_BYTES <= 64 * MIB;
        if (!holds) {
            throw new ExceptionInInitializerError("a primary may let more through than its backup takes");
        }
    }

    /**
     * Those of a VM with so many disks. Two checkpoints may be under way, each with what was let through while the guest
     * stopped for it, while the ones before them wait here.
     */
    static StandbyLimits of(int disks) {
        long checkpointBytes = 64 * MIB + 64 * MIB * disks;
        return new StandbyLimits(
                128 * MIB + 128 * MIB * disks,
                ACKNOWLEDGE_BYTES,
                32 * MIB,
                64 * MIB,
                16 * MIB,
                Math.max(LEAST_LOG_BYTES, checkpointBytes + 64 * MIB),
                32 * MIB,
                1_000_000_000L);
    }

    /** Most that one checkpoint may bring, counted as {@link #pendingBytes}: what an empty log takes. */
    long checkpointBytes() {
        return checkpointBytes(logBytes);
    }

    private static long checkpointBytes(long logBytes) {
        return logBytes - RedoLog.RECORDS_OFFSET - 2 * RedoLog.ALIGNMENT_BYTES - RedoLog.UNUSED_BYTES;
    }

    StandbyLimits {
        // What is pending may be two checkpoints.
        if (checkpointBytes(logBytes) < pendingBytes / 2) {
            throw new IllegalArgumentException(
                    "a checkpoint of %d bytes has no room in a log of %d".formatted(pendingBytes / 2, logBytes));
        }
        // A primary may have as much under way again as waits here, and lets writes through while its guest pauses.
        if (acknowledgeBytes <= 0 || pendingBytes < 3 * acknowledgeBytes) {
            throw new IllegalArgumentException(
                    "acknowledging up to %d bytes needs more than %d".formatted(acknowledgeBytes, pendingBytes));
        }
        if (synchronizeQueueBytes < DiskWrite.MAX_DATA_BYTES + OPERATION_BYTES
                || synchronizeSyncBytes <= 0
                || batchBytes <= 0
                || logEmptiedBytes <= 0
                || logEmptiedNanos <= 0) {
            throw new IllegalArgumentException("limits that let nothing happen: " + synchronizeQueueBytes);
        }
    }
}
