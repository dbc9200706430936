package remus.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.checkpoint.ModelFaults.Sabotage;

/**
 * A primary and a backup in one thread: the real engine, receiver and output buffer between a guest whose memory is a
 * byte array and a {@link ModelChannel}. Each step one thing happens, chosen by a seeded random; after each the rules are
 * checked:
 *
 * <ul>
 *   <li>no frame leaves before the backup holds the checkpoint of the epoch that sent it, and all leave in order;
 *   <li>the backup's memory and device state are those of the guest at the seal of the last whole epoch;
 *   <li>its disks are those of the guest at that seal when all whole epochs are applied, and never more of them wait than
 *       the acknowledgements allow; nothing leaves before the guest's own disk has what it promised;
 *   <li>epochs follow without a gap, at most two are in flight, and no staging buffer is lost or used twice;
 *   <li>whenever the primary dies, what left it and what the backup releases again are all frames of whole epochs, and
 *       the mirrored input continues where the last whole checkpoint ends.
 * </ul>
 */
final class ModelWorld implements AutoCloseable {
    /** The guest as its epoch was sealed. */
    private static final class Seal {
        private final byte[] memory;
        private final byte[][] disks;
        private final long inboundMark;

        Seal(byte[] memory, byte[][] disks, long inboundMark) {
            this.memory = memory;
            this.disks = disks;
            this.inboundMark = inboundMark;
        }
    }

    /** {@code epoch} is 0 where the frame may leave at once. */
    private record GuestFrame(int session, long epoch) {}

    private static final long OUTPUT_BYTES = 200_000;
    private static final long INTERVAL_NANOS = 100;

    private final Random random;
    private final ModelFaults faults;
    private final int pageCount;
    private final byte[] memory;
    private final byte[][] disks = new byte[ModelDisks.DISKS][ModelDisks.DISK_BYTES];
    private final BitSet dirty = new BitSet();
    private final Deque<Integer> socket = new ArrayDeque<>();
    private final List<GuestFrame> frames = new ArrayList<>();
    private final OutputBuffer output = new OutputBuffer(OUTPUT_BYTES);
    private int leftCount;
    private long nextInput = 1;
    private boolean inputWithheld;
    private boolean guestRuns = true;
    private boolean stopAsked;
    private boolean saving;
    private boolean resumeAsked;
    private long now = 1;
    private int sessionNumber;
    private Session session;

    ModelWorld(long seed, Sabotage sabotage) {
        random = new Random(seed);
        faults = new ModelFaults(random, sabotage);
        pageCount = List.of(8, 40, 40, 2 * SmallRemainder.MAX_PAGES).get(random.nextInt(4));
        memory = new byte[pageCount * ArrayMemory.PAGE_BYTES];
        for (int i = 0; i < pageCount; i++) {
            write(random.nextInt(pageCount));
        }
        session = new Session();
    }

    int sessionNumber() {
        return sessionNumber;
    }

    long committedEpoch() {
        return session.engine.committed().value();
    }

    // ---- one step

    void step() {
        now += random.nextInt(20);
        int choice = random.nextInt(1030);
        if (choice < 200) {
            guestWorks();
        } else if (choice < 270) {
            inputArrives();
        } else if (choice < 350) {
            moveOutput(1 + random.nextInt(3));
        } else if (choice < 600) {
            session.channel.deliver();
        } else if (choice < 740) {
            session.agentRunsOne();
        } else if (choice < 860) {
            qemuAnswers();
        } else if (choice < 970) {
            session.engine.tick(now);
        } else if (choice < 1000) {
            somethingRare(choice - 970);
        } else if (choice < 1020) {
            session.backupAppliesDiskWrites();
        } else {
            session.localDiskFlushes();
        }
        maybeBeginNextSession();
        check();
    }

    private void somethingRare(int choice) {
        // Before the first checkpoint a loss ends the session: less often, or hardly one would be protected.
        boolean loses = session.engine.committed().isAfter(EpochId.NONE) || random.nextInt(20) == 0;
        if (choice < 4 && loses) {
            session.channel.disconnect();
        } else if (choice < 22) {
            session.channel.reconnect();
        } else if (choice < 25) {
            session.engine.endEpochEarly();
        } else if (choice < 28 && loses) {
            session.backup.failAfter(random.nextInt(10));
        } else if (choice == 28 && random.nextInt(4) == 0) {
            session.channel.signOff("enough");
        }
    }

