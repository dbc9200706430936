package remus.host;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.EventType;
import remus.availability.PrimaryState;
import remus.base.Invariant;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.CheckpointReceiver;
import remus.checkpoint.InboundMirror;
import remus.linux.LinuxException;
import remus.network.GuestNetwork;
import remus.qemu.ActivationException;

/**
 * The backup takes a VM over: loads the last whole checkpoint into the standby and lets it run; once this host owns the VM,
 * replays the input that the checkpoint does not contain and releases again the output that may not have left. The image
 * is kept until a guest has run in it, and until then loading may be tried any number of times, each with a fresh standby.
 *
 * <p>First the writes of that checkpoint are brought into the images and made durable. Until the hand-over the guest runs,
 * but nothing it sends is released and nothing it writes reaches its disks; what a guest that is given up has asked for is
 * gone with it. On the backup's agent thread.
 */
final class Activation implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Activation.class);

    /** Longer than any disk that works takes. */
    private static final Duration SETTLE_LIMIT = Duration.ofSeconds(20);

    private final HostServices services;
    private final String vm;
    private final StandbyParts parts;
    private final StandbyImages images;
    private final CheckpointReceiver receiver;
    private final InboundMirror inbound;
    private @Nullable VmParts loaded;
    private boolean wasTried;
    private boolean hasRun;

    /**
     * How the VM came to be this host's.
     *
     * @param owned the state in which this host owns it
     * @param decidedNanos when the take-over began
     * @param isHandedOver whether its primary wanted that, to go on as its backup
     */
    record TakeOver(VmArbiter arbiter, PrimaryState owned, long decidedNanos, boolean isHandedOver) {
        String why() {
            return isHandedOver ? "it was handed over to this host" : "it was taken over here";
        }
    }

    Activation(
            HostServices services,
            String vm,
            StandbyParts parts,
            StandbyImages images,
            CheckpointReceiver receiver,
            InboundMirror inbound) {
        this.services = services;
        this.vm = vm;
        this.parts = parts;
        this.images = images;
        this.receiver = receiver;
        this.inbound = inbound;
    }

    /** Brings the checkpoint into images and a standby, which then runs; at a further attempt into a fresh one. */
    void load() throws StandbyException, CheckpointException {
        if (wasTried) {
            parts.restart();
        }
        wasTried = true;
        receiver.finishApplying();
        if (parts.isCold()) {
            receiver.releasePages(); // its QEMU is admitted in place of them
        }
        settle();
        VmParts running = activate();
        running.guest().isBehind(Math.max(0, services.time().nanos() - receiver.guestClockNanos()));
        loaded = running;
        hasRun = true;
    }

    private VmParts activate() throws StandbyException, CheckpointException {
        try {
            return parts.activate(receiver.deviceState(), receiver.isStill());
        } catch (StandbyException e) {
            hasRun = e.getCause() instanceof ActivationException failed && failed.hasRun();
            throw e;
        }
    }

    /** Whether a guest has run in the image: then that is the checkpoint's no more, and can't be loaded again. */
    boolean hasRun() {
        return hasRun;
    }

    /** Before a guest sees them: a failed fdatasync is mended by writing again, which none must watch. */
    private void settle() throws StandbyException {
        try {
            images.settle().get(SETTLE_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new StandbyException("the daemon is ending", e);
        } catch (ExecutionException e) {
            throw new StandbyException("its disks can't be made durable: " + e.getCause(), e);
        } catch (TimeoutException e) {
            throw new StandbyException("its disks are not durable within %d s".formatted(SETTLE_LIMIT.toSeconds()), e);
        }
    }

    /**
     * The guest that runs is this host's own: whatever it does from now on is the only truth.
     *
     * @param protection how the VM is to be protected from now on
     */
    ActiveVm handOver(StandbyVm standby, TakeOver takeOver, ProtectionSettings protection) throws StandbyException {
        VmParts running = Invariant.present(loaded, "a guest that runs");
        try {
            RunningNote note = note(running.handle(), takeOver.owned(), protection);
            ActiveVm active = new ActiveVm(
                    services,
                    running,
                    takeOver.arbiter(),
                    note,
                    ActiveVm.Beginning.owned(takeOver.owned(), takeOver.why()));
            loaded = null;
            images.handOver(running.disks());
            active.afterActivation(images::retire);
            running.disks().guest().open();
            long replayed = inbound.frameCount();
            inbound.drain((memory, offset, length) -> replay(running.network(), memory, offset, length));
            receiver.drainHeldOutput(running.network()::rereleaseOutput);
            services.registry().replace(standby, active);
            long micros = (services.time().nanos() - takeOver.decidedNanos()) / 1_000;
            services.events()
                    .publish(
                            vm,
                            EventType.ACTIVATED,
                            "runs here from epoch %s, %d.%03d ms after the decision, %d inbound frames replayed"
                                    .formatted(receiver.lastWhole(), micros / 1_000, micros % 1_000, replayed),
                            active.term(),
                            receiver.lastWhole());
            if (receiver.isStill()) {
                services.events()
                        .publish(
                                vm,
                                EventType.PAUSED,
                                "by command, as on its former primary: remus resume " + vm + " lets it go on",
                                active.term(),
                                receiver.lastWhole());
            }
            return active;
        } catch (LinuxException e) {
            throw new StandbyException("the VM runs, but can't be kept: " + e.getMessage(), e);
        }
    }

    /** From now on a restarted daemon adopts the VM; without that note it would have to end it. */
    private RunningNote note(VmHandle handle, PrimaryState owned, ProtectionSettings protection) {
        RunningVm vm = RunningVm.alone(handle.definition(), ActiveVm.recordOf(owned), protection);
        RunningNote note = RunningNote.begin(handle.directory(), receiver.isStill() ? vm.paused(true) : vm);
        try {
            note.write();
        } catch (IOException e) {
            LOG.error(
                    "VM {}: a restarted daemon will not know it: {}",
                    handle.definition().name(),
                    e.toString());
        }
        return note;
    }

    /** A frame that can't be replayed is lost, as on a wire. */
    private void replay(GuestNetwork network, MemorySegment memory, long offset, int length) {
        try {
            network.replayInbound(memory, offset, length);
        } catch (LinuxException e) {
            LOG.warn("VM {}: an inbound frame is not replayed: {}", vm, e.getMessage());
        }
    }

    /** Ends a guest that was not handed over. Idempotent. */
    @Override
    public void close() {
        VmParts running = loaded;
        loaded = null;
        if (running != null) {
            try {
                running.close();
            } catch (IllegalStateException e) {
                LOG.warn("VM {}: not all of what was loaded was closed", vm, e);
            }
        }
    }
}
