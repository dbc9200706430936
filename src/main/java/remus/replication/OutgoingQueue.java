package remus.replication;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.Invariant;
import remus.checkpoint.DiskWriteCount;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;
import remus.wire.DiskBlocks;
import remus.wire.FrameType;
import remus.wire.Payloads;
import remus.wire.WireException;

/**
 * What a primary has for its backup: bulk items (pre-copy chunks and checkpoints, in order), the disk writes of a
 * {@link WriteQueue}, and prompt ones, which overtake. Filled by the VM's agent, emptied by the channel's thread; every
 * method takes the lock.
 *
 * <p>A checkpoint stays until it is acknowledged, and is sent again from its start on each new connection. Heartbeats
 * and releases are not queued: only the latest counts.
 *
 * <p>Limits: {@link #MAX_CHECKPOINTS}, {@link #MAX_CHUNKS}, and those of {@link InboundMirror}. The agent keeps to the
 * first two by its own bound on what is in flight, so passing them is a broken invariant.
 */
final class OutgoingQueue implements AutoCloseable {
    /** Most checkpoints that wait for their acknowledgement; the engine has two in flight at most. */
    static final int MAX_CHECKPOINTS = 4;

    /** Most pre-copy chunks that wait to be sent. */
    static final int MAX_CHUNKS = 64;

    /** Bulk data; one of the two is there. */
    record Item(
            @Nullable StagedCheckpoint checkpoint, @Nullable StagedPages chunk, EpochId epoch, long inboundMark) {}

    /** A prompt frame whose payload has been put. */
    record Prompt(FrameType type, EpochId epoch) {}

    private final ArrayDeque<StagedPages> chunks = new ArrayDeque<>();
    private final List<Item> checkpoints = new ArrayList<>();
    private final InboundMirror mirror = new InboundMirror();
    private final WriteQueue writes;
    private int endedCheckpointCount;
    private EpochId lastSealed = EpochId.NONE;
    private EpochId lastAcknowledged = EpochId.NONE;
    private boolean firstWasEnded;

    private EpochId released = EpochId.NONE;
    private EpochId heartbeat = EpochId.NONE;
    private @Nullable String guestDead;
    private @Nullable String handOver;
    private long handOverPausedNanos;
    private @Nullable String signOff;
    private boolean releasedPending;
    private boolean heartbeatPending;
    private boolean guestDeadPending;
    private boolean handOverPending;
    private boolean signOffPending;
    private long signOffDeadlineNanos;
    private boolean closed;

    /** @param writes has a lock of its own, is closed with this queue, and knows nothing of it */
    OutgoingQueue(WriteQueue writes) {
        this.writes = writes;
    }

    synchronized void addCheckpoint(StagedCheckpoint checkpoint) {
        if (closed) {
            return;
        }
        EpochId epoch = checkpoint.epoch();
        Invariant.check(checkpoints.size() < MAX_CHECKPOINTS, "%d checkpoints are in flight", checkpoints.size());
        Invariant.check(epoch.equals(lastSealed.next()), "checkpoint epoch=%s after %s", epoch, lastSealed);
        DiskWriteCount forwarded = writes.count(epoch);
        Invariant.check(
                forwarded.equals(checkpoint.diskWrites()),
                "of epoch %s %s were forwarded, its checkpoint has %s",
                epoch,
                forwarded,
                checkpoint.diskWrites());
        lastSealed = epoch;
        checkpoints.add(new Item(checkpoint, null, epoch, checkpoint.inboundMark()));
    }

    synchronized void addChunk(StagedPages chunk) {
        if (closed) {
            return;
        }
        Invariant.check(chunks.size() < MAX_CHUNKS, "%d chunks wait to be sent", chunks.size());
        Invariant.check(lastSealed.equals(EpochId.NONE), "pre-copy after checkpoint %s", lastSealed);
        chunks.add(chunk);
    }

    synchronized void addComparison(DiskBlocks blocks) {
        if (!closed) {
            Invariant.check(lastSealed.equals(EpochId.NONE), "disks are compared after checkpoint %s", lastSealed);
            writes.compare(blocks);
        }
    }

    synchronized void addInbound(long sequence, MemorySegment frames, long offset, int length) {
        if (!closed) {
            mirror.offer(sequence, frames, offset, length);
        }
    }

    long droppedInboundCount() {
        return mirror.droppedCount();
    }

    synchronized void setReleased(EpochId epoch) {
        released = epoch;
        releasedPending = true;
    }

    synchronized void setHeartbeat(EpochId sealed) {
        heartbeat = sealed;
        heartbeatPending = true;
    }

    synchronized void setGuestDead(String reason) {
        guestDead = reason;
        guestDeadPending = true;
    }

    synchronized void setHandOver(long pausedNanos, String reason) {
        handOver = reason;
        handOverPausedNanos = pausedNanos;
        handOverPending = true;
    }

    /**
     * Does nothing while a sign-off is under way, for two on one connection would break the protocol. An order to take over
     * is withdrawn by it for good: should the sign-off be withdrawn, too, the VM runs here all the same.
     *
     * @param deadlineNanos when the answer is overdue
     */
    synchronized void setSignOff(String reason, long deadlineNanos) {
        handOver = null;
        handOverPending = false;
        if (signOff == null) {
            signOff = reason;
            signOffPending = true;
            signOffDeadlineNanos = deadlineNanos;
        }
    }

