package remus.bench;

import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.base.CloseStack;
import remus.base.EpochId;
import remus.base.RemusException;
import remus.base.Time;
import remus.checkpoint.CheckpointDevice;
import remus.checkpoint.CheckpointEngine;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.EpochLengths;
import remus.checkpoint.PreCopyRound;
import remus.checkpoint.PreCopySource;
import remus.checkpoint.SmallRemainder;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;
import remus.linux.Poller;
import remus.memory.DirtyTracker;
import remus.memory.DirtyTracking;
import remus.memory.GuestMemory;
import remus.memory.GuestMemoryDevice;
import remus.memory.ResetStrategy;
import remus.qemu.Accelerator;
import remus.qemu.DeviceState;
import remus.qemu.DeviceStateException;
import remus.qemu.PauseCommands;
import remus.qemu.QmpException;
import remus.qemu.RealTimeThreads;
import remus.qemu.RunningGuest;

/**
 * Measures one VM: runs the product's own checkpoint engine on it and, in turns with that, the bare commands.
 *
 * <p>The parts are those of the host daemon, in the same places of one agent's loop; only the backup is not there
 * ({@link AnsweringChannel}), and no network card. Turns are short, so that whatever else the machine does falls on both
 * alike. The first pause after a turn of the floor is not counted, for it takes all pages written meanwhile.
 *
 * <p>Confined to one thread. Ends with an exception as soon as QEMU or a device fails.
 */