    private void guestWorks() {
        if (!guestRuns) {
            return;
        }
        for (int i = random.nextInt(4); i > 0; i--) {
            write(random.nextInt(pageCount));
        }
        for (int i = random.nextInt(3); i > 0 && session.channel.hasRoomForWrites(); i--) {
            session.disks.write();
        }
        if (random.nextInt(3) == 0) {
            boolean held = session.firstHasBegun && output.rule() == OutputBuffer.Rule.HOLD;
            socket.add(frames.size());
            frames.add(
                    new GuestFrame(sessionNumber, held ? session.engine.epoch().value() : 0));
        }
    }

    private void write(int page) {
        int at = page * ArrayMemory.PAGE_BYTES;
        if (random.nextInt(10) == 0) {
            Arrays.fill(memory, at, at + ArrayMemory.PAGE_BYTES, (byte) 0);
        } else {
            memory[at + random.nextInt(ArrayMemory.PAGE_BYTES)]++;
        }
        dirty.set(page);
    }

    private void inputArrives() {
        if (inputWithheld || !guestRuns) {
            return;
        }
        long sequence = nextInput++;
        write((int) (sequence % pageCount));
        if (!faults.breaks(Sabotage.ONE_FRAME_IS_NOT_MIRRORED)) {
            String text = Long.toString(sequence);
            session.channel.mirrorInbound(sequence, Frames.segment(text), 0, text.length());
        }
    }

    private void moveOutput(int limit) {
        for (int i = 0; i < limit && !socket.isEmpty(); i++) {
            int number = socket.remove();
            if (output.rule() == OutputBuffer.Rule.FLOW) {
                leaves(number);
            } else if (frames.get(number).epoch() > 0 && faults.breaks(Sabotage.ONE_FRAME_LEAVES_EARLY)) {
                leaves(number);
            } else {
                String text = Integer.toString(number);
                output.offer(Frames.segment(text), 0, text.length());
            }
        }
    }

    private void leaves(MemorySegment segment, long offset, int length) {
        leaves(Integer.parseInt(Frames.text(segment, offset, length)));
    }

    private void leaves(int number) {
        GuestFrame frame = frames.get(number);
        boolean mayFlow = frame.epoch() == 0 || frame.session() != sessionNumber || session.isOver;
        assertTrue(
                mayFlow || frame.epoch() <= session.receiver.lastWhole().value(),
                () -> "frame %d of epoch %d leaves, the backup holds %s"
                        .formatted(number, frame.epoch(), session.receiver.lastWhole()));
        assertTrue(
                mayFlow || session.disks.isDurable(new EpochId(frame.epoch())),
                () -> "frame %d of epoch %d leaves, the disk does not have it yet".formatted(number, frame.epoch()));
        assertEquals(leftCount, number, "frames leave in order, each once");
        leftCount++;
    }

    private void qemuAnswers() {
        if (resumeAsked) {
            resumeAsked = false;
            session.engine.guestResumed(now);
        } else if (saving) {
            // QEMU's own writes to guest memory, while it saves its devices.
            if (random.nextBoolean()) {
                write(random.nextInt(pageCount));
                return;
            }
            saving = false;
            if (session.engine.phase() == CheckpointEngine.Phase.SAVING) {
                appendDeviceState();
            }
            session.engine.guestSaved(now);
        } else if (stopAsked) {
            stopAsked = false;
            saving = true;
            guestRuns = false;
            session.engine.guestSuspended();
        }
    }

    private void appendDeviceState() {
        String state = stateOf(session.engine.epoch());
        try {
            session.engine.deviceState().append(Frames.segment(state), 0, state.length());
        } catch (CheckpointException e) {
            throw new AssertionError(e);
        }
    }

    private String stateOf(EpochId epoch) {
        return "devices of session " + sessionNumber + " at " + epoch;
    }

    // ---- ends

    /** A session begins when the guest runs again, should the one before have ended in a pause. */
    private void maybeBeginNextSession() {
        if (!session.isOver || stopAsked || saving || resumeAsked) {
            return;
        }
        output.flow(this::leaves);
        session.close();
        dirty.set(0, pageCount);
        session = new Session();
    }

    /** Lets everything arrive that can: then all frames have left, and nothing is in flight. */
    void settle() {
        for (int i = 0; i < 20_000 && (i < 300 || leftCount < frames.size() || committedEpoch() == 0); i++) {
            now += INTERVAL_NANOS;
            session.channel.reconnect();
            session.channel.deliver();
            session.agentRunsOne();
            session.backupAppliesDiskWrites();
            session.localDiskFlushes();
            qemuAnswers();
            moveOutput(10);
            session.engine.tick(now);
            maybeBeginNextSession();
            check();
        }
        assertEquals(frames.size(), leftCount, "all frames have left");
        assertTrue(session.engine.committed().isAfter(EpochId.NONE), "checkpoints are still taken");
    }

