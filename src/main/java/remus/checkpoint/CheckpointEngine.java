package remus.checkpoint;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.base.Invariant;

/**
 * The primary's side of one protection session: first copies the guest's memory while it runs, then cuts its execution
 * into epochs, each ended by a checkpoint that goes to the backup beside the running guest.
 *
 * <pre>
 * IDLE        begin()                                          → CONNECTING
 * CONNECTING  backupReady(): devices set up, round 1           → PRE_COPY
 * PRE_COPY    tick(): little enough is left, the policy says → SUSPENDING   (the first, completing checkpoint)
 * RUNNING     tick(): the epoch is over ({@link EpochPace}), or
 *             output is filling up, connected, and fewer than two in flight; what was
 *             written is copied ahead, then                    → SUSPENDING
 * SUSPENDING  guestSuspended(): memory is captured             → SAVING
 * SAVING      guestSaved(): the epoch is sealed and sent       → RESUMING
 * RESUMING    guestResumed()                                   → RUNNING
 * SAVING      guestSaved() of the last checkpoint              → HALTED (the guest is left as it is)
 * HALTED      goOn(): it was not the last one after all        → RESUMING
 * any         end()                                            → ENDED (a guest that stands still for us goes on)
 * </pre>
 *
 * <p>Invariants: tracking is reset before pages are copied; a checkpoint stays in staging until it is acknowledged; at
 * most {@link #MAX_IN_FLIGHT} are uncommitted, then the epoch is stretched; devices commit epochs in order, each once,
 * and none that was not acknowledged or that a device has not allowed yet. An acknowledgement frees the staging buffer
 * at once, a commit that waits for a device keeps its place among those in flight. Lost connections do not end the
 * session: the channel sends again what is in flight, and no epoch is ended meanwhile.
 *
 * <p>Confined to the VM's agent thread; never blocks. Failures of devices go to the {@link Observer}, once, whose owner
 * ends the session; until then nothing more is taken and a guest that stands still goes on. Answers of QEMU's to what an
 * earlier session has asked are not this one's.
 */
public final class CheckpointEngine implements AutoCloseable {
    /** Checkpoints taken but not committed, at most. */
    public static final int MAX_IN_FLIGHT = 2;

    /** The engine's phases; transitions are listed in the class header. */
    public enum Phase {
        IDLE,
        CONNECTING,
        PRE_COPY,
        RUNNING,
        SUSPENDING,
        SAVING,
        RESUMING,
        HALTED,
        ENDED
    }

    /**
     * How the session is run.
     *
     * @param epochs how long the guest runs between two pauses
     * @param outputLimitBytes the most output of one epoch
     * @param pageBytes size of a tracked page
     * @param memoryBytes size of guest RAM
     */
    public record Settings(EpochLengths epochs, long outputLimitBytes, int pageBytes, long memoryBytes) {}

    /**
     * The guest's memory.
     *
     * @param policy how it is copied before the first checkpoint
     */
    public record Memory(PreCopySource source, PreCopyPolicy policy) {}

    /** What the engine tells its owner, on the agent's thread. Nothing may call back into the engine from here. */
    public interface Observer {
        /** A pre-copy round goes on; of it, what has been copied until now. */
        void preCopyProgress(PreCopyRound soFar);

        /** The guest is about to be stopped for the first, completing checkpoint: from here on output has to be held. */
        void firstCheckpointBegins(EpochId epoch);

        /** A checkpoint was taken; the guest was paused for {@code pauseNanos}. */
        void checkpointTaken(StagedCheckpoint checkpoint, long pauseNanos);

        /** The backup holds {@code epoch}; its output has been released. {@code commitNanos}: since it was sealed. */
        void committed(EpochId epoch, long commitNanos);

        /** A device could not do its part: the session can't go on. */
        void deviceFailed(CheckpointException cause);
    }

