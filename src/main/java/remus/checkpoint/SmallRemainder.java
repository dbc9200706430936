package remus.checkpoint;

import org.jspecify.annotations.Nullable;

/**
 * Pre-copy as a protection session begins: until so little is left that the pause is bearable. The guest runs all the time,
 * and nothing limits the rate.
 */
public final class SmallRemainder implements PreCopyPolicy {
    /** After so many rounds the guest is suspended whatever is left: it writes memory faster than it can be sent. */
    static final int MAX_ROUNDS = 8;

    /** So many pages are few enough to be copied in the first pause instead: 8 MiB. */
    static final int MAX_PAGES = 2048;

    @Override
    public Decision decide(@Nullable PreCopyRound done, long pagesLeft) {
        // The first round is worth its while however small: most pages of a guest's memory are only told to be zero.
        boolean isEnough = pagesLeft == 0 || (done != null && (pagesLeft <= MAX_PAGES || done.round() >= MAX_ROUNDS));
        return isEnough ? Decision.SUSPEND : Decision.NEXT_ROUND;
    }

    @Override
    public long bytesPerSecond() {
        return 0;
    }

    @Override
    public int heldPercent() {
        return 0;
    }
}
