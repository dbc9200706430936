package remus.bench;

import org.jspecify.annotations.Nullable;

/**
 * One workload at one rate of checkpoints. A figure without {@code Min} or {@code Max} at its end is the median of the rounds.
 *
 * @param workload idle, spin-N or build
 * @param checkpointsPerSecond as asked
 * @param unitsOfWork how much of its work the guest did in each turn
 * @param unprotectedSeconds how long that took without protection, by the host's clock
 * @param protectedSeconds how long with it
 * @param elapsedOverheadPercent how much longer than unprotected in the same round
 * @param checkpointsPerSecondMeasured that were committed
 * @param pauseMicrosP50 of the guest, median of a session
 * @param dirtyPagesP50 pages in a checkpoint, the same
 * @param commitMicrosP50 from the end of a pause to the backup's acknowledgement, the same
 * @param guestClockLagPercent of the time by which the guest's clock fell behind
 */
public record OverheadCase(
        String workload,
        int checkpointsPerSecond,
        long memoryBytes,
        int rounds,
        int unitsOfWork,
        double unprotectedSeconds,
        double protectedSeconds,
        double elapsedOverheadPercent,
        double elapsedOverheadPercentMin,
        double elapsedOverheadPercentMax,
        @Nullable Double checkpointsPerSecondMeasured,
        @Nullable Long pauseMicrosP50,
        @Nullable Long dirtyPagesP50,
        @Nullable Long commitMicrosP50,
        @Nullable Double guestClockLagPercent) {}
