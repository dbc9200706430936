package remus.api;

/**
 * One round of a migration's push phase; the last of a list may be under way.
 *
 * @param round from 1 on
 * @param pages of 4 KiB to be copied when it began
 * @param pagesSent of these, those sent with their content
 * @param zeroPages of these, those only told to be zero
 * @param skippedPages of these, those written again before their turn and left to the next round
 * @param bytes of page data sent
 * @param micros how long it took
 * @param limitBytesPerSecond the limit it kept to; 0: none
 * @param dirtiedPages written by the guest meanwhile, which the next round copies
 * @param heldPercent for how much of it the guest was made to stand still
 */
public record MigrationRound(
        int round,
        long pages,
        long pagesSent,
        long zeroPages,
        long skippedPages,
        long bytes,
        long micros,
        long limitBytesPerSecond,
        long dirtiedPages,
        int heldPercent) {}
