package remus.bench;

import java.time.Duration;
import java.util.List;
import remus.base.ByteSize;
import remus.qemu.Accelerator;

/**
 * What the throughput bench is to measure: each workload unprotected and protected.
 *
 * @param rounds how often each case is measured
 * @param perTurn how long clients use the guest in each turn, about
 * @param epochs of the protected case
 * @param memory the guest's
 */
public record ThroughputSettings(
        int rounds,
        Duration perTurn,
        Epochs epochs,
        List<ThroughputWorkload> workloads,
        ByteSize memory,
        Accelerator accelerator) {
    private static final Duration MIN_INTERVAL = Duration.ofMillis(5);

    /** Within the detection time of the benches. */
    private static final Duration MAX_INTERVAL = Duration.ofSeconds(1);

    public ThroughputSettings {
        workloads = List.copyOf(workloads);
        Settings.requireRounds(rounds);
        Settings.requireSeconds(perTurn);
        Settings.requireSome(workloads, "workload");
        Settings.requireRoom(memory);
        Duration interval = epochs.interval();
        if (interval.compareTo(MIN_INTERVAL) < 0 || interval.compareTo(MAX_INTERVAL) > 0) {
            throw new IllegalArgumentException("an interval of %d ms is not from %d ms to %d ms"
                    .formatted(interval.toMillis(), MIN_INTERVAL.toMillis(), MAX_INTERVAL.toMillis()));
        }
    }
}
