package remus.replication;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.Invariant;
import remus.checkpoint.DiskOperation;
import remus.checkpoint.DiskWriteCount;
import remus.checkpoint.ForwardedWrites;
import remus.wire.DiskBlocks;
import remus.wire.WireException;

/**
 * The disk writes that a primary has for its backup, and the comparisons that it asks for. Filled by whoever serves the
 * guest's disks, emptied by the channel's thread; every method takes the lock, and {@link #forward} waits while there is no
 * room, unless writes are let through or the channel has ended.
 *
 * <p>A comparison goes out after all writes that were forwarded before it. Limits: those of {@link ForwardedWrites}, and
 * {@link #MAX_COMPARISONS}.
 */
final class WriteQueue implements AutoCloseable {
    /** Most comparisons that wait to be sent or answered; who compares has a few under way. */
    static final int MAX_COMPARISONS = 64;

    /** While writes gather, so much of them is worth waking the channel's thread for; it is a few dozen small ones. */
    static final long GATHERED_BYTES = 64 << 10;

    /** @param afterCount how many writes were forwarded before it */
    private record Comparison(DiskBlocks blocks, long afterCount) {}

    private final ForwardedWrites writes = new ForwardedWrites();
    private final Deque<Comparison> comparisons = new ArrayDeque<>();
    private final Deque<DiskBlocks> asked = new ArrayDeque<>();
    private final Runnable wake;
    private final Runnable filling;
    private boolean through;
    private boolean ended;
    private boolean handedOut;
    private boolean gathering;

    /**
     * @param wake called without the lock when there is something to send and nothing was before, or, while writes gather,
     *     when enough of them are there
     * @param filling called without the lock each time that half of the limit is reached, and before a write of an epoch
     *     waits for room, of which there may be none until that epoch has ended
     */
    WriteQueue(Runnable wake, Runnable filling) {
        this.wake = wake;
        this.filling = filling;
    }

    /** As {@link remus.checkpoint.DiskForwarding#forward}. */
    boolean forward(
            EpochId epoch,
            int disk,
            DiskOperation operation,
            long offset,
            long length,
            MemorySegment data,
            long dataOffset) {
        long dataBytes = operation == DiskOperation.WRITE ? length : 0;
        if (epoch.isAfter(EpochId.NONE) && mustWait(epoch, dataBytes)) {
            filling.run();
        }
        boolean wakes;
        boolean reachesHalf;
        synchronized (this) {
            awaitRoom(epoch, dataBytes);
            if (ended) {
                return false;
            }
            long unsentBefore = writes.unsentBytes();
            boolean wasHalfFull = writes.isHalfFull();
            writes.add(epoch, disk, operation, offset, length, data, dataOffset);
            reachesHalf = !wasHalfFull && writes.isHalfFull();
            wakes = gathering
                    ? unsentBefore < GATHERED_BYTES && writes.unsentBytes() >= GATHERED_BYTES
                    : unsentBefore == 0;
        }
        if (wakes) {
            wake.run();
        }
        if (reachesHalf) {
            filling.run();
        }
        return true;
    }

    private synchronized boolean mustWait(EpochId epoch, long dataBytes) {
        return !ended && !through && !writes.hasRoom(epoch, dataBytes);
    }

    /** An interrupt does not end the wait, for the write would be lost; it is kept for whoever asks later. */
    private synchronized void awaitRoom(EpochId epoch, long dataBytes) {
        boolean interrupted = false;
        while (mustWait(epoch, dataBytes)) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    synchronized void letThrough(boolean now) {
        through = now;
        notifyAll();
    }

    void compare(DiskBlocks blocks) {
        synchronized (this) {
            if (ended) {
                return;
            }
            Invariant.check(
                    comparisons.size() + asked.size() < MAX_COMPARISONS, "%d comparisons wait", MAX_COMPARISONS);
            comparisons.add(new Comparison(blocks, writes.addedCount()));
        }
        wake.run();
    }

    /** The next comparison to ask for, if its turn has come. */
    synchronized @Nullable DiskBlocks takeComparison() {
        Comparison next = comparisons.peek();
        if (next == null || next.afterCount > writes.sentCount()) {
            return null;
        }
        comparisons.remove();
        asked.add(next.blocks);
        return next.blocks;
    }

    /** Digests have come: they must be those that were asked for first. */
    synchronized void compared(DiskBlocks blocks) throws WireException {
        DiskBlocks expected = asked.poll();
        if (!blocks.equals(expected)) {
            throw WireException.corrupt("digests of " + blocks + ", expected " + expected);
        }
    }

    /** The next writes to be sent, or null. What the last call gave has been sent to its end. */
    synchronized ForwardedWrites.@Nullable Batch next() {
        if (ended) {
            return null;
        }
        ForwardedWrites.Batch batch = writes.next();
        handedOut |= batch != null;
        // Writes of the synchronization are forgotten by this call.
        notifyAll();
        return batch;
    }

    /**
     * The channel's thread has nothing to do and is about to wait. Where it has had writes since the last time, more are
     * likely to come, and a frame and a waking for each would cost many times the writes themselves: they gather, and it
     * looks again soon.
     *
     * @return whether writes gather, so that the wait must be short
     */
    synchronized boolean gather() {
        gathering = handedOut;
        handedOut = false;
        return gathering;
    }

    /** Whether nothing that belongs before the end of {@code epoch} waits to be sent. */
    synchronized boolean areOut(EpochId epoch) {
        return comparisons.isEmpty() && !writes.hasUnsentThrough(epoch);
    }

    synchronized DiskWriteCount count(EpochId epoch) {
        return writes.count(epoch);
    }

    synchronized void dropThrough(EpochId epoch) {
        writes.dropThrough(epoch);
        notifyAll();
    }

    /** A new connection: what the backup has not acknowledged is unsent again. */
    synchronized void rewind() {
        writes.rewind();
        asked.clear();
    }

    /** Nothing is forwarded any more, and nobody waits. */
    synchronized void end() {
        ended = true;
        notifyAll();
    }

    /** Gives back the memory; none of it is being sent any more. */
    @Override
    public synchronized void close() {
        end();
        writes.close();
    }
}
