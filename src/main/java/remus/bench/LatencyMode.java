package remus.bench;

import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** How the guest of the latency bench is protected while its client asks it. */
public enum LatencyMode {
    UNPROTECTED(null),
    FIXED_25MS(Duration.ofMillis(25)),
    FIXED_100MS(Duration.ofMillis(100)),
    /** An epoch ends early when the guest has sent something, and late when it is quiet: what {@code protect} does by itself. */
    OUTPUT_TRIGGERED(Duration.ofMillis(25));

    private final @Nullable Duration interval;

    LatencyMode(@Nullable Duration interval) {
        this.interval = interval;
    }

    /**
     * Its epochs; empty where there are none.
     *
     * @param maxPauseSharePercent for the mode whose epochs may end early
     */
    public Optional<Epochs> epochs(int maxPauseSharePercent) {
        return Optional.ofNullable(interval)
                .map(usual -> new Epochs(usual, this == OUTPUT_TRIGGERED ? maxPauseSharePercent : 0));
    }

    /** Its name in reports. */
    public String key() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** @throws IllegalArgumentException naming the text and the choices */
    public static LatencyMode parse(String text) {
        for (LatencyMode mode : values()) {
            if (mode.key().equals(text)) {
                return mode;
            }
        }
        throw new IllegalArgumentException("'%s' is no mode: use %s"
                .formatted(text, Arrays.stream(values()).map(LatencyMode::key).collect(Collectors.joining(", "))));
    }
}