    /** The primary is gone, with all that is on its way: what the backup has must be enough to go on. */
    void primaryDies() {
        CheckpointReceiver receiver = session.receiver;
        receiver.dropPartial();
        EpochId whole = receiver.lastWhole();
        if (whole.equals(EpochId.NONE)) {
            return;
        }
        try {
            receiver.finishApplying();
        } catch (CheckpointException e) {
            return; // the model made it fail; the backup would try again
        }
        session.applyMayBePending = false;
        check();
        for (int disk = 0; disk < ModelDisks.DISKS; disk++) {
            assertArrayEquals(session.sealOf(whole).disks[disk], session.backupDisks.image(disk), "the activated disk");
        }
        Frames again = new Frames();
        receiver.drainHeldOutput(again);
        int next = leftCount;
        if (!again.texts().isEmpty()) {
            next = Integer.parseInt(again.texts().getFirst());
            assertTrue(next <= leftCount, "frames of a whole epoch are lost");
        }
        for (String text : again.texts()) {
            assertEquals(next++, Integer.parseInt(text), "frames are released again in order");
        }
        for (int number = Math.max(next, leftCount); number < frames.size(); number++) {
            GuestFrame frame = frames.get(number);
            assertTrue(
                    frame.session() != sessionNumber || frame.epoch() == 0 || frame.epoch() > whole.value(),
                    "frame " + number + " of whole epoch " + frame.epoch() + " is lost");
        }
        Frames replayed = new Frames();
        session.inbound.drain(replayed);
        long sequence = session.sealOf(whole).inboundMark;
        for (String text : replayed.texts()) {
            assertEquals(sequence++, Long.parseLong(text), "input is replayed without a gap");
        }
    }

    void check() {
        CheckpointEngine engine = session.engine;
        EpochId whole = session.receiver.lastWhole();
        assertTrue(engine.sealed().value() - engine.committed().value() <= CheckpointEngine.MAX_IN_FLIGHT);
        assertTrue(!engine.committed().isAfter(whole), "committed means whole");
        assertEquals(engine.committed(), session.lastCommit);
        session.channel.checkStaging();
        // One may have been acknowledged while the bound allowed it, and two are in flight then.
        assertTrue(
                session.backupDisks.waitingCount() <= ArrayDisks.MAX_WAITING - 1 + CheckpointEngine.MAX_IN_FLIGHT,
                "too many whole epochs wait for the backup's disks");
        if (whole.isAfter(EpochId.NONE)) {
            StagedBytes state = session.receiver.deviceState();
            assertEquals(stateOf(whole), Frames.text(state.segment(), 0, (int) state.size()));
            byte[][] applied = session.backupDisks.asOfLastWhole();
            for (int disk = 0; disk < ModelDisks.DISKS; disk++) {
                assertArrayEquals(session.sealOf(whole).disks[disk], applied[disk], "disk at epoch " + whole);
            }
            if (!session.applyMayBePending) {
                int at = Arrays.mismatch(session.sealOf(whole).memory, session.backup.bytes());
                assertTrue(
                        at < 0,
                        () -> "page %d of the backup is not as epoch %s left it"
                                .formatted(at / ArrayMemory.PAGE_BYTES, whole));
            }
        }
    }

    @Override
    public void close() {
        session.close();
        output.close();
    }

