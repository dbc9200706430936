package remus.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;

/**
 * A channel as its contract allows it, in one thread: parts of a checkpoint arrive one by one, small messages overtake
 * them, answers take their time, and a lost connection loses all that is on its way in both directions; a new one goes
 * on after the epoch that the backup's welcome names. A pre-copy chunk has "left" while all of it is still on its way; a
 * checkpoint is read only when its parts arrive, so that one changed too early is seen. Disk writes come between them at
 * random, but those of an epoch before its end, and are kept until they are acknowledged.
 */
final class ModelChannel implements BackupChannel {
    /** One message on its way to the backup. */
    @FunctionalInterface
    private interface Part {
        void arrive() throws CheckpointException;
    }

    /** One message on its way that waits until all disk writes up to {@code epoch} have arrived. */
    private record Gated(Part part, EpochId epoch) implements Part {
        @Override
        public void arrive() throws CheckpointException {
            part.arrive();
        }
    }

    /** What of the channel's contract is broken. */
    interface Faults {
        boolean acknowledgesTooEarly();

        boolean endsBeforeItsWrites();

        boolean forgetsToSendWritesAgain();

        boolean welcomesWithLastWhole();
    }

    @SuppressWarnings("ArrayRecordComponent") // Nobody compares writes, and nobody changes their data.
    private record DiskWrite(EpochId epoch, int disk, DiskOperation operation, long offset, long length, byte[] data) {}

    private static final int MAX_WRITES = 60;

    private record Sent(StagedCheckpoint checkpoint, EpochId epoch) {}

    private record Mirrored(long sequence, String frame) {}

    private final Random random;
    private final CheckpointReceiver receiver;
    private final Listener listener;
    private final Faults faults;
    private final Deque<DiskWrite> writes = new ArrayDeque<>();
    private int arrivedWrites;
    private boolean letsThrough;

    private final Deque<StagedPages> chunks = new ArrayDeque<>();
    private final List<Sent> unacknowledged = new ArrayList<>();
    private int begunCount;
    private final Deque<Mirrored> mirrored = new ArrayDeque<>();
    private EpochId lastSent = EpochId.NONE;
    private EpochId released = EpochId.NONE;

    private final Deque<Part> prompt = new ArrayDeque<>();
    private final Deque<Part> bulk = new ArrayDeque<>();
    private final Deque<EpochId> acknowledgements = new ArrayDeque<>();
    private boolean connected;
    private boolean firstWasSent;
    private boolean over;

    ModelChannel(Random random, CheckpointReceiver receiver, Listener listener, Faults faults) {
        this.random = random;
        this.receiver = receiver;
        this.listener = listener;
        this.faults = faults;
    }

    boolean isConnected() {
        return connected;
    }

    /** All that was sent and not acknowledged lies unchanged where the engine put it. */
    void checkStaging() {
        assertTrue(unacknowledged.size() <= CheckpointEngine.MAX_IN_FLIGHT, "at most two checkpoints are in flight");
        for (Sent sent : unacknowledged) {
            assertEquals(sent.epoch(), sent.checkpoint().epoch(), "a buffer is used again before its acknowledgement");
        }
        assertEquals(
                unacknowledged.size(),
                unacknowledged.stream().map(Sent::checkpoint).distinct().count(),
                "a buffer is used twice");
    }

    // ---- the network

    /** Something arrives, at either end: of little one message, of much a good deal. */
    void deliver() {
        int count = 1 + (bulk.size() + prompt.size() + writes.size() - arrivedWrites) / 8;
        for (int i = 0; i < count && connected; i++) {
            deliverOne();
        }
    }

    private void deliverOne() {
        if (bulk.isEmpty()) {
            putBulkOnItsWay();
        }
        boolean answers = !acknowledgements.isEmpty() && random.nextBoolean();
        if (answers) {
            EpochId epoch = acknowledgements.remove();
            dropThrough(epoch);
            listener.acknowledged(epoch);
            return;
        }
        boolean promptFirst = !prompt.isEmpty() && (bulk.isEmpty() || random.nextInt(3) > 0);
        Part part = promptFirst ? prompt.poll() : nextBulk();
        if (part == null) {
            return;
        }
        try {
            part.arrive();
        } catch (CheckpointException e) {
            if (!String.valueOf(e.getMessage()).contains("could not be written")) {
                throw new AssertionError("the backup refuses what the channel sent", e);
            }
            disconnect();
        }
    }

