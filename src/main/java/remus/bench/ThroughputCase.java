package remus.bench;

import com.fasterxml.jackson.annotation.JsonProperty;
import org.jspecify.annotations.Nullable;

/**
 * One workload of the throughput bench, unprotected or protected. A figure without {@code Min} or {@code Max} at its end is the
 * median of the rounds.
 *
 * @param workload iperf3-to-guest, iperf3-from-guest or redis-50
 * @param setting unprotected or protected
 * @param intervalMillis between two checkpoints, usually; null where none are taken
 * @param maxPauseSharePercent the part of the time that pauses may take where epochs end early for output, 0 for fixed epochs;
 *     null likewise
 * @param megabitsPerSecond that arrived, by the clock of the client's host; null for Redis
 * @param requestsPerSecond that were answered, SET and GET alike; null for iperf3
 * @param ratioToUnprotected of the rate in the same round
 * @param primaryCpuPercent of one processor that the daemon of the VM's host used
 * @param backupCpuPercent the same of the other one's
 * @param primaryRssBytes resident memory of that daemon, the guest's memory where it has that mapped included
 * @param checkpointsPerSecond null, as what follows, where none are taken
 * @param sentBytesPerSecond to the backup, over the last seconds of the turn
 * @param bytesPerDirtyPage that, by checkpoints a second and by the median of their pages of 4 KiB; null without pages
 */
public record ThroughputCase(
        String workload,
        @JsonProperty("case") String setting,
        long memoryBytes,
        @Nullable Long intervalMillis,
        @Nullable Integer maxPauseSharePercent,
        int rounds,
        double secondsPerRound,
        @Nullable Double megabitsPerSecond,
        @Nullable Double megabitsPerSecondMin,
        @Nullable Double megabitsPerSecondMax,
        @Nullable Double requestsPerSecond,
        @Nullable Double requestsPerSecondMin,
        @Nullable Double requestsPerSecondMax,
        double ratioToUnprotected,
        double ratioToUnprotectedMin,
        double ratioToUnprotectedMax,
        double primaryCpuPercent,
        double backupCpuPercent,
        long primaryRssBytes,
        long backupRssBytes,
        @Nullable Double checkpointsPerSecond,
        @Nullable Long pauseMicros,
        @Nullable Long commitMicros,
        @Nullable Long dirtyPages,
        @Nullable Long sentBytesPerSecond,
        @Nullable Double bytesPerDirtyPage) {}