    private final Settings settings;
    private final GuestControl guest;
    private final PreCopySource memory;
    private final PreCopy preCopy;
    private final EpochPace pace;
    private final List<CheckpointDevice> devices;
    private final BackupChannel channel;
    private final Observer observer;

    private final Deque<StagedCheckpoint> free = new ArrayDeque<>();
    private final Deque<StagedCheckpoint> inFlight = new ArrayDeque<>();
    private final long[] sealedAtNanos = new long[MAX_IN_FLIGHT + 1];

    private Phase phase = Phase.IDLE;
    private @Nullable StagedCheckpoint current;
    private EpochId epoch = EpochId.NONE.next();
    private EpochId sealed = EpochId.NONE;
    private EpochId lastAcknowledged = EpochId.NONE;
    private EpochId committed = EpochId.NONE;
    private boolean connected = true;
    private boolean failed;
    private boolean earlyEndWanted;
    private boolean lastWanted;
    private long copyAheadSinceNanos;
    private long copyAheadNanos;

    public CheckpointEngine(
            Settings settings,
            GuestControl guest,
            Memory memory,
            List<CheckpointDevice> devices,
            BackupChannel channel,
            Observer observer) {
        this.settings = settings;
        pace = new EpochPace(settings.epochs());
        this.guest = guest;
        this.memory = memory.source();
        this.devices = List.copyOf(devices);
        this.channel = channel;
        this.observer = observer;
        for (int i = 0; i < MAX_IN_FLIGHT; i++) {
            // A page may be taken twice: first ahead of the pause or while QEMU saves its devices, then after that.
            StagedPages pages = new StagedPages(settings.pageBytes(), 2 * settings.memoryBytes());
            free.add(new StagedCheckpoint(pages, settings.outputLimitBytes()));
        }
        preCopy = new PreCopy(memory.source(), memory.policy(), settings.pageBytes(), channel, guest, observer);
    }

    /** Starts the session: the channel connects and brings the backup what it lacks. */
    public void begin() {
        expect(Phase.IDLE);
        phase = Phase.CONNECTING;
        channel.open();
    }

    /** The backup waits for disks and memory: where the guest is not to run meanwhile it stands still from now on. */
    public void holdWhereAlways(long nowNanos) {
        if (phase == Phase.CONNECTING && !failed) {
            preCopy.holdWhereAlways(nowNanos);
        }
    }

    /** The backup waits for memory. */
    public void backupReady() {
        if (phase != Phase.CONNECTING || failed) {
            return;
        }
        // Attempts that failed before this one were losses of a connection too.
        connected = true;
        try {
            for (CheckpointDevice device : devices) {
                device.setup();
            }
            phase = Phase.PRE_COPY;
        } catch (CheckpointException e) {
            fail(e);
        }
    }

    private void fail(CheckpointException cause) {
        if (!failed) {
            failed = true;
            observer.deviceFailed(cause);
        }
    }

    /**
     * Does what is due at {@code nowNanos}.
     *
     * @return when to call again at the latest, in nanoseconds from now; 0 means at once
     */
    public long tick(long nowNanos) {
        if (failed) {
            return Long.MAX_VALUE;
        }
        return switch (phase) {
            case IDLE, CONNECTING, SUSPENDING, SAVING, RESUMING, HALTED, ENDED -> Long.MAX_VALUE;
            case PRE_COPY -> tickPreCopy(nowNanos);
            case RUNNING -> tickRunning(nowNanos);
        };
    }

    private long tickPreCopy(long nowNanos) {
        try {
            long nanos = preCopy.tick(nowNanos, connected);
            if (preCopy.isOver()) {
                lastWanted |= preCopy.isForGood();
                suspend(nowNanos, true);
                return Long.MAX_VALUE;
            }
            return nanos;
        } catch (CheckpointException e) {
            fail(e);
            return Long.MAX_VALUE;
        }
    }

