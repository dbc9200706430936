package remus.bench;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One measured case of the migration bench: a system, a workload and a downtime limit. A figure without {@code Min} or
 * {@code Max} at its end is the median of the measured migrations that came to their end, null where none did.
 *
 * @param system qemu, whose own live migration it is, or remus
 * @param workload idle or dirty-N: N pages are written every 25 ms
 * @param rounds migrations measured
 * @param completed of these, those that came to their end within the bench's patience
 * @param totalMillis as the system tells it. QEMU's {@code total-time}: from the command until the source has sent all
 *     and been told so. Ours: from when the destination is ready for memory until the VM runs there
 * @param downtimeMillis as the system tells it. QEMU's {@code downtime}: from before the source stops the guest until
 *     it has sent all; loading at the destination is not in it. Ours: for how long the guest stood still
 * @param standstillMillis QEMU's by the same yardstick as ours: from the source's word that the guest stands still
 *     until the destination's word that it has all loaded; for ours the downtime
 * @param clientStallMillis longest time without an answer that a client on one TCP connection had, who asks every 10
 *     ms; null for QEMU, whose guest waits until both memories have been compared
 * @param mebibytesSent of memory and devices
 * @param preCopyRounds how often what was written was looked for
 * @param totalRatioToQemu of the medians; null for QEMU's cases and where there is nothing to compare with
 * @param compared migrations after which both memories were compared: each of QEMU's, page by page; of ours one that is
 *     not measured beside each one that is, by digests
 * @param lostPages pages that differed, of all compared migrations together; 1 stands for at least one where digests
 *     differ; null where nothing was compared
 * @param lossyMigrations of the compared ones, those that have lost pages
 * @param targetRan whether the guest went on working at the destination in all migrations that came to their end,
 *     measured or only compared; null where none did
 * @param targetsRan of these, those where it did
 * @param targets migrations, measured or only compared, that came to their end
 * @param problems what kept migrations from their end and guests from running on, each once
 */
public record MigrationCase(
        String system,
        String workload,
        long downtimeLimitMillis,
        long memoryBytes,
        int rounds,
        int completed,
        @Nullable Double totalMillis,
        @Nullable Double totalMillisMin,
        @Nullable Double totalMillisMax,
        @Nullable Double downtimeMillis,
        @Nullable Double downtimeMillisMin,
        @Nullable Double downtimeMillisMax,
        @Nullable Double standstillMillis,
        @Nullable Double standstillMillisMin,
        @Nullable Double standstillMillisMax,
        @Nullable Double clientStallMillis,
        @Nullable Double clientStallMillisMin,
        @Nullable Double clientStallMillisMax,
        @Nullable Double mebibytesSent,
        @Nullable Double preCopyRounds,
        @Nullable Double totalRatioToQemu,
        @Nullable Double downtimeRatioToQemu,
        @Nullable Double standstillRatioToQemu,
        int compared,
        @Nullable Long lostPages,
        int lossyMigrations,
        @Nullable Boolean targetRan,
        int targetsRan,
        int targets,
        List<String> problems) {
    public MigrationCase {
        problems = List.copyOf(problems);
    }
}