final class PauseMeasurement
        implements BenchVm.Watcher, CheckpointDevice, PreCopySource, CheckpointEngine.Observer, AutoCloseable {
    /** How long one turn lasts. */
    private static final Duration TURN = Duration.ofMillis(500);

    /** Pauses follow each other at once for so long before anything is counted: the JVM compiles what it runs often. */
    private static final Duration WARM_UP = Duration.ofSeconds(4);

    private static final Duration FIRST_CHECKPOINT_LIMIT = Duration.ofMinutes(1);
    private static final long OUTPUT_LIMIT_BYTES = 1 << 20;
    private static final long LONGEST_WAIT_NANOS = 100_000_000;

    private final CloseStack owned = new CloseStack();
    private final Time time;
    private final StopSignal stop;
    private final RunningGuest guest;
    private final Poller poller;
    private final FloorCycle floor;
    private final TimedTracker tracker;
    private final GuestMemoryDevice memory;
    private final AnsweringChannel channel = new AnsweringChannel();
    private final CheckpointEngine engine;
    private final RealTimeThreads.OfSession threads;

    private PauseSamples samples = new PauseSamples();
    private @Nullable RemusException failure;
    private @Nullable String end;
    private int toSkip;
    private long takenCount;

    // Times of the pause under way.
    private long aheadNanos;
    private long aheadPages;
    private long beganAtNanos;
    private long suspendedAtNanos;
    private long findNanos;
    private long captureNanos;
    private long savedAtNanos;
    private long readAtNanos;
    private long lateAtNanos;

    PauseMeasurement(BenchVm vm, Time time, StopSignal stop) throws RemusException {
        this.time = time;
        this.stop = stop;
        guest = vm.guest();
        threads = new RealTimeThreads(true).ofSession(guest.process());
        boolean complete = false;
        try {
            GuestMemory mapped = owned.push(GuestMemory.forReading(vm.ram()));
            DirtyTracker attached = DirtyTracking.attach(
                    guest.process().identity().pid(),
                    vm.ram().path(),
                    vm.ram().bytes(),
                    DirtyTracking.Choice.AUTO,
                    vm.definition().accelerator() == Accelerator.KVM
                            ? ResetStrategy.FIND_THEN_RESET
                            : ResetStrategy.ONE_RESETTING_SCAN);
            tracker = new TimedTracker(attached, time);
            memory = new GuestMemoryDevice(mapped, tracker, GuestMemoryDevice.NO_DIGESTS);
            owned.push(memory::abort);
            poller = owned.push(new Poller(PauseCommands.SLOTS));
            floor = owned.push(
                    new FloorCycle(guest.commands(), BenchVm.LIMITS.reply().toNanos(), time));
            engine = owned.push(new CheckpointEngine(
                    new CheckpointEngine.Settings(
                            EpochLengths.fixed(PauseSettings.INTERVAL.toNanos()),
                            OUTPUT_LIMIT_BYTES,
                            GuestMemory.PAGE_BYTES,
                            mapped.bytes()),
                    guest,
                    new CheckpointEngine.Memory(this, new SmallRemainder()),
                    List.of(this),
                    channel,
                    this));
            complete = true;
        } finally {
            if (!complete) {
                owned.close();
            }
        }
    }

    /** Synchronizes, warms up, and then measures for {@code duration}. */
    PauseSamples run(Duration duration) throws RemusException {
        engine.begin();
        long begin = time.nanos();
        while (takenCount == 0) {
            turn();
            if (time.nanos() - begin > FIRST_CHECKPOINT_LIMIT.toNanos()) {
                throw new BenchException("no checkpoint could be taken within " + FIRST_CHECKPOINT_LIMIT, null);
            }
        }
        warmUp();
        threads.setRealTime(true);
        try {
            return measure(duration);
        } finally {
            threads.setRealTime(false);
        }
    }

    private PauseSamples measure(Duration duration) throws RemusException {
        samples = new PauseSamples();
        long until = time.nanos() + duration.toNanos();
        while (time.nanos() < until) {
            protectFor(TURN.toNanos());
            idleFor(TURN.toNanos());
        }
        return samples;
    }

    private void warmUp() throws RemusException {
        long until = time.nanos() + WARM_UP.toNanos();
        while (time.nanos() < until) {
            engine.endEpochEarly();
            turn();
        }
        finishPause();
        for (int cycle = 0; cycle < WARM_UP.toMillis() / 20; cycle++) {
            stop.check();
            floor.run(samples);
        }
    }

    /** A turn of the product. */
    private void protectFor(long nanos) throws RemusException {
        toSkip = 1;
        long until = time.nanos() + nanos;
        while (time.nanos() < until) {
            turn();
        }
        finishPause();
    }

    private void finishPause() throws RemusException {
        while (engine.phase() != CheckpointEngine.Phase.RUNNING) {
            step(LONGEST_WAIT_NANOS);
        }
    }

    /** A turn of the floor, at the same pace. */
    private void idleFor(long nanos) throws RemusException {
        long until = time.nanos() + nanos;
        long next = time.nanos() + PauseSettings.INTERVAL.toNanos();
        while (next < until) {
            for (long wait = next - time.nanos(); wait > 0; wait = next - time.nanos()) {
                step(wait);
            }
            next = time.nanos() + PauseSettings.INTERVAL.toNanos();
            floor.run(samples);
        }
    }

    private void turn() throws RemusException {
        step(engine.tick(time.nanos()));
    }

    /** What the host's agent does between two looks at what is due: waits for QEMU and hands over what it says. */
    private void step(long waitNanos) throws RemusException {
        channel.deliver(engine, time.nanos());
        guest.checkDeadline(time.nanos(), this);
        guest.commands().watch(poller, 0);
        poller.await(channel.hasAnswers() ? 0 : Math.min(waitNanos, LONGEST_WAIT_NANOS));
        if (PauseCommands.isReady(poller, 0)) {
            guest.poll(this);
        }
        check();
    }

    @Override
    public void check() throws RemusException {
        stop.check();
        RemusException failed = failure;
        if (failed != null) {
            throw failed;
        }
        if (end != null) {
            throw new BenchException("the guest has ended in the middle of the bench: " + end, null);
        }
    }

    // ---- what QEMU says

    @Override
    public void suspended() {
        suspendedAtNanos = time.nanos();
        engine.guestSuspended();
    }

    @Override
    public void saved(DeviceState state) {
        savedAtNanos = time.nanos();
        try {
            state.readInto(engine.deviceState());
        } catch (DeviceStateException | CheckpointException e) {
            failure = e;
            return;
        }
        readAtNanos = time.nanos();
        engine.guestSaved(readAtNanos);
    }

    @Override
    public void resumed() {
        engine.guestResumed(time.nanos());
    }

    @Override
    public void guestShutdown(String reason, boolean byGuest) {
        end = "shutdown, " + reason;
    }

    @Override
    public void guestReset(boolean byGuest) {
        end = "reset";
    }

    @Override
    public void guestPanicked() {
        end = "its kernel has panicked";
    }

    @Override
    public void failed(QmpException cause) {
        failure = cause;
    }

    // ---- the memory device, timed

    @Override
    public void setup() throws CheckpointException {
        memory.setup();
    }

    @Override
    public long beginRound() throws CheckpointException {
        return memory.beginRound();
    }

    @Override
    public boolean copyChunk(StagedPages chunk, int maxPages) throws CheckpointException {
        return memory.copyChunk(chunk, maxPages);
    }

    @Override
    public boolean copyAhead(StagedPages pages) throws CheckpointException {
        tracker.reset();
        long begin = time.nanos();
        boolean copied = memory.copyAhead(pages);
        aheadNanos = time.nanos() - begin;
        aheadPages = pages.pageCount();
        return copied;
    }

    @Override
    public void suspending(EpochId epoch) {
        beganAtNanos = time.nanos();
        memory.suspending(epoch);
    }

    @Override
    public void suspended(StagedCheckpoint checkpoint) throws CheckpointException {
        memory.suspended(checkpoint);
        findNanos = tracker.collectNanos();
        captureNanos = aheadNanos + time.nanos() - suspendedAtNanos;
    }

    @Override
    public void saved(StagedCheckpoint checkpoint) throws CheckpointException {
        memory.saved(checkpoint);
        lateAtNanos = time.nanos();
    }

    @Override
    public void resumed(EpochId epoch) {
        memory.resumed(epoch);
    }

    @Override
    public void commit(EpochId epoch) {
        memory.commit(epoch);
    }

    @Override
    public void abort() {
        memory.abort();
    }

    // ---- what the engine says

    @Override
    public void preCopyProgress(PreCopyRound soFar) {}

    @Override
    public void firstCheckpointBegins(EpochId epoch) {}

    @Override
    public void checkpointTaken(StagedCheckpoint checkpoint, long pauseNanos) {
        takenCount++;
        if (toSkip > 0) {
            toSkip--;
            return;
        }
        samples.ahead.add(aheadNanos);
        samples.again.add(checkpoint.pages().pageCount() - aheadPages);
        samples.pause.add(pauseNanos);
        samples.stop.add(suspendedAtNanos - beganAtNanos);
        samples.save.add(savedAtNanos - suspendedAtNanos);
        samples.find.add(findNanos);
        samples.copy.add(captureNanos - findNanos);
        samples.read.add(readAtNanos - savedAtNanos);
        samples.late.add(lateAtNanos - readAtNanos);
        samples.cont.add(time.nanos() - lateAtNanos);
        samples.pages.add(checkpoint.pages().pageCount());
        samples.stateBytes.add(checkpoint.deviceState().size());
    }

    @Override
    public void committed(EpochId epoch, long commitNanos) {}

    @Override
    public void deviceFailed(CheckpointException cause) {
        failure = cause;
    }

    /** Ends the session; the guest runs on. */
    @Override
    public void close() {
        channel.close();
        owned.close();
    }
}
