package remus.migration;

import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Deque;

/**
 * How fast page data can be expected to go when nothing limits it, judged by the rounds. A round that kept to a limit of
 * ours and came near it says only that the link is no slower; one that had no limit, or stayed well below it, measured the
 * link. Taken is the best of
 * <ul>
 *   <li>the last {@value #MEASURED_ROUNDS} rounds that measured: one that met a busy moment counts for little, and a link
 *       that was better long ago for nothing;
 *   <li>the fastest round since then that was held back by its limit.
 * </ul>
 * Rounds of less than {@value #MEASURING_BYTES} bytes tell more of latencies than of the link: together they count only as
 * long as there is nothing better. Pure. Not thread-safe.
 */
final class LinkRate {
    static final int MEASURED_ROUNDS = 3;
    static final long MEASURING_BYTES = 1 << 20;

    /** From this share of its limit on a round was held back by it. */
    private static final double HELD_BACK_SHARE = 0.9;

    private static final double NANOS_PER_SECOND = 1e9;

    private final Deque<Double> measured = new ArrayDeque<>();
    private double heldBack;
    private long smallBytes;
    private long smallNanos;

    /** @param limitBytesPerSecond that the round kept to; 0: none */
    void add(long bytes, long nanos, long limitBytesPerSecond) {
        if (bytes < MEASURING_BYTES) {
            smallBytes += bytes;
            smallNanos += nanos;
            return;
        }
        double rate = rate(bytes, nanos);
        if (limitBytesPerSecond > 0 && rate >= limitBytesPerSecond * HELD_BACK_SHARE) {
            heldBack = Math.max(heldBack, rate);
            return;
        }
        heldBack = 0;
        measured.addLast(rate);
        if (measured.size() > MEASURED_ROUNDS) {
            measured.removeFirst();
        }
    }

    /** 0: nothing was sent yet that would tell. */
    double bytesPerSecond() {
        double best = measured.isEmpty() ? heldBack : Math.max(heldBack, Collections.max(measured));
        return best > 0 ? best : rate(smallBytes, smallNanos);
    }

    private static double rate(long bytes, long nanos) {
        return bytes * NANOS_PER_SECOND / Math.max(1, nanos);
    }
}
