package remus.host;

import java.time.Duration;
import org.jspecify.annotations.Nullable;
import remus.availability.WakeGuard;
import remus.base.EpochId;
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

    /**
     * Without contact for so long before it is ready, a backup is lost: it may have to end an earlier session first, and
     * nobody's output waits for it.
     */
    private static final Duration FIRST_CONTACT_DEADLINE = Duration.ofSeconds(30);

    private static final long NEVER = Long.MAX_VALUE;

    private final WakeGuard wakeGuard;
    private final long deadlineNanos;
    private EpochId acknowledged = EpochId.NONE;
    private long progressNanos = Long.MIN_VALUE / 2;
    private long overdueAtNanos = NEVER;
    private long lastToldNanos;
    private long disconnectedAtNanos = NEVER;
    private boolean isReady;

    SessionWatch(ProtectionSettings settings, long nowNanos) {
        long detectNanos = settings.detect().toNanos();
        deadlineNanos = Math.max(ACKNOWLEDGEMENT_DETECTION_TIMES * detectNanos, MIN_ACKNOWLEDGEMENT_DEADLINE.toNanos());
        wakeGuard = new WakeGuard(detectNanos, nowNanos);
    }

    /** As {@link WakeGuard#wokeLate}. */
    boolean wokeLate(long nowNanos) {
        return wakeGuard.wokeLate(nowNanos);
    }

    /** It was running until now, whether it asked or not. */
    void wasAwake(long nowNanos) {
        wakeGuard.wokeLate(nowNanos);
    }

    void acknowledged(EpochId epoch, long nowNanos) {
        if (epoch.isAfter(acknowledged)) {
            acknowledged = epoch;
            progressNanos = nowNanos;
            overdueAtNanos = NEVER;
        }
    }

    void disconnected(long nowNanos) {
        disconnectedAtNanos = Math.min(disconnectedAtNanos, nowNanos);
    }

    /** The backup has taken the session; a connection lost before that is made up for. */
    void welcomed() {
        disconnectedAtNanos = NEVER;
    }

    /** The backup waits for memory and disks. */
    void ready() {
        isReady = true;
        disconnectedAtNanos = NEVER;
    }

    /** That a backup says hello is contact, and no acknowledgement unless it has more than before. */
    void reconnected(EpochId lastWhole, long nowNanos) {
        disconnectedAtNanos = NEVER;
        acknowledged(lastWhole, nowNanos);
    }

    /** What the backup owes for longer than it may, told once in each deadline; null: nothing. */
    @Nullable
    String overdue(CheckpointEngine engine, long nowNanos) {
        if (disconnectedAtNanos != NEVER || engine.oldestInFlightNanos() == NEVER) {
            return null;
        }
        long since = overdueAtNanos != NEVER ? lastToldNanos : Math.max(engine.oldestInFlightNanos(), progressNanos);
        if (nowNanos - since <= deadline()) {
            return null;
        }
        overdueAtNanos = Math.min(overdueAtNanos, nowNanos);
        lastToldNanos = nowNanos;
        return "the backup has not acknowledged epoch %s within %d ms"
                .formatted(engine.lastAcknowledged().next(), deadline() / 1_000_000);
    }

    /** Whether there has been no contact, or no acknowledgement in spite of contact, for so long that the backup is lost. */
    boolean isGivenUp(long nowNanos) {
        long patienceNanos = isReady ? deadlineNanos : FIRST_CONTACT_DEADLINE.toNanos();
        return (disconnectedAtNanos != NEVER && nowNanos - disconnectedAtNanos > patienceNanos)
                || (overdueAtNanos != NEVER && nowNanos - overdueAtNanos > deadline());
    }

    private long deadline() {
        return acknowledged.isAfter(EpochId.NONE) ? deadlineNanos : FIRST_ACKNOWLEDGEMENT_DEADLINE.toNanos();
    }
}
