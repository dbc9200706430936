package remus.bench;

import java.time.Duration;

/**
 * What the failover bench is to measure.
 *
 * @param kills how often the host under the VM dies
 * @param kill how: {@code mixed}, {@code process} or {@code power}
 * @param detect silence after which the backup takes over
 */
public record FailoverSettings(int kills, String kill, Duration detect) {
    private static final int MAX_KILLS = 10_000;

    /** Twice the interval of the demo's checkpoints, which hosts refuse to go below. */
    private static final Duration LEAST_DETECT = Duration.ofMillis(50);

    private static final Duration MAX_DETECT = Duration.ofSeconds(10);

    public FailoverSettings {
        if (kills < 1 || kills > MAX_KILLS) {
            throw new IllegalArgumentException("kills=" + kills + " is not a number from 1 to " + MAX_KILLS);
        }
        if (detect.compareTo(LEAST_DETECT) < 0 || detect.compareTo(MAX_DETECT) > 0) {
            throw new IllegalArgumentException("a detection time of %d ms is not from %d to %d ms"
                    .formatted(detect.toMillis(), LEAST_DETECT.toMillis(), MAX_DETECT.toMillis()));
        }
    }
}
