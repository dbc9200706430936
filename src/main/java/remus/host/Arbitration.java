package remus.host;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import remus.api.ArbiterView;
import remus.availability.Arbiter;
import remus.availability.ArbiterChoice;
import remus.availability.OwnershipAgent;
import remus.base.CloseStack;
import remus.base.Time;
import remus.host.OperationException.Kind;
import remus.zookeeper.ArbiterSetUpException;
import remus.zookeeper.ArbiterStatus;
import remus.zookeeper.EmbeddedZooKeeper;
import remus.zookeeper.ZooKeeperArbiter;
import remus.zookeeper.ZooKeeperCredential;

/**
 * How this daemon finds out which host owns a VM: by the arbiter that all hosts share, of which it is a client and, where
 * that is embedded, the server; or by what each host knows of the other. Thread-safe.
 */
final class Arbitration implements AutoCloseable {
    /** Between two questions to servers about what is not decided yet; also how often a paused loser asks for the record. */
    private static final Duration RETRY_PAUSE = Duration.ofMillis(200);

    /** Where no arbiter is asked; a small part of any detection time. */
    private static final Duration LOCAL_RETRY_PAUSE = Duration.ofMillis(20);

    /** Longer than a take-over takes, a loading that is tried again included. */
    private static final Duration ACTIVATION_DEADLINE = Duration.ofSeconds(20);

    private static final int INCARNATION_CHARS = 8;

    private final CloseStack parts;
    private final @Nullable Arbiter arbiter;
    private final Supplier<ArbiterView> view;
    private final String incarnation = UUID.randomUUID().toString().substring(0, INCARNATION_CHARS);

    private final AtomicLong incarnations = new AtomicLong();

    Arbitration(CloseStack parts, @Nullable Arbiter arbiter, Supplier<ArbiterView> view) {
        this.parts = parts;
        this.arbiter = arbiter;
        this.view = view;
    }

    /**
     * @param choice what the host was told
     * @param credentialFile of an ensemble's, or null
     * @param directory an embedded server keeps its records there
     * @param changed told, on any thread, when it can be asked again or no more
     * @throws OperationException when it can't be set up as asked; servers that do not answer are no reason
     */
    static Arbitration open(
            ArbiterChoice choice,
            @Nullable Path credentialFile,
            Path directory,
            Time time,
            Consumer<ArbiterView> changed)
            throws OperationException {
        try (CloseStack onFailure = new CloseStack()) {
            CloseStack parts = onFailure.push(new CloseStack());
            Arbitration opened = switch (choice) {
                case ArbiterChoice.None _ -> new Arbitration(parts, null, () -> ArbiterView.NONE);
                case ArbiterChoice.Embedded(var listen) -> {
                    EmbeddedZooKeeper server = parts.push(EmbeddedZooKeeper.start(directory, listen));
                    ArbiterChoice.Ensemble alone =
                            new ArbiterChoice.Ensemble(List.of(server.address()), ArbiterChoice.DEFAULT_ROOT);
                    yield connected(parts, "embedded:" + server.address(), alone, null, time, changed);
                }
                case ArbiterChoice.Ensemble ensemble ->
                    connected(
                            parts,
                            ensemble.toString(),
                            ensemble,
                            credentialFile == null ? null : ZooKeeperCredential.read(credentialFile),
                            time,
                            changed);
            };
            onFailure.release();
            return opened;
        } catch (ArbiterSetUpException e) {
            throw new OperationException(Kind.FAILED, "arbiter: " + e.getMessage(), "", e);
        }
    }

    private static Arbitration connected(
            CloseStack parts,
            String name,
            ArbiterChoice.Ensemble ensemble,
            @Nullable ZooKeeperCredential credential,
            Time time,
            Consumer<ArbiterView> changed) {
        ZooKeeperArbiter client = parts.push(
                ZooKeeperArbiter.start(ensemble, credential, time, status -> changed.accept(view(name, status))));
        return new Arbitration(parts, client, () -> view(name, client.status()));
    }

    private static ArbiterView view(String name, ArbiterStatus status) {
        return new ArbiterView(name, status.state() == ArbiterStatus.State.CONNECTED, status.reason());
    }

    /** The arbiter that all hosts share; null: there is none. */
    @Nullable
    Arbiter arbiter() {
        return arbiter;
    }

    ArbiterView view() {
        return view.get();
    }

    /** Differs at each call, and from all of other daemons; part of every request to the arbiter. */
    String nextIncarnation() {
        return incarnation + "." + incarnations.incrementAndGet();
    }

    OwnershipAgent.Pauses pauses() {
        Duration retry = arbiter == null ? LOCAL_RETRY_PAUSE : RETRY_PAUSE;
        return new OwnershipAgent.Pauses(retry.toNanos(), ACTIVATION_DEADLINE.toNanos());
    }

    @Override
    public void close() {
        parts.close();
    }
}
