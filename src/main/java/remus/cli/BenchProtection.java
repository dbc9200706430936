package remus.cli;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.api.CheckpointStatus;
import remus.api.ProtectRequest;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.api.WhenAlone;
import remus.base.DurationText;
import remus.base.RemusException;
import remus.bench.Epochs;
import remus.bench.SessionFigures;

/** Protects a bench's VM on the first host by the second one, for a turn at a time. Confined to one thread. */
final class BenchProtection {
    /** No failure is awaited here; a busy machine must not be taken for one. */
    private static final Duration DETECT = Duration.ofSeconds(5);

    private static final Duration PROTECT_LIMIT = Duration.ofMinutes(5);
    private static final Duration ANSWER_LIMIT = Duration.ofSeconds(20);
    private static final Duration POLL = Duration.ofMillis(20);

    private final BenchHosts hosts;
    private final String vm;
    private @Nullable Mark begun;

    /** When a turn began, and what there was then. */
    private record Mark(long nanos, VmStatus status) {}

    BenchProtection(BenchHosts hosts, String vm) {
        this.hosts = hosts;
        this.vm = vm;
    }

    /** @param progress is told how far it is */
    void begin(Epochs epochs, Consumer<String> progress) throws RemusException, InterruptedException {
        DemoHost alpha = hosts.alpha();
        alpha.post(VmPath.verb(vm, "protect"), request(epochs));
        alpha.await(
                vm,
                status -> {
                    String reason = status.reason();
                    progress.accept(reason == null ? "synchronizing" : reason);
                    return status.state() == VmState.PROTECTED;
                },
                PROTECT_LIMIT,
                "protected");
    }

    private ProtectRequest request(Epochs epochs) {
        return new ProtectRequest(
                hosts.beta().replicationAddress().toString(),
                DurationText.format(epochs.interval()),
                epochs.maxPauseSharePercent() + "%",
                DurationText.format(DETECT),
                null,
                null,
                WhenAlone.HOLD,
                null,
                null,
                null);
    }

    /** From here on the checkpoints of this turn count. */
    void mark() throws RemusException {
        begun = new Mark(System.nanoTime(), protectedStatus());
    }

    /** What the checkpoints were like since {@link #mark}. */
    SessionFigures sinceMark() throws RemusException {
        Mark mark = begun;
        if (mark == null) {
            throw new IllegalStateException("nothing was marked");
        }
        VmStatus now = protectedStatus();
        VmStatus then = mark.status();
        double seconds = (System.nanoTime() - mark.nanos()) / 1e9;
        return new SessionFigures(
                (now.checkpoint().count() - then.checkpoint().count()) / seconds,
                (now.guestClockLagMillis() - then.guestClockLagMillis()) / seconds / 1e3 * 100,
                now.checkpoint());
    }

    /** Ends the session; what its checkpoints were like. */
    CheckpointStatus end() throws RemusException, InterruptedException {
        VmStatus status = protectedStatus();
        hosts.alpha().post(VmPath.verb(vm, "unprotect"));
        hosts.alpha().await(vm, now -> now.state() == VmState.UNPROTECTED, ANSWER_LIMIT, "unprotected");
        long deadline = System.nanoTime() + ANSWER_LIMIT.toNanos();
        while (!hosts.beta().status().vms().isEmpty() && System.nanoTime() - deadline < 0) {
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        }
        return status.checkpoint();
    }

    private VmStatus protectedStatus() throws RemusException {
        VmStatus status = hosts.alpha().status(vm);
        if (status.state() != VmState.PROTECTED) {
            throw new CommandException("the VM has lost its protection in the middle of the bench: it is %s: %s"
                    .formatted(status.state(), status.reason()));
        }
        return status;
    }
}
