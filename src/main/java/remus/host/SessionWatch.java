package remus.host;

import java.time.Duration;
import org.jspecify.annotations.Nullable;
import remus.availability.WakeGuard;
import remus.checkpoint.CheckpointEngine;

/**
 * Notices in a protection session what has not happened in time: an acknowledgement of the backup, contact with it, or this
 * process having run at all. What follows is not decided here. Confined to the VM's agent thread.
 */
final class SessionWatch {
    /** Unacknowledged for so many detection times, a checkpoint means that the backup is lost; not below the minimum. */
    private static final int ACKNOWLEDGEMENT_DETECTION_TIMES = 4;

    private static final Duration MIN_ACKNOWLEDGEMENT_DEADLINE = Duration.ofSeconds(1);

    /** The first checkpoint may be most of memory. */
    private static final Duration FIRST_ACKNOWLEDGEMENT_DEADLINE = Duration.ofMinutes(1);

    private static final long NEVER = Long.MAX_VALUE;

    private final WakeGuard wakeGuard;
    private final long deadlineNanos;
    private boolean acknowledgedAny;
    private long lastContactNanos = Long.MIN_VALUE / 2;
    private long disconnectedAtNanos = NEVER;

    SessionWatch(ProtectionSettings settings, long nowNanos) {
        long detectNanos = settings.detect().toNanos();
        deadlineNanos = Math.max(ACKNOWLEDGEMENT_DETECTION_TIMES * detectNanos, MIN_ACKNOWLEDGEMENT_DEADLINE.toNanos());
        wakeGuard = new WakeGuard(detectNanos, nowNanos);
    }

    /** As {@link WakeGuard#wokeLate}. */
    boolean wokeLate(long nowNanos) {
        return wakeGuard.wokeLate(nowNanos);
    }

    void acknowledged(long nowNanos) {
        acknowledgedAny = true;
        lastContactNanos = nowNanos;
    }

    void disconnected(long nowNanos) {
        disconnectedAtNanos = Math.min(disconnectedAtNanos, nowNanos);
    }

    /** The backup gets all that is in flight once more, and the whole time for it. */
    void reconnected(long nowNanos) {
        disconnectedAtNanos = NEVER;
        lastContactNanos = nowNanos;
    }

    /** What the backup owes for longer than it may, or null. */
    @Nullable
    String overdue(CheckpointEngine engine, long nowNanos) {
        if (disconnectedAtNanos != NEVER) {
            return null;
        }
        long oldestNanos = engine.oldestInFlightNanos();
        long deadline = acknowledgedAny ? deadlineNanos : FIRST_ACKNOWLEDGEMENT_DEADLINE.toNanos();
        return oldestNanos != NEVER && nowNanos - Math.max(oldestNanos, lastContactNanos) > deadline
                ? "the backup has not acknowledged epoch %s within %d ms"
                        .formatted(engine.lastAcknowledged().next(), deadline / 1_000_000)
                : null;
    }

    /** Whether there has been no contact for so long that the backup counts as lost. */
    boolean isGivenUp(long nowNanos) {
        return disconnectedAtNanos != NEVER && nowNanos - disconnectedAtNanos > deadlineNanos;
    }
}