    private long tickRunning(long nowNanos) {
        if (!connected || sealed.value() - committed.value() >= MAX_IN_FLIGHT) {
            return Long.MAX_VALUE; // reconnected(), acknowledged() or retryCommit() comes
        }
        if (current == null) {
            // As much earlier as the copying will take, so that pauses keep their interval.
            long due = pace.dueNanos(awaitsCommit()) - copyAheadNanos;
            if (nowNanos < due && !earlyEndWanted) {
                return due - nowNanos;
            }
            if (copiesAhead(openCheckpoint(false))) {
                copyAheadSinceNanos = nowNanos;
                return failed ? Long.MAX_VALUE : 0; // the pause begins with the next call, whose time is right
            }
            copyAheadNanos = 0;
        } else {
            copyAheadNanos =
                    Math.min(nowNanos - copyAheadSinceNanos, settings.epochs().usualNanos() / 2);
        }
        suspend(nowNanos, false);
        return Long.MAX_VALUE;
    }

    private boolean awaitsCommit() {
        for (CheckpointDevice device : devices) {
            if (device.awaitsCommit()) {
                return true;
            }
        }
        return false;
    }

    private boolean copiesAhead(StagedCheckpoint checkpoint) {
        try {
            return memory.copyAhead(checkpoint.pages());
        } catch (CheckpointException e) {
            fail(e);
            return true;
        }
    }

    private StagedCheckpoint openCheckpoint(boolean first) {
        StagedCheckpoint checkpoint = Invariant.present(free.poll(), "a free staging buffer");
        checkpoint.begin(epoch, first);
        current = checkpoint;
        return checkpoint;
    }

    private void suspend(long nowNanos, boolean first) {
        if (current == null) {
            openCheckpoint(first);
        }
        earlyEndWanted = false;
        pace.suspended(preCopy.heldSinceNanos(nowNanos));
        phase = Phase.SUSPENDING;
        if (first) {
            observer.firstCheckpointBegins(epoch);
        }
        for (CheckpointDevice device : devices) {
            device.suspending(epoch);
        }
        guest.suspendAndSave();
        preCopy.letGo(); // it is stopped now, and goes on when this pause ends
    }

    /** QEMU has stopped the guest and is saving its devices. */
    public void guestSuspended() {
        if (!isOurs(Phase.SUSPENDING)) {
            return;
        }
        phase = Phase.SAVING;
        if (failed) {
            return;
        }
        StagedCheckpoint checkpoint = currentCheckpoint();
        try {
            for (CheckpointDevice device : devices) {
                device.suspended(checkpoint);
            }
        } catch (CheckpointException e) {
            fail(e);
        }
    }

    /**
     * Whether an answer of QEMU's is to what this session has asked, in the phase that expects it. Once ended it awaits
     * none, and before its first checkpoint what comes is an earlier session's.
     */
    private boolean isOurs(Phase expected) {
        return switch (phase) {
            case IDLE, CONNECTING, PRE_COPY, ENDED -> false;
            case RUNNING, SUSPENDING, SAVING, RESUMING, HALTED -> {
                expect(expected);
                yield true;
            }
        };
    }

    /** The buffer that receives the device state, valid from {@link #guestSuspended} to {@link #guestSaved}, while open. */
    public StagedBytes deviceState() {
        return currentCheckpoint().deviceState();
    }

    /**
     * The device state is in {@link #deviceState()}: seals the epoch, lets the guest run on and sends the checkpoint. Lets
     * the guest run on, and no more, where a device has failed or the session is not the one that stopped it.
     */
    public void guestSaved(long nowNanos) {
        if (!isOurs(Phase.SAVING)) {
            guest.resume();
            return;
        }
        StagedCheckpoint checkpoint = currentCheckpoint();
        try {
            for (int i = 0; i < devices.size() && !failed; i++) {
                devices.get(i).saved(checkpoint);
            }
        } catch (CheckpointException e) {
            fail(e);
        }
        checkpoint.setGuestClock(nowNanos - guest.clockLagNanos());
        boolean last = lastWanted && !failed;
        if (last) {
            phase = Phase.HALTED;
        } else {
            guest.resume();
            phase = Phase.RESUMING;
        }
        if (failed) {
            return;
        }
        checkpoint.setStill(guest.staysStill());
        sealed = epoch;
        epoch = epoch.next();
        sealedAtNanos[(int) (sealed.value() % sealedAtNanos.length)] = nowNanos;
        inFlight.add(checkpoint);
        channel.send(checkpoint);
        if (last) {
            finishTaken(nowNanos);
        }
    }

