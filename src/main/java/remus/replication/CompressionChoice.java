package remus.replication;

/**
 * Decides, for one checkpoint or pre-copy chunk after the other, whether its pages are coded: where the link is what holds
 * them up, and coding takes less time than it spares there. Measured are
 * <ul>
 *   <li>the link, while it is the bottleneck only: {@link LinkSpeed};
 *   <li>the codec: its nanoseconds and its result for each byte of pages.
 * </ul>
 * A byte costs <i>link</i> nanoseconds as it is, and <i>codec + share × link</i> coded.
 *
 * <pre>
 * OFF     the connection has been full of late, a byte takes longer on it than {@link #FAST_LINK_NANOS},
 *         and the last attempt is {@link #RETRY_NANOS} ago                  → TRYING
 * TRYING  enough was coded, of which the first half does not count, for what was sent before was
 *         no base yet: it pays                                             → ON, else OFF
 * ON      it pays no more                                                  → OFF
 *         the link was not full for {@link #LINK_KNOWN_NANOS}: it is looked at again  → OFF
 * </pre>
 *
 * <p>Pre-copy fills any link, or has its backup take pages slower than the link does; so when the checkpoints that follow each
 * other begin it is OFF, and nothing is known of the link until one of these has filled it.
 *
 * <p>It pays where it takes less than {@link #WORTH_SHARE} of the time: the guest has a use for the processor, too. Where the
 * link is never full nothing is coded. Pure: the clock is an argument. Confined to the channel's thread.
 */
final class CompressionChoice {
    /** Of the time that pages take as they are, coding and sending them may take so much. */
    static final double WORTH_SHARE = 0.8;

    /** A link on which a byte takes no more carries half a GB a second, and is not what a guest waits for. */
    static final double FAST_LINK_NANOS = 2;

    /** An attempt is so many checkpoints or chunks, at least, */
    static final int TRIAL_ITEMS = 16;

    /** and so many bytes of pages. */
    static final long TRIAL_BYTES = 4L << 20;

    /** Time between the end of one attempt that did not pay and the next. */
    static final long RETRY_NANOS = 10_000_000_000L;

    /** A link that was full so long ago is the bottleneck of now. */
    static final long LINK_FRESH_NANOS = 1_000_000_000L;

    /** What is spared may be why the link is not full any more: so long its speed is taken for what it was. */
    static final long LINK_KNOWN_NANOS = 60_000_000_000L;

    /** Sums of the codec are halved when they have come to this, so that the newest count most. */
    private static final long CODEC_WINDOW_BYTES = 64L << 20;

    private static final long NONE = Long.MIN_VALUE;

    private enum State {
        OFF,
        TRYING,
        ON
    }

    private final Compression mode;
    private final LinkSpeed link;
    private State state = State.OFF;
    private long retryAtNanos = NONE;

    // The codec, since the attempt began.
    private int items;
    private boolean warm;
    private long rawBytes;
    private long sentBytes;
    private long codecNanos;

    CompressionChoice(Compression mode, LinkSpeed link) {
        this.mode = mode;
        this.link = link;
    }

    /**
     * Pages were coded.
     *
     * @param raw their bytes
     * @param sent what became of them
     */
    void coded(long raw, long sent, long nanos) {
        link.starved();
        rawBytes += raw;
        sentBytes += sent;
        codecNanos += nanos;
        if (rawBytes > CODEC_WINDOW_BYTES) {
            rawBytes /= 2;
            sentBytes /= 2;
            codecNanos /= 2;
        }
    }

    /** Memory has been brought to the backup: from now on checkpoints follow each other. */
    void synchronizationEnded() {
        link.forget();
        state = State.OFF;
        retryAtNanos = NONE;
    }

    /** Whether the next checkpoint or chunk is coded. */
    boolean choose(long nowNanos) {
        return switch (mode) {
            case ALWAYS -> true;
            case NEVER -> false;
            case AUTO -> chooseByFigures(nowNanos);
        };
    }

    private boolean chooseByFigures(long nowNanos) {
        switch (state) {
            case OFF -> {
                boolean slow = link.isKnown(nowNanos, LINK_FRESH_NANOS) && link.nanosPerByte() > FAST_LINK_NANOS;
                if (slow && (retryAtNanos == NONE || nowNanos - retryAtNanos >= 0)) {
                    state = State.TRYING;
                    warm = false;
                    forgetCodec();
                }
            }
            case TRYING -> {
                items++;
                if (items >= TRIAL_ITEMS / 2 && rawBytes >= TRIAL_BYTES / 2) {
                    boolean done = warm;
                    warm = true;
                    if (done) {
                        settle(pays(), nowNanos);
                    } else {
                        forgetCodec();
                    }
                }
            }
            case ON -> {
                if (!link.isKnown(nowNanos, LINK_KNOWN_NANOS)) {
                    state = State.OFF;
                    retryAtNanos = NONE;
                } else if (!pays()) {
                    settle(false, nowNanos);
                }
            }
        }
        return state != State.OFF;
    }

    private void forgetCodec() {
        items = 0;
        rawBytes = 0;
        sentBytes = 0;
        codecNanos = 0;
    }

    private void settle(boolean on, long nowNanos) {
        state = on ? State.ON : State.OFF;
        retryAtNanos = nowNanos + RETRY_NANOS;
    }

    private boolean pays() {
        double perByte = (codecNanos + sentBytes * link.nanosPerByte()) / Math.max(1, rawBytes);
        return perByte < WORTH_SHARE * link.nanosPerByte();
    }
}
