package remus.bench;

import java.time.Duration;
import java.util.List;
import remus.base.ByteSize;
import remus.checkpoint.EpochLengths;
import remus.qemu.Accelerator;

/**
 * What the latency bench is to measure.
 *
 * @param rounds how often each mode is measured
 * @param perTurn how long the guest's fixed work takes without protection; each mode is measured until that is done
 * @param every the client sends a request at most once in such a time; zero: as soon as it has the answer
 * @param maxPauseSharePercent the part of the time that pauses may take in {@link LatencyMode#OUTPUT_TRIGGERED}
 * @param memory the guest's
 */
public record LatencySettings(
        int rounds,
        Duration perTurn,
        Duration every,
        List<LatencyMode> modes,
        int maxPauseSharePercent,
        ByteSize memory,
        Accelerator accelerator) {
    private static final Duration MAX_EVERY = Duration.ofSeconds(1);

    public LatencySettings {
        modes = List.copyOf(modes);
        Settings.requireRounds(rounds);
        Settings.requireSeconds(perTurn);
        Settings.requireSome(modes, "mode");
        Settings.requireRoom(memory);
        if (maxPauseSharePercent < 1 || maxPauseSharePercent > EpochLengths.MAX_PAUSE_SHARE_PERCENT) {
            throw new IllegalArgumentException(
                    "pauses of %d%% of the time are not from 1%% to %d%%: without any share, use fixed-25ms"
                            .formatted(maxPauseSharePercent, EpochLengths.MAX_PAUSE_SHARE_PERCENT));
        }
        if (every.isNegative() || every.compareTo(MAX_EVERY) > 0) {
            throw new IllegalArgumentException("a request every %d ms is not from 0 ms to %d ms"
                    .formatted(every.toMillis(), MAX_EVERY.toMillis()));
        }
    }
}