    private @Nullable Part nextBulk() {
        DiskWrite write = firstUnsent();
        boolean bulkHasToWait = write != null
                && bulk.peek() instanceof Gated(Part part, EpochId epoch)
                && !write.epoch().isAfter(epoch);
        boolean mayOvertake = faults.endsBeforeItsWrites() || (!bulkHasToWait && random.nextBoolean());
        if (write != null && (bulk.isEmpty() || !mayOvertake)) {
            return () -> arrive(write);
        }
        return bulk.poll();
    }

    private @Nullable DiskWrite firstUnsent() {
        return writes.stream().skip(arrivedWrites).findFirst().orElse(null);
    }

    private void arrive(DiskWrite write) throws CheckpointException {
        if (write.epoch().equals(EpochId.NONE)) {
            writes.remove();
        } else {
            arrivedWrites++;
        }
        receiver.diskWrite(
                write.epoch(),
                write.disk(),
                write.operation(),
                write.offset(),
                write.length(),
                MemorySegment.ofArray(write.data()),
                0);
    }

    /** Whether the guest's next write would not have to wait. */
    boolean hasRoomForWrites() {
        return letsThrough || over || writes.size() < MAX_WRITES;
    }

    void disconnect() {
        if (!connected || over) {
            return;
        }
        connected = false;
        prompt.clear();
        bulk.clear();
        acknowledgements.clear();
        begunCount = 0;
        if (!faults.forgetsToSendWritesAgain()) {
            arrivedWrites = 0;
        }
        receiver.dropPartial();
        listener.disconnected("the model cut it");
        if (!firstWasSent) {
            over = true;
            listener.backupLost("not resumable");
        }
    }

    void reconnect() {
        if (connected || over) {
            return;
        }
        EpochId resumed = receiver.resume();
        if (resumed == null) {
            return;
        }
        EpochId lastWhole = faults.welcomesWithLastWhole() ? receiver.lastWhole() : resumed;
        if (lastWhole.equals(EpochId.NONE)) {
            over = true;
            listener.backupLost("nothing is whole");
            return;
        }
        connected = true;
        dropThrough(lastWhole);
        for (Mirrored frame : mirrored) {
            prompt.add(() -> arrive(frame));
        }
        if (released.isAfter(EpochId.NONE)) {
            EpochId again = released;
            prompt.add(() -> receiver.releasedUpTo(again));
        }
        listener.reconnected(lastWhole);
    }

    /** The backup says that it holds {@code epoch}; comes to the primary later. */
    void acknowledge(EpochId epoch) {
        acknowledgements.add(epoch);
    }

    private void dropThrough(EpochId epoch) {
        while (!writes.isEmpty() && !writes.element().epoch().isAfter(epoch)) {
            writes.remove();
            arrivedWrites = Math.max(0, arrivedWrites - 1);
        }
        while (!unacknowledged.isEmpty() && !unacknowledged.getFirst().epoch().isAfter(epoch)) {
            long mark = unacknowledged.removeFirst().checkpoint().inboundMark();
            begunCount = Math.max(0, begunCount - 1);
            while (!mirrored.isEmpty() && mirrored.element().sequence() < mark) {
                mirrored.remove();
            }
        }
    }

    private void putBulkOnItsWay() {
        StagedPages chunk = chunks.poll();
        if (chunk != null) {
            for (int run = 0; run < chunk.runCount(); run++) {
                long first = chunk.firstPage(run);
                int count = chunk.pageCount(run);
                if (chunk.isZero(run)) {
                    bulk.add(() -> receiver.preCopyZeroPages(first, count));
                } else {
                    byte[] data = new byte[count * ArrayMemory.PAGE_BYTES];
                    MemorySegment.copy(chunk.data(run), JAVA_BYTE, chunk.dataOffset(run), data, 0, data.length);
                    bulk.add(() -> receiver.preCopyPages(first, count, MemorySegment.ofArray(data), 0));
                }
            }
            listener.chunkSent(chunk);
        } else if (begunCount < unacknowledged.size()) {
            putOnItsWay(unacknowledged.get(begunCount++).checkpoint());
            firstWasSent = true;
        }
    }

