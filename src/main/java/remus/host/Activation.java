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
 * <p>That this host has taken the VM over is written down beside the loading, and nothing is released before it is on
 * disk; it is taken back when no standby came to run. On the backup's agent thread.
 */
final class Activation {
    private static final Logger LOG = LoggerFactory.getLogger(Activation.class);
    private static final int MAX_ATTEMPTS = 5;

    private final HostServices services;
    private final StandbyVm vm;
    private final Term term;
    private final StandbyParts parts;
    private final CheckpointReceiver receiver;
    private final InboundMirror inbound;

    /** @param term the term in which this host owns the VM */
    Activation(
            HostServices services,
            StandbyVm vm,
            Term term,
            StandbyParts parts,
            CheckpointReceiver receiver,
            InboundMirror inbound) {
        this.services = services;
        this.vm = vm;
        this.term = term;
        this.parts = parts;
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
        CompletableFuture<Void> noted = CompletableFuture.runAsync(() -> note(true));
        String lastFailure = "";
        for (int attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
            try {
                receiver.finishApplying();
                return takeOver(parts.activate(receiver.deviceState()), noted, startNanos);
            } catch (StandbyException | CheckpointException | LinuxException e) {
                lastFailure = String.valueOf(e.getMessage());
                LOG.warn("VM {}: activation attempt {} failed", vm.name(), attempt, e);
                report(EventType.FAILED, "activation attempt %d: %s".formatted(attempt, lastFailure));
                prepareAnother();
            }
        }
        noted.handle((_, _) -> null).join();
        note(false);
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

    private ActiveVm takeOver(StandbyParts.Activated activated, CompletableFuture<Void> noted, long startNanos)
            throws StandbyException, LinuxException {
        boolean handedOver = false;
        try {
            noted.join();
            ActiveVm active =
                    new ActiveVm(services, activated.handle(), activated.guest(), activated.network(), term, null);
            long replayed = inbound.frameCount();
            inbound.drain((memory, offset, length) -> replay(activated.network(), memory, offset, length));
            receiver.drainHeldOutput(activated.network()::rereleaseOutput);
            services.registry().replace(vm, active);
            handedOver = true;
            long micros = (services.time().nanos() - startNanos) / 1_000;
            report(
                    EventType.ACTIVATED,
                    "runs here from epoch %s, %d.%03d ms after the decision, %d inbound frames replayed"
                            .formatted(receiver.lastWhole(), micros / 1_000, micros % 1_000, replayed));
            return active;
        } catch (CompletionException e) {
            // A take-over that is not on record could be forgotten by a restart, and the VM run twice.
            throw new StandbyException("the take-over can't be written down: " + e.getCause(), e);
        } finally {
            if (!handedOver) {
                activated.close();
            }
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
