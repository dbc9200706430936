package remus.host;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.EventType;
import remus.base.Term;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.CheckpointReceiver;
import remus.checkpoint.InboundMirror;
import remus.linux.LinuxException;
import remus.network.GuestNetwork;

/**
 * The backup takes a VM over: loads the last whole checkpoint into the standby, lets it run, replays the input that the
 * checkpoint does not contain and releases again the output that may not have left. Tried again with a fresh standby
 * when loading fails; the image is kept until one runs.
 *
 * <p>Beside the loading, that this host has taken the VM over is written down, and its disks are made durable. Until
 * both is done the guest runs, but nothing it sends is released and nothing it writes reaches its disks. When no standby
 * came to run, or that could not be done, the take-over is taken back. On the backup's agent thread.
 */
final class Activation {
    private static final Logger LOG = LoggerFactory.getLogger(Activation.class);
    private static final int MAX_ATTEMPTS = 5;

    private final HostServices services;
    private final StandbyVm vm;
    private final Term term;
    private final StandbyParts parts;
    private final StandbyImages images;
    private final CheckpointReceiver receiver;
    private final InboundMirror inbound;

    /** @param term the term in which this host owns the VM */
    Activation(
            HostServices services,
            StandbyVm vm,
            Term term,
            StandbyParts parts,
            StandbyImages images,
            CheckpointReceiver receiver,
            InboundMirror inbound) {
        this.services = services;
        this.vm = vm;
        this.term = term;
        this.parts = parts;
        this.images = images;
        this.receiver = receiver;
        this.inbound = inbound;
    }

    /**
     * Returns the VM, which runs and whose {@code run} the caller calls.
     *
     * @throws StandbyException when it could not be made to run; the term has been taken back then
     */
    ActiveVm perform() throws StandbyException {
        long startNanos = services.time().nanos();
        CompletableFuture<?> noted = CompletableFuture.runAsync(() -> note(true));
        boolean runs = false;
        try {
            VmParts loaded = load();
            boolean handedOver = false;
            try {
                secure(noted, images.settle());
                ActiveVm active = takeOver(loaded, startNanos);
                handedOver = true;
                runs = true;
                return active;
            } finally {
                if (!handedOver) {
                    loaded.closeButDisks();
                }
            }
        } finally {
            if (!runs) {
                noted.handle((_, _) -> null).join();
                note(false);
            }
        }
    }

    /** Brings the checkpoint into a standby that then runs; on failure into another one. */
    private VmParts load() throws StandbyException {
        images.disks().guest().activate();
        String lastFailure = "";
        for (int attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
            try {
                receiver.finishApplying();
                return parts.activate(receiver.deviceState());
            } catch (StandbyException | CheckpointException e) {
                lastFailure = String.valueOf(e.getMessage());
                LOG.warn("VM {}: activation attempt {} failed", vm.name(), attempt, e);
                report(EventType.FAILED, "activation attempt %d: %s".formatted(attempt, lastFailure));
                prepareAnother();
            }
        }
        throw new StandbyException(
                "the VM could not be activated in %d attempts: %s".formatted(MAX_ATTEMPTS, lastFailure), null);
    }

    private void prepareAnother() {
        try {
            parts.restart();
        } catch (StandbyException e) {
            LOG.warn("VM {}: no fresh standby", vm.name(), e);
        }
    }

    private void note(boolean activated) {
        try {
            services.state().note(vm.name(), term, activated);
        } catch (IOException e) {
            throw new CompletionException(e);
        }
    }

    /**
     * Waits until the take-over is on record, for one that is not could be forgotten by a restart and the VM run twice,
     * and until its disks are durable. What fails is tried again: the guest that waits for it is the only one there is.
     */
    private void secure(CompletableFuture<?> noting, CompletableFuture<?> settling) throws StandbyException {
        CompletableFuture<?> noted = noting;
        CompletableFuture<?> settled = settling;
        for (int attempt = 1; ; attempt++) {
            try {
                noted.join();
                settled.join();
                images.disks().guest().open();
                return;
            } catch (CompletionException e) {
                LOG.warn("VM {}: its take-over can't be made durable, attempt {}", vm.name(), attempt, e);
                report(EventType.FAILED, "the take-over can't be made durable: " + e.getCause());
                if (attempt == MAX_ATTEMPTS) {
                    throw new StandbyException("the take-over can't be made durable: " + e.getCause(), e);
                }
            }
            noted = CompletableFuture.runAsync(() -> note(true));
            settled = images.settle();
        }
    }

    private ActiveVm takeOver(VmParts running, long startNanos) throws StandbyException {
        try {
            ActiveVm active = new ActiveVm(services, running, term, null);
            images.handOver();
            long replayed = inbound.frameCount();
            inbound.drain((memory, offset, length) -> replay(running.network(), memory, offset, length));
            receiver.drainHeldOutput(running.network()::rereleaseOutput);
            services.registry().replace(vm, active);
            long micros = (services.time().nanos() - startNanos) / 1_000;
            report(
                    EventType.ACTIVATED,
                    "runs here from epoch %s, %d.%03d ms after the decision, %d inbound frames replayed"
                            .formatted(receiver.lastWhole(), micros / 1_000, micros % 1_000, replayed));
            return active;
        } catch (LinuxException e) {
            throw new StandbyException("the VM runs, but can't be kept: " + e.getMessage(), e);
        }
    }

    /** A frame that can't be replayed is lost, as on a wire. */
    private void replay(GuestNetwork network, MemorySegment memory, long offset, int length) {
        try {
            network.replayInbound(memory, offset, length);
        } catch (LinuxException e) {
            LOG.warn("VM {}: an inbound frame is not replayed: {}", vm.name(), e.getMessage());
        }
    }

    private void report(EventType type, String why) {
        services.events().publish(vm.name(), type, why, term, receiver.lastWhole());
    }
}