    /** The guest runs in the next epoch. */
    public void guestResumed(long nowNanos) {
        if (!isOurs(Phase.RESUMING)) {
            return;
        }
        phase = Phase.RUNNING;
        pace.resumed(nowNanos);
        if (failed || current == null) {
            return; // the pause after the last checkpoint has ended, which was taken before
        }
        finishTaken(nowNanos);
    }

    private void finishTaken(long nowNanos) {
        StagedCheckpoint taken = currentCheckpoint();
        current = null;
        for (CheckpointDevice device : devices) {
            device.resumed(sealed);
        }
        pace.taken(taken.pages().pageCount());
        observer.checkpointTaken(taken, nowNanos - pace.suspendedAtNanos());
        // An acknowledgement that came before this call has left the checkpoint to us.
        if (!taken.epoch().isAfter(lastAcknowledged)) {
            free.add(taken);
        }
    }

    /**
     * The backup holds {@code acknowledged} whole, and so all before it: its output may leave, unless a device has to wait
     * for something here ({@link CheckpointDevice#mayCommit}).
     */
    public void acknowledged(EpochId acknowledged, long nowNanos) {
        if (phase == Phase.ENDED || failed || !acknowledged.isAfter(lastAcknowledged)) {
            return;
        }
        Invariant.check(!acknowledged.isAfter(sealed), "acknowledged epoch=%s, sealed=%s", acknowledged, sealed);
        lastAcknowledged = acknowledged;
        while (!inFlight.isEmpty() && !inFlight.element().epoch().isAfter(acknowledged)) {
            StagedCheckpoint done = inFlight.remove();
            if (done != current) {
                free.add(done);
            }
        }
        commitWhatMay(nowNanos);
    }

    /** A device that had not allowed a commit may have changed its mind. Does nothing where nothing waits. */
    public void retryCommit(long nowNanos) {
        if (phase != Phase.ENDED && !failed) {
            commitWhatMay(nowNanos);
        }
    }

    private void commitWhatMay(long nowNanos) {
        EpochId last = committed;
        while (lastAcknowledged.isAfter(last) && mayCommit(last.next())) {
            last = last.next();
        }
        if (!last.isAfter(committed)) {
            return;
        }
        committed = last;
        for (CheckpointDevice device : devices) {
            device.commit(last);
        }
        channel.reportReleased(last);
        observer.committed(last, nowNanos - sealedAtNanos[(int) (last.value() % sealedAtNanos.length)]);
    }

    private boolean mayCommit(EpochId next) {
        for (CheckpointDevice device : devices) {
            if (!device.mayCommit(next)) {
                return false;
            }
        }
        return true;
    }

    /** A pre-copy chunk has left; its buffer is free. */
    public void chunkSent(StagedPages chunk) {
        preCopy.chunkSent(chunk);
    }

    /** No connection: the open epoch goes on until {@link #reconnected}. */
    public void disconnected() {
        connected = false;
    }

    /**
     * The channel is back and sends again what the backup lacks. A backup that has nothing whole may lack pre-copied pages
     * too, and one that holds less than it acknowledged lacks what is no longer here: with either the session fails.
     */
    public void reconnected(EpochId lastWhole, long nowNanos) {
        if (phase == Phase.ENDED) {
            return;
        }
        boolean pagesMayBeLost = lastWhole.equals(EpochId.NONE) && phase != Phase.CONNECTING;
        if (pagesMayBeLost || lastAcknowledged.isAfter(lastWhole)) {
            fail(new CheckpointException(
                    ErrorCategory.DEGRADE,
                    "the backup came back with less than it had: last whole epoch=%s, acknowledged=%s"
                            .formatted(lastWhole, lastAcknowledged),
                    null));
            return;
        }
        connected = true;
        acknowledged(lastWhole, nowNanos);
    }

