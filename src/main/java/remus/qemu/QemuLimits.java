package remus.qemu;

import java.time.Duration;

/**
 * How long QEMU may take before it counts as broken.
 *
 * @param start from its start until it answers on QMP; about 50 ms is usual
 * @param reply for the answer to one command; a few milliseconds are usual
 * @param load for a standby to load the device state and let the guest run; a few milliseconds are usual
 */
public record QemuLimits(Duration start, Duration reply, Duration load) {
    public QemuLimits {
        if (!start.isPositive() || !reply.isPositive() || !load.isPositive()) {
            throw new IllegalArgumentException(
                    "limits must be positive: start=" + start + " reply=" + reply + " load=" + load);
        }
    }
}
