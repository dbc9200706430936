package remus.disk;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The transmission phase of one connection. One thread at a time, the <em>reader</em>, takes requests as they come. What
 * takes no waiting it does itself, so that a small read or write costs no change of threads, and it sends the replies of
 * all requests that came together at once. Everything else it hands over: large transfers, reads from the disk, flushes,
 * trims, zeros, block status; replies then come in the order in which they are ready.
 *
 * <p>A small write can wait, too, though it seldom does (the kernel throttles, the way to the backup is full). The reader
 * begins it nonetheless, but watched: {@link #watched} is odd meanwhile. When the server's watch sees the same write
 * twice, it moves the number on and has another thread become the reader, with what the first has left of requests and
 * replies; the first then sends its reply alone and is done. While such writes last, further ones are handed over at once.
 *
 * <p>On a failure of the client or its connection, what is under way is finished and its replies are dropped.
 */
final class NbdTransmission {
    private static final Logger LOG = LoggerFactory.getLogger(NbdTransmission.class);

    private final NbdConnection connection;
    private final NbdOutput output;
    private final NbdExport export;
    private final NbdRequest.Agreement agreement;
    private final NbdReplies replies;
    private final NbdWork work;
    private final NbdSlots slots;
    private final ConcurrentLinkedQueue<NbdTurn> spareTurns = new ConcurrentLinkedQueue<>();

    // Grows with each watched write: odd while it lasts. Who moves it on from odd decides who reads on.
    private final AtomicLong watched = new AtomicLong();
    private final AtomicBoolean failureLogged = new AtomicBoolean();
    private final AtomicInteger heldUp = new AtomicInteger();
    private volatile @Nullable NbdTurn reading;
    // Confined to the server's watch.
    private long lastSeen;

    NbdTransmission(NbdConnection connection, NbdNegotiation.Choice choice, NbdSlots slots) {
        this.connection = connection;
        this.slots = slots;
        output = connection.output();
        export = choice.export();
        agreement = choice.agreement();
        replies = new NbdReplies(agreement.structuredReplies());
        work = new NbdWork(export, replies);
    }

    /** Serves as the reader until the client goes, the server ends, or another thread has become the reader. */
    void read(NbdTurn turn) throws IOException, NbdException {
        reading = turn;
        boolean stillReader = true;
        while (stillReader && !connection.ending()) {
            if (turn.input().available() < NbdProtocol.REQUEST_BYTES) {
                turn.flush(output);
                if (!turn.input().fill()) {
                    return;
                }
                continue;
            }
            NbdRequest request = NbdRequest.take(turn.input().unread());
            if (request.type() == NbdProtocol.CMD_DISC) {
                break;
            }
            stillReader = serve(turn, request);
        }
        if (stillReader) {
            turn.flush(output);
        }
    }

    /** Returns whether this thread is still the reader. */
    private boolean serve(NbdTurn turn, NbdRequest request) throws IOException, NbdException {
        NbdRequest.@Nullable Refusal refusal = request.refusal(export.bytes(), agreement);
        if (refusal != null) {
            refuse(turn, request, refusal);
            return true;
        }
        boolean small = request.length() <= NbdLimits.SMALL_BYTES;
        if (request.type() == NbdProtocol.CMD_READ && small && readNow(turn, request)) {
            return true;
        }
        boolean plainWrite = request.type() == NbdProtocol.CMD_WRITE && !request.has(NbdProtocol.CMD_FLAG_FUA);
        if (plainWrite && small && heldUp.get() == 0) {
            return writeWatched(turn, request);
        }
        handOver(turn, request);
        return true;
    }

    private void refuse(NbdTurn turn, NbdRequest request, NbdRequest.Refusal refusal) throws IOException, NbdException {
        if (request.payloadBytes() > NbdProtocol.MAX_HARMLESS_PAYLOAD_BYTES) {
            throw new NbdException("a write of " + request.payloadBytes() + " bytes");
        }
        turn.flush(output);
        turn.input().skip(request.payloadBytes());
        replies.putError(turn.replies(), request, refusal.error(), refusal.text());
    }

    private boolean readNow(NbdTurn turn, NbdRequest request) throws IOException {
        int length = (int) request.length();
        turn.makeRoom(length + NbdLimits.REPLY_OVERHEAD_BYTES, output);
        ByteBuffer out = turn.replies();
        int at = out.position() + replies.dataHeaderBytes();
        try {
            if (!export.readNow(request.offset(), turn.memory(), at, length)) {
                return false;
            }
            replies.putDataHeader(out, request);
            out.position(at + length);
        } catch (DiskException e) {
            putFailure(out, request, e);
        }
        return true;
    }

    private boolean writeWatched(NbdTurn turn, NbdRequest request) throws IOException {
        int length = (int) request.length();
        turn.require(length, output);
        turn.makeRoom(NbdLimits.REPLY_OVERHEAD_BYTES, output);
        ByteBuffer unread = turn.input().unread();
        int at = unread.position();
        // Who takes over goes on behind the data.
        unread.position(at + length);
        long mark = watched.incrementAndGet();
        connection.watchWrite();
        @Nullable DiskException failure = null;
        try {
            export.write(request.offset(), turn.input().memory(), at, length, false);
        } catch (DiskException e) {
            failure = e;
        }
        if (watched.compareAndSet(mark, mark + 1)) {
            putOutcome(turn.replies(), request, failure);
            return true;
        }
        heldUp.decrementAndGet();
        ByteBuffer late = turn.lateReply();
        putOutcome(late, request, failure);
        output.send(late.flip());
        release(turn);
        return false;
    }

    private void putOutcome(ByteBuffer out, NbdRequest request, @Nullable DiskException failure) {
        if (failure == null) {
            replies.putDone(out, request);
        } else {
            putFailure(out, request, failure);
        }
    }

    private void putFailure(ByteBuffer out, NbdRequest request, DiskException failure) {
        // A broken disk fails every request, and the client hears of each: the log needs the first one.
        if (failureLogged.compareAndSet(false, true)) {
            LOG.warn("disk {}: {}", export.name(), failure.getMessage());
        }
        replies.putError(out, request, failure);
    }

    /** Has another thread carry the request out; waits for a slot, and for the data of a write. */
    private void handOver(NbdTurn turn, NbdRequest request) throws IOException {
        int dataBytes = NbdWork.memoryBytes(request);
        NbdSlots.@Nullable Slot slot = slots.tryTake(dataBytes);
        if (slot == null) {
            turn.flush(output);
            slot = slots.take(dataBytes);
            if (slot == null) {
                return;
            }
        }
        NbdSlots.Slot taken = slot;
        boolean started = false;
        try {
            int payload = (int) request.payloadBytes();
            if (payload > 0) {
                if (turn.input().available() < payload) {
                    turn.flush(output);
                }
                turn.input().read(taken.buffer().slice(NbdLimits.REPLY_OVERHEAD_BYTES, payload));
            }
            started = connection.start(() -> carryOut(request, taken));
        } finally {
            if (!started) {
                slots.give(taken);
            }
        }
    }

    private void carryOut(NbdRequest request, NbdSlots.Slot slot) throws IOException {
        try {
            ByteBuffer reply = slot.buffer();
            try {
                work.perform(request, slot);
            } catch (DiskException e) {
                putFailure(reply.clear(), request, e);
            }
            output.send(reply.flip());
        } finally {
            slots.give(slot);
        }
    }

    /**
     * Looks whether a write holds up the reader, and has another thread read on if so. Called by the server's watch only.
     *
     * @return whether there were writes since the last look
     */
    boolean look() {
        long seen = watched.get();
        boolean moved = seen != lastSeen;
        lastSeen = seen;
        if (!moved && (seen & 1) == 1) {
            takeOver(seen);
            return true;
        }
        return moved;
    }

    private void takeOver(long seen) {
        @Nullable NbdTurn left = reading;
        if (left != null) {
            connection.start(() -> {
                // Counted first: the one held up takes itself off as soon as it sees that it was relieved.
                heldUp.incrementAndGet();
                if (watched.compareAndSet(seen, seen + 1)) {
                    readOn(left);
                } else {
                    heldUp.decrementAndGet();
                }
            });
        }
    }

    private void readOn(NbdTurn left) throws IOException, NbdException {
        @Nullable NbdTurn spare = spareTurns.poll();
        NbdTurn turn = spare == null ? connection.newTurn() : spare;
        turn.input().adopt(left.input());
        left.flush(output);
        release(left);
        read(turn);
    }

    private void release(NbdTurn turn) {
        if (turn.leave()) {
            turn.replies().clear();
            spareTurns.add(turn);
        }
    }
}
