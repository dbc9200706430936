package remus.checkpoint;

/**
 * What a pre-copy round did, or has done so far.
 *
 * @param round from 1 on
 * @param pages it was to copy when it began
 * @param pagesSent of these, those sent with their content
 * @param zeroPages of these, those only told to be zero
 * @param skippedPages of these, those left to the next round, for the guest had written them again before their turn
 * @param bytes of page data sent
 * @param nanos how long it took
 * @param guestHeldNanos for how much of that the guest was made to stand still
 */
public record PreCopyRound(
        int round,
        long pages,
        long pagesSent,
        long zeroPages,
        long skippedPages,
        long bytes,
        long nanos,
        long guestHeldNanos) {
    public long pagesCopied() {
        return pagesSent + zeroPages;
    }
}
