package remus.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import remus.api.MigrateRequest;
import remus.api.MigrationStage;
import remus.api.MigrationStatus;
import remus.api.StartRequest;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.base.DurationText;
import remus.base.RemusException;
import remus.bench.GuestLoad;
import remus.bench.MigrationTrial;

/**
 * Migrations of the product's: a freshly booted guest goes from one host to the other with its memory compared, which
 * takes time, and back without, which is measured. Confined to the bench's thread.
 */
final class RemusMigrationTurn {
    private static final Duration ANSWER_LIMIT = Duration.ofSeconds(20);
    private static final Duration POLL = Duration.ofMillis(20);

    private final MigrationGround ground;
    private final DemoHost alpha;
    private final DemoHost beta;
    private int count;

    /** What the two ways of one guest have come to. */
    record Pair(MigrationTrial verified, MigrationTrial measured) {}

    /** @param ground its hosts must have been started */
    RemusMigrationTurn(MigrationGround ground) {
        this.ground = ground;
        alpha = ground.hosts().alpha();
        beta = ground.hosts().beta();
    }

    /** Boots a guest, and migrates it to and fro. */
    Pair run(GuestLoad load, Duration downtimeLimit) throws RemusException, InterruptedException {
        String console = "remus-%d.log".formatted(++count);
        BenchGuest.Shape shape = new BenchGuest.Shape(
                ground.image(), ground.settings().memory(), ground.settings().accelerator());
        alpha.post(
                "/api/v1/vms",
                new StartRequest(
                        BenchGuest.yaml(shape, load.keysWithEcho(), console),
                        ground.directory().toString(),
                        null));
        Path written = ground.directory().resolve(console);
        Pair pair;
        try (EchoClient client = ground.connect(written, () -> alpha.status(BenchGuest.VM))) {
            MigrationTrial there = migrate(alpha, beta, load, downtimeLimit, client, true);
            DemoHost home = there.figures() == null ? alpha : beta;
            MigrationTrial back = migrate(home, other(home), load, downtimeLimit, client, false);
            pair = new Pair(there, back);
        } catch (IOException e) {
            throw new CommandException("the guest's client can't be ended: " + e.getMessage(), e);
        }
        end();
        return pair;
    }

    private DemoHost other(DemoHost host) {
        return host == alpha ? beta : alpha;
    }

    private MigrationTrial migrate(
            DemoHost from, DemoHost to, GuestLoad load, Duration downtimeLimit, EchoClient client, boolean verify)
            throws RemusException, InterruptedException {
        long begin = System.nanoTime();
        from.migrate(BenchGuest.VM, request(to, downtimeLimit, verify));
        MigrationStatus end = awaitEnd(from);
        if (end.stage() == MigrationStage.FAILED) {
            return MigrationTrial.unfinished(Objects.requireNonNullElse(end.reason(), "failed without a reason"));
        }
        VmStatus there = to.await(
                BenchGuest.VM,
                status -> status.role() == VmRole.PRIMARY && status.state() == VmState.UNPROTECTED,
                ANSWER_LIMIT,
                "running there");
        awaitNone(from, vm -> vm.qemuPid() != null);
        Double stall = client.awaitAnswerSince(System.nanoTime(), ANSWER_LIMIT)
                ? client.answers()
                        .longestStallAfter(begin)
                        .map(AnswerTimes.Stall::millis)
                        .orElse(null)
                : null;
        String missing = GuestProof.whatIsMissing(client, load, Objects.requireNonNull(there.qemuPid()));
        return new MigrationTrial(figures(end, stall), missing, lostPages(end), missing == null);
    }

    private static MigrateRequest request(DemoHost to, Duration downtimeLimit, boolean verify) {
        return new MigrateRequest(
                to.replicationAddress().toString(),
                null,
                DurationText.format(downtimeLimit),
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                verify);
    }

    /** Also that of a migration that is given up, which may have been done meanwhile. */
    private MigrationStatus awaitEnd(DemoHost from) throws RemusException, InterruptedException {
        long patience = System.nanoTime() + ground.settings().patience().toNanos();
        long deadline = patience + ANSWER_LIMIT.toNanos();
        boolean givenUp = false;
        while (true) {
            ground.stop().check();
            MigrationStatus status = from.migration(BenchGuest.VM);
            if (status.stage() == MigrationStage.DONE || status.stage() == MigrationStage.FAILED) {
                return status;
            }
            long now = System.nanoTime();
            if (now - deadline > 0) {
                throw new CommandException("the migration from host %s does not end: %s %s"
                        .formatted(from.name(), status.stage(), status.reason()));
            }
            if (now - patience > 0 && !givenUp) {
                givenUp = true;
                from.cancelMigration(BenchGuest.VM);
            }
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        }
    }

    private static MigrationTrial.Figures figures(MigrationStatus end, @Nullable Double stallMillis) {
        double downtimeMillis = Objects.requireNonNull(end.downtimeMicros()) / 1e3;
        return new MigrationTrial.Figures(
                end.totalMicros() / 1e3,
                downtimeMillis,
                downtimeMillis,
                stallMillis,
                end.bytesSent(),
                end.rounds().size());
    }

    private static @Nullable Long lostPages(MigrationStatus end) {
        Boolean equal = end.memoryEqual();
        return equal == null ? null : Long.valueOf(equal ? 0 : 1);
    }

    /** Ends the guest, and what the host that it has left remembers of it. */
    private void end() throws RemusException, InterruptedException {
        for (DemoHost host : List.of(alpha, beta)) {
            if (!host.status().vms().isEmpty()) {
                host.post(VmPath.verb(BenchGuest.VM, "stop"));
            }
            awaitNone(host, vm -> true);
        }
    }

    private static void awaitNone(DemoHost host, Predicate<VmStatus> such) throws RemusException, InterruptedException {
        long deadline = System.nanoTime() + ANSWER_LIMIT.toNanos();
        List<VmStatus> vms = host.status().vms();
        while (vms.stream().anyMatch(such)) {
            if (System.nanoTime() - deadline > 0) {
                throw new CommandException("host %s keeps its VM: %s".formatted(host.name(), vms));
            }
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
            vms = host.status().vms();
        }
    }
}
