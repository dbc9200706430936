package remus.qemu;

/**
 * How far a guest's clock is behind, as far as that is our doing: QEMU stops it for as long as the guest stands still. A
 * guest that corrects its clock by itself is less behind than this says. Confined to the user's thread.
 */
final class GuestClock {
    private static final long RUNS = Long.MIN_VALUE;

    private long lagNanos;
    private long stillSinceNanos = RUNS;

    /** The guest stands still from now on; nothing new where it does already. */
    void stands(long nowNanos) {
        if (stillSinceNanos == RUNS) {
            stillSinceNanos = nowNanos;
        }
    }

    /** It runs from now on. */
    void runs(long nowNanos) {
        lagNanos = lagNanos(nowNanos);
        stillSinceNanos = RUNS;
    }

    /** It is so far behind, whatever was known before. */
    void isBehind(long nanos, long nowNanos) {
        lagNanos = nanos;
        if (stillSinceNanos != RUNS) {
            stillSinceNanos = nowNanos;
        }
    }

    long lagNanos(long nowNanos) {
        return stillSinceNanos == RUNS ? lagNanos : lagNanos + nowNanos - stillSinceNanos;
    }
}
