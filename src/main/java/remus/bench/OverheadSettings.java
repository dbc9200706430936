package remus.bench;

import java.time.Duration;
import java.util.List;
import remus.base.ByteSize;
import remus.qemu.Accelerator;

/**
 * What the overhead bench is to measure: each workload unprotected and at each rate.
 *
 * @param rounds how often each case is measured
 * @param perTurn how long the fixed work takes without protection, about
 * @param checkpointsPerSecond the rates
 * @param memory the guest's
 */
public record OverheadSettings(
        int rounds,
        Duration perTurn,
        List<OverheadWorkload> workloads,
        List<Integer> checkpointsPerSecond,
        ByteSize memory,
        Accelerator accelerator) {
    /** Epochs are whole milliseconds, of which a pause must not take most. */
    private static final int MAX_RATE = 100;

    public OverheadSettings {
        workloads = List.copyOf(workloads);
        checkpointsPerSecond = List.copyOf(checkpointsPerSecond);
        Settings.requireRounds(rounds);
        Settings.requireSeconds(perTurn);
        Settings.requireSome(workloads, "workload");
        Settings.requireSome(checkpointsPerSecond, "rate");
        Settings.requireRoom(memory);
        for (int rate : checkpointsPerSecond) {
            if (rate < 1 || rate > MAX_RATE) {
                throw new IllegalArgumentException(
                        "a rate of " + rate + " checkpoints a second is not from 1 to " + MAX_RATE);
            }
        }
    }

    /** Epochs that come so often, in whole milliseconds: 33 ms for 30 a second. */
    public static Epochs epochs(int checkpointsPerSecond) {
        return Epochs.fixed(Duration.ofMillis(Math.round(1_000.0 / checkpointsPerSecond)));
    }
}