    /** One protection session with both its ends. */
    private final class Session
            implements BackupChannel.Listener, CheckpointEngine.Observer, CheckpointReceiver.Listener, GuestControl {
        private final ArrayMemory backup = new ArrayMemory(pageCount);
        private final InboundMirror inbound = new InboundMirror(1 << 20);
        private final ArrayDisks backupDisks = new ArrayDisks(ModelDisks.DISKS, ModelDisks.DISK_BYTES);
        private final CheckpointReceiver receiver =
                new CheckpointReceiver(backup, backupDisks, ArrayMemory.PAGE_BYTES, OUTPUT_BYTES, inbound, this);
        private final ModelChannel channel = new ModelChannel(random, receiver, this, faults);
        private final ModelDisks disks = new ModelDisks(random, channel, ModelWorld.this.disks, faults);
        private final ModelMemory tracked = new ModelMemory();
        private final CheckpointEngine engine = new CheckpointEngine(
                new CheckpointEngine.Settings(
                        new EpochLengths(INTERVAL_NANOS, 4 * INTERVAL_NANOS, 20),
                        OUTPUT_BYTES,
                        ArrayMemory.PAGE_BYTES,
                        memory.length),
                this,
                new CheckpointEngine.Memory(tracked, new SmallRemainder()),
                List.of(tracked, disks, new ModelNetwork()),
                channel,
                this);
        private final Map<Long, Seal> seals = new HashMap<>();
        private final Deque<Runnable> agent = new ArrayDeque<>();
        private EpochId lastCommit = EpochId.NONE;
        private boolean firstHasBegun;
        private boolean applyMayBePending;
        private boolean isOver;

        Session() {
            sessionNumber++;
            if (faults.is(Sabotage.DISK_WRITES_OF_A_LATER_EPOCH_ARE_APPLIED)) {
                backupDisks.mixEpochs();
            }
            engine.begin();
        }

        Seal sealOf(EpochId epoch) {
            Seal seal = seals.get(epoch.value());
            if (seal == null) {
                throw new AssertionError("epoch " + epoch + " was never sealed");
            }
            return seal;
        }

        void agentRunsOne() {
            Runnable task = agent.poll();
            if (task != null && !isOver) {
                task.run();
            }
        }

        private void synchronizeDisks() {
            if (disks.synchronizeSome()) {
                engine.backupReady();
            } else {
                agent.add(this::synchronizeDisks);
            }
        }

        void backupAppliesDiskWrites() {
            if (backupDisks.applyOne()) {
                receiver.acknowledgeWhatIsDue();
            }
        }

        void localDiskFlushes() {
            disks.flushOne();
            agent.add(() -> engine.retryCommit(now));
        }

        private void finish() {
            isOver = true;
            engine.end();
        }

        void close() {
            channel.close();
            engine.close();
            receiver.close();
        }

        @Override
        public void backupReady(Set<String> disksWithContent) {
            agent.add(this::synchronizeDisks);
        }

        @Override
        public void diskDigests(int disk, long firstBlock, byte[] digests) {
            throw new AssertionError("nobody asked");
        }

        @Override
        public void writesAreFilling() {
            agent.add(engine::endEpochEarly);
        }

        @Override
        public void chunkSent(StagedPages chunk) {
            agent.add(() -> engine.chunkSent(chunk));
        }

        @Override
        public void acknowledged(EpochId epoch) {
            agent.add(() -> engine.acknowledged(epoch, now));
        }

        @Override
        public void disconnected(String cause) {
            // The only failure that the model makes is one of writing the backup's memory.
            applyMayBePending = true;
            agent.add(engine::disconnected);
        }

        @Override
        public void reconnected(EpochId lastWhole) {
            agent.add(() -> engine.reconnected(lastWhole, now));
        }

        @Override
        public void refused(String reason) {
            throw new AssertionError(reason);
        }

        @Override
        public void signedOff(String reason) {
            agent.add(this::finish);
        }

        @Override
        public void signOffUnanswered(String reason) {
            throw new AssertionError(reason);
        }

        @Override
        public void reliefWanted(String reason) {
            throw new AssertionError(reason);
        }

        @Override
        public void backupLost(String reason) {
            agent.add(this::finish);
        }

        @Override
        public void channelFailed(Throwable cause) {
            throw new AssertionError(cause);
        }

        @Override
        public void backupActivated(String reason) {
            throw new AssertionError(reason);
        }

        @Override
        public void verified(EpochId epoch, boolean equal) {
            throw new AssertionError("nobody asked");
        }

        @Override
        public void acknowledge(EpochId epoch) {
            if (!faults.acknowledgesTooEarly()) {
                channel.acknowledge(epoch);
            }
        }

        @Override
        public void whole(EpochId epoch) {
            applyMayBePending = false;
        }

        @Override
        public void preCopyProgress(PreCopyRound soFar) {}

        @Override
        public void firstCheckpointBegins(EpochId epoch) {
            firstHasBegun = true;
            output.hold(epoch);
        }

        @Override
        public void checkpointTaken(StagedCheckpoint checkpoint, long pauseNanos) {
            assertEquals(engine.sealed(), checkpoint.epoch());
        }

        @Override
        public void committed(EpochId epoch, long commitNanos) {
            assertTrue(epoch.isAfter(lastCommit), "each epoch is committed once, in order");
            assertTrue(commitNanos >= 0);
            lastCommit = epoch;
        }

        @Override
        public void deviceFailed(CheckpointException cause) {
            throw new AssertionError("no device of the model fails", cause);
        }

        @Override
        public void suspendAndSave() {
            assertTrue(!stopAsked && !saving && guestRuns, "the guest is stopped once");
            stopAsked = true;
        }

        @Override
        public void resume() {
            guestRuns = true;
            resumeAsked = true;
        }
    }