    private void putOnItsWay(StagedCheckpoint checkpoint) {
        EpochId epoch = checkpoint.epoch();
        StagedPages pages = checkpoint.pages();
        Part begin = () -> receiver.begin(epoch, checkpoint.first(), checkpoint.inboundMark());
        bulk.add(new Gated(begin, EpochId.NONE));
        if (faults.acknowledgesTooEarly()) {
            bulk.add(() -> acknowledge(epoch));
        }
        for (int i = 0; i < pages.runCount(); i++) {
            int run = i;
            if (pages.isZero(run)) {
                bulk.add(() -> receiver.zeroPages(epoch, pages.firstPage(run), pages.pageCount(run)));
            } else {
                bulk.add(() -> receiver.pages(
                        epoch, pages.firstPage(run), pages.pageCount(run), pages.data(run), pages.dataOffset(run)));
            }
        }
        StagedBytes state = checkpoint.deviceState();
        int half = (int) state.size() / 2;
        bulk.add(() -> receiver.deviceState(epoch, 0, state.segment(), 0, half));
        bulk.add(() -> receiver.deviceState(epoch, half, state.segment(), half, (int) state.size() - half));
        StagedBytes frames = checkpoint.outputFrames();
        long at = 0;
        while (at < frames.size()) {
            int length = frames.segment().get(JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN), at);
            long from = at + Integer.BYTES;
            bulk.add(() -> receiver.outputFrame(epoch, frames.segment(), from, length));
            at = from + length;
        }
        Part end = () -> receiver.end(
                epoch, pages.pageCount(), state.size(), checkpoint.outputFrameCount(), checkpoint.diskWrites(), null);
        bulk.add(new Gated(end, epoch));
    }

    private void arrive(Mirrored frame) throws CheckpointException {
        receiver.inboundFrame(
                frame.sequence(),
                Frames.segment(frame.frame()),
                0,
                frame.frame().length());
    }

    // ---- what the engine and the guest's network ask

    @Override
    public void open() {
        connected = true;
        listener.backupReady(Set.of());
    }

    @Override
    public void send(StagedCheckpoint checkpoint) {
        assertEquals(lastSent.next(), checkpoint.epoch(), "epochs are sent without a gap");
        lastSent = checkpoint.epoch();
        unacknowledged.add(new Sent(checkpoint, checkpoint.epoch()));
        checkStaging();
    }

    @Override
    public void sendPages(StagedPages chunk) {
        assertEquals(EpochId.NONE, lastSent, "pre-copy is over");
        chunks.add(chunk);
    }

    @Override
    public void mirrorInbound(long sequence, MemorySegment frames, long offset, int length) {
        Mirrored kept = new Mirrored(sequence, Frames.text(frames, offset, length));
        mirrored.add(kept);
        if (connected) {
            prompt.add(() -> arrive(kept));
        }
    }

    @Override
    public void reportReleased(EpochId epoch) {
        released = epoch;
        if (connected) {
            prompt.add(() -> receiver.releasedUpTo(epoch));
        }
    }

    @Override
    public void heartbeat(EpochId sealed) {}

    @Override
    public void reportGuestDead(String reason) {}

    @Override
    public void handOver(long pausedNanos, String reason) {}

    @Override
    public boolean forward(
            EpochId epoch,
            int disk,
            DiskOperation operation,
            long offset,
            long length,
            MemorySegment data,
            long dataOffset) {
        if (over) {
            return false;
        }
        byte[] copy = new byte[(int) length];
        MemorySegment.copy(data, JAVA_BYTE, dataOffset, copy, 0, copy.length);
        writes.add(new DiskWrite(epoch, disk, operation, offset, length, copy));
        return true;
    }

    @Override
    public void letWritesThrough(boolean through) {
        letsThrough = through;
    }

    @Override
    public void compare(int disk, long firstBlock, int count) {
        throw new AssertionError("the model compares nothing");
    }

    @Override
    public void reconnect(String reason) {
        disconnect();
    }

    @Override
    public void signOff(String reason) {
        connected = false;
        over = true;
        listener.signedOff(reason);
    }

    @Override
    public void close() {
        connected = false;
        over = true;
    }
}
