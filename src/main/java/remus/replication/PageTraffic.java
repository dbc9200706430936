package remus.replication;

/** What the pages of checkpoints were, and what was sent for them. Counted by the channel's thread, read by any. */
final class PageTraffic {
    private volatile long rawBytes;
    private volatile long sentBytes;

    // One thread counts, so nothing is lost between reading and writing.
    @SuppressWarnings("NonAtomicVolatileUpdate")
    void add(long raw, long sent) {
        rawBytes += raw;
        sentBytes += sent;
    }

    long rawBytes() {
        return rawBytes;
    }

    long sentBytes() {
        return sentBytes;
    }
}
