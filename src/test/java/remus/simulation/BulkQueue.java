package remus.simulation;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.Term;
import remus.checkpoint.BackupChannel;
import remus.checkpoint.DiskWriteCount;
import remus.checkpoint.ForwardedWrites;
import remus.checkpoint.OutgoingPages;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;
import remus.wire.FrameType;

/**
 * The bulk data of a {@link SimChannel}: pre-copy chunks, checkpoints and disk writes, which are kept until they are
 * acknowledged and sent again on each new connection. Disk writes come between the others at random, but before the end of
 * their checkpoint.
 */
final class BulkQueue {
    private static final long GATHER_NANOS = 4 * Scheduler.MILLISECOND;

    private final SimChannel channel;
    private final Daemon daemon;
    private final Term term;
    private final BackupChannel.Listener listener;
    private final Scheduler scheduler;
    private final ForwardedWrites writes = new ForwardedWrites();
    private final OutgoingPages pages =
            new OutgoingPages(Guest.PAGE_BYTES, Guest.PAGES, CheckpointMaker.MAX_FRAME_PAGES);
    private final Deque<StagedPages> chunks = new ArrayDeque<>();
    private final List<StagedCheckpoint> unacknowledged = new ArrayList<>();
    private boolean resumable;
    private boolean sending;
    // Of the present connection.
    private int begunCount;
    private @Nullable CheckpointMaker making;
    private final Map<EpochId, DiskWriteCount> sentWrites = new HashMap<>();
    private EpochId lastEnded = EpochId.NONE;

    BulkQueue(SimChannel channel, Daemon daemon, Term term, BackupChannel.Listener listener) {
        this.channel = channel;
        this.daemon = daemon;
        this.term = term;
        this.listener = listener;
        scheduler = daemon.world().scheduler();
    }

    ForwardedWrites writes() {
        return writes;
    }

    /** Whether the backup may hold a whole checkpoint. */
    boolean isResumable() {
        return resumable;
    }

    EpochId lastSealed(EpochId lastAcknowledged) {
        return unacknowledged.isEmpty()
                ? lastAcknowledged
                : unacknowledged.getLast().epoch();
    }

    void add(StagedCheckpoint checkpoint) {
        unacknowledged.add(checkpoint);
        sendSome();
    }

    void add(StagedPages chunk) {
        chunks.add(chunk);
        sendSome();
    }

    /** A new connection is there: nothing was sent on it. */
    void connected() {
        making = null;
        begunCount = 0;
        lastEnded = EpochId.NONE;
        sentWrites.clear();
        if (!daemon.world().sabotage().keepsBaseWhenConnected()) {
            pages.connected();
        }
    }

    /** What was written may not have arrived. */
    void rewind() {
        writes.rewind();
    }

    /** Forgets what is acknowledged; returns the number of the first input frame that the last of it does not contain. */
    long dropThrough(EpochId epoch) {
        long mark = 0;
        writes.dropThrough(epoch);
        while (!unacknowledged.isEmpty() && !unacknowledged.getFirst().epoch().isAfter(epoch)) {
            mark = unacknowledged.removeFirst().inboundMark();
            begunCount = Math.max(0, begunCount - 1);
        }
        return mark;
    }

    /** A daemon that was stopped takes up its work. */
    void goOn() {
        if (making != null || begunCount < unacknowledged.size() || !chunks.isEmpty() || writes.hasUnsent()) {
            sendSome();
        }
    }

    /** Bulk data is sent as the connection takes it. */
    void sendSome() {
        if (!sending) {
            sending = true;
            // Writes that follow each other gather before they are sent.
            boolean gathers = making == null && begunCount == unacknowledged.size() && chunks.isEmpty();
            scheduler.after(scheduler.span(0, gathers ? GATHER_NANOS : 150 * Scheduler.MICROSECOND), () -> {
                sending = false;
                if (channel.takesBulk()) {
                    for (int i = scheduler.between(1, 4); i > 0 && sendOne(); i--) {
                        // As long as there is something.
                    }
                }
            });
        }
    }

    private boolean sendOne() {
        CheckpointMaker present = making;
        if (present == null || present.isDone()) {
            present = nextMaker();
            making = present;
        }
        boolean waits = present != null
                && !(present.isAtEnd() && daemon.world().sabotage().endsBeforeItsDiskWrites())
                && (present.isAtEnd() || present.epoch().value() <= 1)
                && writes.hasUnsentThrough(present.isAtEnd() ? present.epoch() : EpochId.NONE);
        ForwardedWrites.Batch batch =
                writes.hasUnsent() && (present == null || waits || scheduler.chance(0.4)) ? writes.next() : null;
        if (batch != null) {
            if (batch.epoch().isAfter(lastEnded) || batch.epoch().equals(EpochId.NONE)) {
                sentWrites.merge(batch.epoch(), new DiskWriteCount(batch.count(), batch.length()), BulkQueue::sum);
                channel.send(encoded(batch));
            }
        } else if (present != null && !waits) {
            make(present);
        } else {
            return false;
        }
        sendSome();
        return true;
    }

    private static DiskWriteCount sum(DiskWriteCount one, DiskWriteCount other) {
        return new DiskWriteCount(one.operations() + other.operations(), one.bytes() + other.bytes());
    }

    private void make(CheckpointMaker from) {
        if (from.isAtEnd()) {
            resumable = true;
            lastEnded = from.epoch();
        }
        boolean claimsLess = daemon.world().sabotage().endsBeforeItsDiskWrites();
        byte[] frame = from.next(claimsLess ? sentWrites.getOrDefault(from.epoch(), DiskWriteCount.NONE) : null);
        if (frame != null) {
            channel.send(frame);
        }
        if (from.isDone()) {
            making = null;
            if (!from.isCheckpoint()) {
                StagedPages chunk = chunks.remove();
                daemon.post(() -> listener.chunkSent(chunk));
            }
        }
    }

    private @Nullable CheckpointMaker nextMaker() {
        StagedPages chunk = chunks.peek();
        if (chunk != null) {
            return new CheckpointMaker(term, chunk, pages, codes());
        }
        if (begunCount < unacknowledged.size()) {
            StagedCheckpoint checkpoint = unacknowledged.get(begunCount++);
            return new CheckpointMaker(
                    term, checkpoint, pages, codes(), daemon.world().sabotage());
        }
        return null;
    }

    /** Most are, so that many build on what was sent before. */
    private boolean codes() {
        return scheduler.chance(0.9);
    }

    private byte[] encoded(ForwardedWrites.Batch batch) {
        int bytes = Integer.BYTES + batch.table().remaining() + (int) batch.length();
        return Wire.frame(term, FrameType.DISK_WRITES, batch.epoch(), bytes, payload -> {
            payload.putInt(batch.count()).put(batch.table());
            CheckpointMaker.put(payload, batch.data(), batch.offset(), (int) batch.length());
        });
    }
}
