package remus.migration;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import remus.checkpoint.PreCopyPolicy;
import remus.checkpoint.PreCopyPolicy.Decision;
import remus.checkpoint.PreCopyRound;

/**
 * A guest that is copied in rounds over a link, page by page in simulated time, as a policy decides. The guest writes the
 * pages of its working set in turn, at a steady rate.
 */
final class SimulatedMigration {
    static final int PAGE_BYTES = 4096;
    private static final double NANOS_PER_SECOND = 1e9;

    /** More rounds than any policy may want. */
    private static final int TOO_MANY_ROUNDS = 5_000;

    /**
     * @param pages of its RAM
     * @param zeroPages of these, the last ones, never written
     * @param workingSetPages of these, the first ones, written in turn
     * @param writesPerSecond while it is not held
     */
    record Guest(int pages, int zeroPages, int workingSetPages, long writesPerSecond) {
        /** 64 MiB, of which half is zero, writing so many pages every 25 ms, always the same ones. */
        static Guest writing(int pagesPer25Millis) {
            return new Guest(16_384, 8_192, pagesPer25Millis, pagesPer25Millis * 40L);
        }
    }

    /**
     * @param rounds as told to the policy
     * @param left pages left by each of them
     * @param limits bytes per second of each, 0: none
     * @param held percent of each
     * @param downtimeNanos to send what was left, without a limit
     */
    record Outcome(
            Decision decision,
            List<PreCopyRound> rounds,
            List<Long> left,
            List<Long> limits,
            List<Integer> held,
            double downtimeNanos) {
        long bytesSent() {
            return rounds.stream().mapToLong(PreCopyRound::bytes).sum();
        }
    }

    private final Guest guest;
    private final long linkBytesPerSecond;
    private final BitSet dirty = new BitSet();
    private double nowNanos;
    private double writesDue;
    private int nextWritten;

    SimulatedMigration(Guest guest, long linkBytesPerSecond) {
        this.guest = guest;
        this.linkBytesPerSecond = linkBytesPerSecond;
        dirty.set(0, guest.pages());
    }

    Outcome run(PreCopyPolicy policy) {
        List<PreCopyRound> rounds = new ArrayList<>();
        List<Long> left = new ArrayList<>();
        List<Long> limits = new ArrayList<>();
        List<Integer> held = new ArrayList<>();
        Decision decision = policy.decide(null, dirty.cardinality());
        while (decision == Decision.NEXT_ROUND && rounds.size() < TOO_MANY_ROUNDS) {
            limits.add(policy.bytesPerSecond());
            held.add(policy.heldPercent());
            PreCopyRound round = copyRound(rounds.size() + 1, policy.bytesPerSecond(), policy.heldPercent());
            rounds.add(round);
            left.add((long) dirty.cardinality());
            decision = policy.decide(round, dirty.cardinality());
        }
        double downtimeNanos = dirty.cardinality() * (double) PAGE_BYTES * NANOS_PER_SECOND / linkBytesPerSecond;
        return new Outcome(decision, rounds, left, limits, held, downtimeNanos);
    }

    private PreCopyRound copyRound(int number, long limitBytesPerSecond, int heldPercent) {
        BitSet round = (BitSet) dirty.clone();
        dirty.clear();
        long rate = limitBytesPerSecond == 0 ? linkBytesPerSecond : Math.min(limitBytesPerSecond, linkBytesPerSecond);
        double pageNanos = PAGE_BYTES * NANOS_PER_SECOND / rate;
        double beganNanos = nowNanos;
        long sent = 0;
        long zero = 0;
        long skipped = 0;
        for (int page = round.nextSetBit(0); page >= 0; page = round.nextSetBit(page + 1)) {
            if (dirty.get(page)) {
                skipped++;
            } else if (page >= guest.pages() - guest.zeroPages()) {
                zero++;
            } else {
                sent++;
                nowNanos += pageNanos;
                guestRuns(pageNanos * (100 - heldPercent) / 100);
            }
        }
        long nanos = (long) (nowNanos - beganNanos);
        return new PreCopyRound(
                number, round.cardinality(), sent, zero, skipped, sent * PAGE_BYTES, nanos, nanos * heldPercent / 100);
    }

    private void guestRuns(double nanos) {
        writesDue += nanos * guest.writesPerSecond() / NANOS_PER_SECOND;
        while (writesDue >= 1) {
            writesDue--;
            dirty.set(nextWritten);
            nextWritten = (nextWritten + 1) % guest.workingSetPages();
        }
    }
}
