package remus.host;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
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
 * <p>First the writes of that checkpoint are brought into the images and made durable. Beside the loading, that this host
 * has taken the VM over is written down. Until that is done the guest runs, but nothing it sends is released and nothing
 * it writes reaches its disks; what a standby that failed has asked for is gone with it. When no standby came to run, or
 * that could not be done, the take-over is taken back. On the backup's agent thread.
 */
final class Activation {
    private static final Logger LOG = LoggerFactory.getLogger(Activation.class);
    private static final int MAX_ATTEMPTS = 5;

    /** Longer than any disk that works takes; a primary that lives takes its VM back afterwards. */
    private static final Duration SETTLE_LIMIT = Duration.ofSeconds(20);

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
            try {
                awaitNoted(noted);
                ActiveVm active = takeOver(loaded, startNanos);
                runs = true;
                return active;
            } finally {
                if (!runs) {
                    loaded.close();
                }
            }
        } finally {
            if (!runs) {
                noted.handle((_, _) -> null).join();
                note(false);
            }
        }
    }

    /** Brings the checkpoint into images and a standby, which then runs; on failure into another one. */
    private VmParts load() throws StandbyException {
        String lastFailure = "";
        for (int attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
            try {
                receiver.finishApplying();
                settle();
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
     * Waits until the take-over is on record, for one that is not could be forgotten by a restart, and the VM run twice.
     * What fails is tried again: the guest that waits for it is the only one there is.
     */
    private void awaitNoted(CompletableFuture<?> first) throws StandbyException {
        CompletableFuture<?> noted = first;
        for (int attempt = 1; ; attempt++) {
            try {
                noted.join();
                return;
            } catch (CompletionException e) {
                LOG.warn("VM {}: the take-over can't be written down, attempt {}", vm.name(), attempt, e);
                if (attempt == MAX_ATTEMPTS) {
                    throw new StandbyException("the take-over can't be written down: " + e.getCause(), e);
                }
            }
            noted = CompletableFuture.runAsync(() -> note(true));
        }
    }

    private ActiveVm takeOver(VmParts running, long startNanos) throws StandbyException {
        try {
            ActiveVm active = new ActiveVm(services, running, term, null);
            // Nothing can fail from here on: what the guest writes hereafter is the only truth.
            images.handOver(running.disks());
            active.afterActivation(images::retire);
            running.disks().guest().open();
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
