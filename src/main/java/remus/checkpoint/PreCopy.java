package remus.checkpoint;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;

/**
 * Copies the guest's memory while it runs, in rounds, before the first checkpoint completes it. How many rounds, how fast,
 * and how much the guest runs meanwhile is the {@link PreCopyPolicy}'s to say; the guest is held, where it wants that, for
 * the last part of each {@link #HOLD_PERIOD_NANOS}.
 *
 * <p>A round has ended when all of it has left. At most {@link #MAX_CHUNKS} chunks of {@link #CHUNK_PAGES} wait for the
 * channel. Confined to the VM's agent thread; belongs to one engine.
 */
final class PreCopy implements AutoCloseable {
    /** Chunks that may wait for the channel, at most; together with their size, the memory this takes. */
    static final int MAX_CHUNKS = 4;

    /** Pages in one chunk: 4 MiB. */
    static final int CHUNK_PAGES = 1024;

    /** Long beside what QEMU takes to stop and go on, short beside what people notice. */
    static final long HOLD_PERIOD_NANOS = 100_000_000L;

    private static final int ALWAYS_HELD = 100;

    private final PreCopySource memory;
    private final PreCopyPolicy policy;
    private final BackupChannel channel;
    private final GuestControl guest;
    private final CheckpointEngine.Observer observer;
    private final Deque<StagedPages> freeChunks = new ArrayDeque<>();
    private final List<StagedPages> allChunks = new ArrayList<>();

    private boolean over;
    private boolean forGood;
    private int round;
    private long pagesInRound;
    private boolean roundCopied;
    private long pagesSent;
    private long zeroPages;
    private long bytes;
    private long beganNanos;
    private boolean held;
    private long heldSinceNanos;
    private long heldNanos;

    PreCopy(
            PreCopySource memory,
            PreCopyPolicy policy,
            int pageBytes,
            BackupChannel channel,
            GuestControl guest,
            CheckpointEngine.Observer observer) {
        this.memory = memory;
        this.policy = policy;
        this.channel = channel;
        this.guest = guest;
        this.observer = observer;
        for (int i = 0; i < MAX_CHUNKS; i++) {
            StagedPages chunk = new StagedPages(pageBytes, (long) CHUNK_PAGES * pageBytes);
            freeChunks.add(chunk);
            allChunks.add(chunk);
        }
    }

    /** Holds the guest from now on where that is what the policy wants from beginning to end. */
    void holdWhereAlways(long nowNanos) {
        if (policy.heldPercent() == ALWAYS_HELD) {
            hold(true, nowNanos);
        }
    }

    /** Whether what is left is to be copied while the guest stands still. */
    boolean isOver() {
        return over;
    }

    /** Whether the guest is not to go on after that. */
    boolean isForGood() {
        return forGood;
    }

    /**
     * Does what is due.
     *
     * @return when to call again at the latest, in nanoseconds from now; 0 means at once, and so where it {@link #isOver}
     * @throws CheckpointException when memory can't be copied, or the policy gives up
     */
    long tick(long nowNanos, boolean connected) throws CheckpointException {
        if (round == 0) {
            next(null, nowNanos);
        }
        if (over) {
            return 0;
        }
        long holdNanos = holdInTurn(nowNanos);
        if (!roundCopied) {
            long waitNanos = untilAllowed(nowNanos);
            StagedPages chunk = waitNanos > 0 ? null : freeChunks.poll();
            if (chunk != null) {
                copy(chunk, nowNanos);
                return 0;
            }
            return Math.min(holdNanos, waitNanos > 0 ? waitNanos : Long.MAX_VALUE); // or chunkSent() comes
        }
        if (!connected || freeChunks.size() < MAX_CHUNKS) {
            return holdNanos; // or chunkSent() comes
        }
        next(soFar(nowNanos), nowNanos);
        return 0;
    }

    private void copy(StagedPages chunk, long nowNanos) throws CheckpointException {
        chunk.clear();
        roundCopied = !memory.copyChunk(chunk, CHUNK_PAGES);
        pagesSent += chunk.pageCount() - chunk.zeroPageCount();
        zeroPages += chunk.zeroPageCount();
        bytes += chunk.dataBytes();
        channel.sendPages(chunk);
        observer.preCopyProgress(soFar(nowNanos));
    }

    private PreCopyRound soFar(long nowNanos) {
        long stillHeldNanos = held ? nowNanos - Math.max(heldSinceNanos, beganNanos) : 0;
        return new PreCopyRound(
                round,
                pagesInRound,
                pagesSent,
                zeroPages,
                memory.skippedPages(),
                bytes,
                nowNanos - beganNanos,
                heldNanos + stillHeldNanos);
    }

    private void next(@Nullable PreCopyRound done, long nowNanos) throws CheckpointException {
        pagesInRound = memory.beginRound();
        switch (policy.decide(done, pagesInRound)) {
            case NEXT_ROUND -> {
                round++;
                roundCopied = pagesInRound == 0;
                pagesSent = 0;
                zeroPages = 0;
                bytes = 0;
                beganNanos = nowNanos;
                heldNanos = 0;
                holdInTurn(nowNanos);
            }
            case SUSPEND -> over = true;
            case SUSPEND_FOR_GOOD -> {
                over = true;
                forGood = true;
            }
            case ABORT ->
                throw new CheckpointException(
                        ErrorCategory.DEGRADE,
                        "after round %d there were %d pages left: the guest writes faster than they can be copied"
                                .formatted(round, pagesInRound),
                        null);
        }
    }

    /** How long the limit of the round forbids another chunk. */
    private long untilAllowed(long nowNanos) {
        long bytesPerSecond = policy.bytesPerSecond();
        if (bytesPerSecond == 0) {
            return 0;
        }
        return (long) (bytes * 1e9 / bytesPerSecond) - (nowNanos - beganNanos);
    }

    /** Holds the guest or lets it go as its share of the period says; returns how long that stays so. */
    private long holdInTurn(long nowNanos) {
        int percent = policy.heldPercent();
        if (percent == 0 || percent == ALWAYS_HELD) {
            hold(percent == ALWAYS_HELD, nowNanos);
            return Long.MAX_VALUE;
        }
        long position = (nowNanos - beganNanos) % HOLD_PERIOD_NANOS;
        long runsNanos = HOLD_PERIOD_NANOS / 100 * (100 - percent);
        boolean runs = position < runsNanos;
        hold(!runs, nowNanos);
        return (runs ? runsNanos : HOLD_PERIOD_NANOS) - position;
    }

    private void hold(boolean wanted, long nowNanos) {
        if (wanted == held) {
            return;
        }
        held = wanted;
        if (held) {
            heldSinceNanos = nowNanos;
        } else {
            heldNanos += nowNanos - Math.max(heldSinceNanos, beganNanos);
        }
        guest.hold(held);
    }

    /** Since when the guest is held without having been let go; {@code otherwise} where it is not. */
    long heldSinceNanos(long otherwise) {
        return held ? heldSinceNanos : otherwise;
    }

    /** Holds the guest no more. Idempotent. */
    void letGo() {
        if (held) {
            held = false;
            guest.hold(false);
        }
    }

    /** A chunk has left; its buffer is free. */
    void chunkSent(StagedPages chunk) {
        freeChunks.add(chunk);
    }

    /** Frees the chunks; the channel must be closed before. */
    @Override
    public void close() {
        allChunks.forEach(StagedPages::close);
    }
}
