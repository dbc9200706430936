package remus.migration;

import java.util.ArrayList;
import java.util.List;
import remus.base.Invariant;
import remus.checkpoint.PreCopyRound;

/**
 * What the rounds of a migration did so far, and what that tells of the link and of the guest. Confined to the thread of
 * its {@link PreCopyRules}; holds one number for each round.
 */
final class RoundHistory {
    /** Sent in less time than everything else takes while the guest stands still: 1 MiB. */
    static final int FEW_PAGES = 256;

    private static final double NANOS_PER_SECOND = 1e9;

    private final int pageBytes;
    private final LinkRate linkRate = new LinkRate();
    private final List<Long> comparableLeft = new ArrayList<>();
    private int rounds;
    private long pagesSent;
    private long pagesLeft;
    private long bytesSent;
    private long dirtiedBytesPerSecond;

    RoundHistory(int pageBytes) {
        this.pageBytes = pageBytes;
    }

    /**
     * @param left pages written since {@code round} began
     * @param limitBytesPerSecond that it kept to; 0: none
     */
    void add(PreCopyRound round, long left, long limitBytesPerSecond) {
        Invariant.check(round.round() == rounds + 1, "round=%d expected=%d", round.round(), rounds + 1);
        rounds = round.round();
        pagesLeft = left;
        bytesSent += round.bytes();
        pagesSent = round.pagesSent();
        comparableLeft.add(left);
        linkRate.add(round.bytes(), round.nanos(), limitBytesPerSecond);
        dirtiedBytesPerSecond = (long) (bytesLeft() * NANOS_PER_SECOND / Math.max(1, round.nanos()));
    }

    /** The guest is slowed down further from here on: numbers of pages left are not compared with those before. */
    void guestSlowsDown() {
        comparableLeft.clear();
    }

    int rounds() {
        return rounds;
    }

    long pagesLeft() {
        return pagesLeft;
    }

    long bytesLeft() {
        return pagesLeft * pageBytes;
    }

    /** Whether less than half as many pages are left as the last round sent, and so many that another one pays. */
    boolean isShrinking() {
        return pagesLeft > FEW_PAGES && 2 * pagesLeft < pagesSent;
    }

    /** Page data of all rounds. */
    long bytesSent() {
        return bytesSent;
    }

    /** How fast the guest wrote in the last round, each page counted once. */
    long dirtiedBytesPerSecond() {
        return dirtiedBytesPerSecond;
    }

    /** How long what is left takes if nothing else is sent and no limit kept; infinite while the rate is not known. */
    double nanosLeft() {
        if (pagesLeft == 0) {
            return 0;
        }
        return bytesLeft() * NANOS_PER_SECOND / linkRate.bytesPerSecond();
    }

    /** Rounds since the guest was last slowed down. */
    int comparableRounds() {
        return comparableLeft.size();
    }

    /** The most pages that any of the last {@code count} comparable rounds left. */
    long mostLeft(int count) {
        return lastComparable(count).stream().mapToLong(left -> left).max().orElseThrow();
    }

    /** The fewest pages that any of the last {@code count} comparable rounds left. */
    long leastLeft(int count) {
        return lastComparable(count).stream().mapToLong(left -> left).min().orElseThrow();
    }

    private List<Long> lastComparable(int count) {
        return comparableLeft.subList(comparableLeft.size() - count, comparableLeft.size());
    }
}
