package remus.disk;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.atomic.AtomicLong;
import remus.base.EpochId;
import remus.base.Invariant;
import remus.checkpoint.DiskForwarding;
import remus.checkpoint.DiskOperation;
import remus.checkpoint.DiskWriteCount;

/**
 * One disk's way to the backup in one protection session: how far its synchronization has got, and which epoch the
 * guest's changes belong to.
 *
 * <p>Below the <em>cursor</em> the backup's image equals ours, save for what is on its way; from the cursor on it is as it
 * was before the session. So of a change only the part below the cursor is forwarded: the rest the cursor will find. To
 * forward more would be wrong, for the cursor skips what it believes the backup to have already.
 *
 * <p>Guarded by the disk's order lock, except for {@link #end}, {@link #commit} and the figures. What ends stays ended.
 */
final class DiskReplica {
    /** Longest range that is forwarded in one piece where there is no data to it, in bytes. */
    static final long MAX_RANGE_BYTES = 1L << 30;

    private final DiskForwarding forwarding;
    private final int disk;
    private final long bytes;
    private volatile long cursor;
    private EpochId tag = EpochId.NONE;
    private DiskWriteCount count = DiskWriteCount.NONE;
    private boolean still;
    private boolean disturbed;
    private volatile boolean ended;

    // Bytes that were forwarded with an epoch and are not committed. The deque is the agent's.
    private final AtomicLong pendingBytes = new AtomicLong();
    private final Deque<Sealed> sealed = new ArrayDeque<>();

    private record Sealed(EpochId epoch, long bytes) {}

    DiskReplica(DiskForwarding forwarding, int disk, long bytes) {
        this.forwarding = forwarding;
        this.disk = disk;
        this.bytes = bytes;
    }

    /** The guest has changed a range of the image: forwards it. Waits while the channel is full. */
    void guestChanged(DiskOperation operation, long offset, long length, MemorySegment data, long at) {
        disturbed |= still;
        long end = Math.min(offset + length, cursor);
        if (offset < end) {
            forward(tag, operation, offset, end - offset, data, at);
        }
    }

    /** The synchronization forwards a range that begins at the cursor or after it. */
    boolean forwardSynchronized(DiskOperation operation, long offset, long length, MemorySegment data, long at) {
        Invariant.check(offset >= cursor, "synchronized offset=%d cursor=%d", offset, cursor);
        return forward(EpochId.NONE, operation, offset, length, data, at);
    }

    private boolean forward(
            EpochId epoch, DiskOperation operation, long offset, long length, MemorySegment data, long at) {
        boolean write = operation == DiskOperation.WRITE;
        long pieceBytes = write ? DiskForwarding.MAX_WRITE_BYTES : MAX_RANGE_BYTES;
        for (long done = 0; done < length && !ended; done += pieceBytes) {
            long piece = Math.min(pieceBytes, length - done);
            if (!forwarding.forward(epoch, disk, operation, offset + done, piece, data, at + done)) {
                ended = true;
            } else if (epoch.isAfter(EpochId.NONE)) {
                count = count.plus(write ? piece : 0);
                pendingBytes.addAndGet(write ? piece : 0);
            }
        }
        return !ended;
    }

    /** Everything before {@code offset} has been seen and forwarded as needed. */
    void moveCursor(long offset) {
        Invariant.check(
                offset > cursor && offset <= bytes, "cursor moves from %d to %d of %d bytes", cursor, offset, bytes);
        cursor = offset;
    }

    /** The guest stands still: whatever changes the disk until {@link #seal} is not in the checkpoint's state. */
    void still() {
        still = true;
    }

    /** What the guest has written in the epoch that ends; what it writes from now on belongs to the next. */
    DiskWriteCount seal(EpochId epoch) {
        still = false;
        DiskWriteCount written = count;
        count = DiskWriteCount.NONE;
        tag = epoch.next();
        sealed.add(new Sealed(epoch, written.bytes()));
        return written;
    }

    /** Whether the disk was changed while the guest stood still. */
    boolean wasDisturbed() {
        return disturbed;
    }

    void commit(EpochId epoch) {
        while (!sealed.isEmpty() && !sealed.element().epoch().isAfter(epoch)) {
            pendingBytes.addAndGet(-sealed.remove().bytes());
        }
    }

    /** Nothing is forwarded any more; a piece that waits for room is not waited for here. */
    void end() {
        ended = true;
    }

    boolean hasEnded() {
        return ended;
    }

    long cursor() {
        return cursor;
    }

    boolean isSynchronized() {
        return cursor == bytes;
    }

    long pendingBytes() {
        return pendingBytes.get();
    }
}