    /** Asks for the epoch to end as soon as possible, for its output or its disk writes fill their buffer. */
    public void endEpochEarly() {
        earlyEndWanted = true;
    }

    /**
     * The next checkpoint is the last one, and ends its epoch as soon as possible: the guest is not let go on after it. When
     * it is {@link #hasCommittedLast} all that the guest has ever done is on the backup, and all its output has left.
     */
    public void takeLast() {
        lastWanted = true;
        earlyEndWanted = true;
    }

    /** It is not the last one after all: the guest goes on if it stands still for that. */
    public void goOn() {
        lastWanted = false;
        if (phase == Phase.HALTED) {
            phase = Phase.RESUMING;
            guest.resume();
        }
    }

    /** Whether the guest stands still after its last checkpoint, and that is committed. */
    public boolean hasCommittedLast() {
        return phase == Phase.HALTED && committed.equals(sealed);
    }

    /** When the last pause began. */
    public long suspendedAtNanos() {
        return pace.suspendedAtNanos();
    }

    /**
     * Ends the session: nothing more is taken, sent or committed. A guest that stands still for a checkpoint goes on when
     * QEMU has answered. Idempotent.
     */
    public void end() {
        if (phase != Phase.ENDED) {
            phase = Phase.ENDED;
            preCopy.letGo();
            for (CheckpointDevice device : devices) {
                device.abort();
            }
        }
    }

    public Phase phase() {
        return phase;
    }

    /** Whether the guest stands still by our doing: between the request to stop and the answer to go on. */
    public boolean isPausing() {
        return phase == Phase.SUSPENDING || phase == Phase.SAVING || phase == Phase.RESUMING;
    }

    /** The epoch that the guest is in. */
    public EpochId epoch() {
        return epoch;
    }

    /** The last checkpoint taken. */
    public EpochId sealed() {
        return sealed;
    }

    /** The last checkpoint acknowledged, whether it is committed yet or not. */
    public EpochId lastAcknowledged() {
        return lastAcknowledged;
    }

    /** The last checkpoint committed: its output may have left. */
    public EpochId committed() {
        return committed;
    }

    /** When the oldest unacknowledged checkpoint was sealed, or {@link Long#MAX_VALUE} when there is none. */
    public long oldestInFlightNanos() {
        StagedCheckpoint oldest = inFlight.peek();
        return oldest == null
                ? Long.MAX_VALUE
                : sealedAtNanos[(int) (oldest.epoch().value() % sealedAtNanos.length)];
    }

    /** Since when an acknowledged checkpoint waits for a device to allow its commit; {@link Long#MAX_VALUE}: none does. */
    public long commitWaitsSinceNanos() {
        return lastAcknowledged.isAfter(committed)
                ? sealedAtNanos[(int) (committed.next().value() % sealedAtNanos.length)]
                : Long.MAX_VALUE;
    }

    private StagedCheckpoint currentCheckpoint() {
        return Invariant.present(current, "the checkpoint being taken");
    }

    private void expect(Phase expected) {
        Invariant.check(phase == expected, "phase=%s expected=%s epoch=%s", phase, expected, epoch);
    }

    /** Frees the staging memory; the channel must be closed before. */
    @Override
    public void close() {
        end();
        StagedCheckpoint taken = current;
        if (taken != null && !inFlight.contains(taken) && !free.contains(taken)) {
            taken.close();
        }
        inFlight.forEach(StagedCheckpoint::close);
        free.forEach(StagedCheckpoint::close);
        preCopy.close();
    }
}