    /** Tracks and copies the guest's memory as the rules ask: the mark is reset first, then the page is copied. */
    private final class ModelMemory implements PreCopySource, ModelDevice {
        private @Nullable BitSet round;

        private BitSet takeDirty() {
            BitSet taken = (BitSet) dirty.clone();
            dirty.clear();
            return taken;
        }

        @Override
        public long beginRound() {
            BitSet next = takeDirty();
            round = next;
            return next.cardinality();
        }

        @Override
        public boolean copyChunk(StagedPages chunk, int maxPages) throws CheckpointException {
            BitSet left = round;
            if (left == null) {
                throw new AssertionError("no round has begun");
            }
            int limit = 1 + random.nextInt(maxPages);
            for (int page = left.nextSetBit(0); page >= 0 && limit > 0; page = left.nextSetBit(page + 1), limit--) {
                copy(page, chunk);
                left.clear(page);
            }
            return !left.isEmpty();
        }

        private void copy(int page, StagedPages pages) throws CheckpointException {
            int at = page * ArrayMemory.PAGE_BYTES;
            boolean zero = true;
            for (int i = 0; i < ArrayMemory.PAGE_BYTES; i++) {
                zero &= memory[at + i] == 0;
            }
            if (zero) {
                pages.appendZero(page, 1);
            } else {
                pages.append(page, 1, MemorySegment.ofArray(memory), (long) at * ValueLayout.JAVA_BYTE.byteSize());
            }
        }

        private void capture(StagedCheckpoint checkpoint, Sabotage skip) throws CheckpointException {
            BitSet taken = takeDirty();
            BitSet left = round;
            if (left != null) {
                taken.or(left); // begun, and then found small enough to be copied in the pause
                round = null;
            }
            for (int page = taken.nextSetBit(0); page >= 0; page = taken.nextSetBit(page + 1)) {
                if (!checkpoint.first() && faults.breaks(skip)) {
                    continue;
                }
                copy(page, checkpoint.pages());
            }
        }

        @Override
        public void suspended(StagedCheckpoint checkpoint) throws CheckpointException {
            capture(checkpoint, Sabotage.ONE_DIRTY_PAGE_IS_SKIPPED);
        }

        @Override
        public void saved(StagedCheckpoint checkpoint) throws CheckpointException {
            capture(checkpoint, Sabotage.ONE_LATE_WRITE_IS_SKIPPED);
        }
    }

    /** Holds output and withholds input; the last device, so that it sees the guest as it is sealed. */
    private final class ModelNetwork implements ModelDevice {
        private long mark;

        @Override
        public boolean awaitsCommit() {
            return output.holdsOfOpenEpoch();
        }

        @Override
        public void suspending(EpochId epoch) {
            inputWithheld = true;
            mark = nextInput;
        }

        @Override
        public void saved(StagedCheckpoint checkpoint) throws CheckpointException {
            moveOutput(Integer.MAX_VALUE);
            checkpoint.setInboundMark(mark);
            output.seal(checkpoint);
            session.seals.remove(checkpoint.epoch().value() - CheckpointEngine.MAX_IN_FLIGHT - 1);
            session.seals.put(checkpoint.epoch().value(), new Seal(memory.clone(), session.disks.copy(), mark));
        }

        @Override
        public void resumed(EpochId epoch) {
            inputWithheld = false;
        }

        @Override
        public void commit(EpochId epoch) {
            output.release(epoch, ModelWorld.this::leaves);
        }

        @Override
        public void abort() {
            inputWithheld = false;
        }
    }

    /** A device that has nothing to do except where it says so. */
    private interface ModelDevice extends CheckpointDevice {
        @Override
        default void setup() {}

        @Override
        default void suspending(EpochId epoch) {}

        @Override
        default void suspended(StagedCheckpoint checkpoint) throws CheckpointException {}

        @Override
        default void resumed(EpochId epoch) {}

        @Override
        default void commit(EpochId epoch) {}

        @Override
        default void abort() {}
    }
}
