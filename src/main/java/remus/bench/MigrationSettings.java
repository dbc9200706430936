package remus.bench;

import java.time.Duration;
import java.util.List;
import remus.base.ByteSize;
import remus.qemu.Accelerator;

/**
 * What the migration bench is to measure: each system with each workload and each downtime limit.
 *
 * @param rounds how often each case is measured
 * @param memory the guest's
 * @param downtimeLimits what each system is told to keep the downtime within
 * @param patience how long one migration may take before it is given up
 */
public record MigrationSettings(
        int rounds,
        ByteSize memory,
        Accelerator accelerator,
        List<MigrationSystem> systems,
        List<GuestLoad> workloads,
        List<Duration> downtimeLimits,
        Duration patience) {
    /** QEMU takes no longer limit. */
    private static final Duration MAX_DOWNTIME_LIMIT = Duration.ofSeconds(2_000);

    private static final Duration MAX_PATIENCE = Duration.ofHours(1);

    public MigrationSettings {
        systems = List.copyOf(systems);
        workloads = List.copyOf(workloads);
        downtimeLimits = List.copyOf(downtimeLimits);
        Settings.requireRounds(rounds);
        Settings.requireSome(systems, "system");
        Settings.requireSome(workloads, "workload");
        Settings.requireSome(downtimeLimits, "downtime limit");
        for (GuestLoad workload : workloads) {
            workload.requireRoom(memory);
        }
        for (Duration limit : downtimeLimits) {
            if (limit.toMillis() < 1 || limit.compareTo(MAX_DOWNTIME_LIMIT) > 0) {
                throw new IllegalArgumentException(
                        "a downtime limit of %d ms is not from 1 ms to %d s: use one that both systems take"
                                .formatted(limit.toMillis(), MAX_DOWNTIME_LIMIT.toSeconds()));
            }
        }
        if (patience.toSeconds() < 1 || patience.compareTo(MAX_PATIENCE) > 0) {
            throw new IllegalArgumentException("patience of %d ms is not from 1 s to %d s"
                    .formatted(patience.toMillis(), MAX_PATIENCE.toSeconds()));
        }
    }
}