    synchronized boolean isSigningOff() {
        return signOff != null;
    }

    /** Forgets a sign-off whose answer is overdue; returns whether there was one. Its connection is of no more use. */
    synchronized boolean withdrawOverdueSignOff(long nowNanos) {
        boolean overdue = signOff != null && nowNanos - signOffDeadlineNanos >= 0;
        if (overdue) {
            signOff = null;
            signOffPending = false;
        }
        return overdue;
    }

    synchronized EpochId lastSealed() {
        return lastSealed;
    }

    /** Whether the backup may hold a whole checkpoint: the session can go on after a lost connection, and must. */
    synchronized boolean isResumable() {
        return firstWasEnded;
    }

    /**
     * A new connection is there, and the backup's last whole epoch is {@code lastWhole}: what it lacks is to be sent
     * again.
     */
    synchronized void rewind(EpochId lastWhole) throws WireException {
        if (lastWhole.isAfter(lastSealed)) {
            throw WireException.foreign(
                    "the backup claims to hold epoch=" + lastWhole + ", the last one taken is " + lastSealed);
        }
        dropThrough(lastWhole);
        endedCheckpointCount = 0;
        writes.rewind();
        if (!closed) {
            mirror.rewind();
        }
        releasedPending = released.isAfter(EpochId.NONE);
        // Not the heartbeat: it asserts progress now, and only the engine knows of that.
        guestDeadPending = guestDead != null;
        handOverPending = handOver != null;
        signOffPending = signOff != null;
    }

    synchronized EpochId lastAcknowledged() {
        return lastAcknowledged;
    }

    /** The backup acknowledges {@code epoch}, whose end must have been made on this connection. */
    synchronized void acknowledge(EpochId epoch) throws WireException {
        EpochId lastEnded = endedCheckpointCount == 0
                ? lastAcknowledged
                : checkpoints.get(endedCheckpointCount - 1).epoch();
        if (!epoch.isAfter(lastAcknowledged) || epoch.isAfter(lastEnded)) {
            throw WireException.corrupt("acknowledgement of epoch=" + epoch + ", last sent=" + lastEnded
                    + " last acknowledged=" + lastAcknowledged);
        }
        dropThrough(epoch);
    }

    private void dropThrough(EpochId epoch) {
        while (!checkpoints.isEmpty() && !checkpoints.getFirst().epoch().isAfter(epoch)) {
            mirror.dropBefore(checkpoints.removeFirst().inboundMark());
            endedCheckpointCount = Math.max(0, endedCheckpointCount - 1);
        }
        if (epoch.isAfter(lastAcknowledged)) {
            lastAcknowledged = epoch;
            writes.dropThrough(epoch);
        }
    }

    /** The next bulk item to send, or null; it stays until {@link #checkpointEnded} or {@link #chunkSent}. */
    synchronized @Nullable Item nextBulk() {
        if (closed || signOff != null) {
            return null;
        }
        if (!chunks.isEmpty()) {
            return new Item(null, chunks.getFirst(), EpochId.NONE, 0);
        }
        return endedCheckpointCount < checkpoints.size() ? checkpoints.get(endedCheckpointCount) : null;
    }

    /**
     * The last frame of the checkpoint that {@link #nextBulk} gave is made, and no byte of it has left. From here on
     * nobody but the backup knows whether it has the checkpoint.
     */
    synchronized void checkpointEnded() {
        if (!closed) {
            endedCheckpointCount++;
            firstWasEnded = true;
        }
    }

    /** The chunk that {@link #nextBulk} gave has been sent to its end. */
    synchronized void chunkSent() {
        if (!closed) {
            chunks.removeFirst();
        }
    }

    /**
     * Puts the payload of the most urgent prompt frame into {@code target}, or returns null when there is none.
     *
     * @param ready whether the backup is: before that it understands nothing but heartbeats and the end
     */
    synchronized @Nullable Prompt takePrompt(ByteBuffer target, boolean ready) {
        if (closed) {
            return null;
        }
        if (signOff != null) {
            // The session is over: nothing follows its end, and what has not been said before needs no saying.
            boolean pending = signOffPending;
            signOffPending = false;
            if (pending) {
                Payloads.encodeReason(target, signOff);
            }
            return pending ? new Prompt(FrameType.SIGN_OFF, lastSealed) : null;
        }
        if (guestDeadPending && guestDead != null && ready) {
            guestDeadPending = false;
            Payloads.encodeReason(target, guestDead);
            return new Prompt(FrameType.GUEST_DEAD, lastSealed);
        }
        if (releasedPending && ready) {
            releasedPending = false;
            return new Prompt(FrameType.RELEASED, released);
        }
        // After the release, so that the backup does not send again what has left.
        if (handOverPending && handOver != null && ready) {
            handOverPending = false;
            Payloads.encodeHandOver(target, handOverPausedNanos, handOver);
            return new Prompt(FrameType.HAND_OVER, lastSealed);
        }
        if (heartbeatPending) {
            heartbeatPending = false;
            return new Prompt(FrameType.HEARTBEAT, heartbeat);
        }
        if (mirror.hasUnsent() && ready) {
            mirror.takeBatch(target);
            return new Prompt(FrameType.INBOUND_FRAMES, EpochId.NONE);
        }
        return null;
    }

    /** Takes and gives nothing any more. */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            chunks.clear();
            checkpoints.clear();
            endedCheckpointCount = 0;
            mirror.close();
            writes.close();
        }
    }
}
