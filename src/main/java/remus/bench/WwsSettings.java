package remus.bench;

import java.time.Duration;
import java.util.List;
import remus.base.ByteSize;
import remus.qemu.Accelerator;

/**
 * How the writable working set of guests is to be measured.
 *
 * @param workloads a guest for each, one after the other
 * @param duration how long each is watched
 * @param interval how often its written pages are collected
 */
public record WwsSettings(
        ByteSize memory, Accelerator accelerator, List<GuestLoad> workloads, Duration duration, Duration interval) {
    /** Over which times the distinct pages are counted. */
    public static final List<Duration> WINDOWS = List.of(
            Duration.ofMillis(100),
            Duration.ofMillis(500),
            Duration.ofSeconds(1),
            Duration.ofSeconds(2),
            Duration.ofSeconds(5));

    private static final Duration MIN_INTERVAL = Duration.ofMillis(5);
    private static final Duration MAX_DURATION = Duration.ofHours(1);

    public WwsSettings {
        workloads = List.copyOf(workloads);
        if (workloads.isEmpty()) {
            throw new IllegalArgumentException("no workload is given: name at least one");
        }
        for (GuestLoad workload : workloads) {
            workload.requireRoom(memory);
        }
        if (duration.toSeconds() < 1 || duration.compareTo(MAX_DURATION) > 0) {
            throw new IllegalArgumentException(
                    "seconds=" + duration.toSeconds() + " is not a number from 1 to " + MAX_DURATION.toSeconds());
        }
        if (interval.compareTo(MIN_INTERVAL) < 0 || interval.compareTo(WINDOWS.getFirst()) > 0) {
            throw new IllegalArgumentException("an interval of %d ms is not from %d to %d ms"
                    .formatted(
                            interval.toMillis(),
                            MIN_INTERVAL.toMillis(),
                            WINDOWS.getFirst().toMillis()));
        }
    }
}
