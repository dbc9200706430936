package remus.cli;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import remus.api.CheckpointStatus;
import remus.api.Event;
import remus.api.ProtectRequest;
import remus.api.StartRequest;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.base.DurationText;
import remus.base.RemusException;

/**
 * Two hosts, one protected VM, one client on one TCP connection, and kills: the host that runs the VM dies at a random
 * moment, the other one takes over, the dead one is started again and becomes the backup, and so on.
 *
 * <p>Everything is real: daemons are processes in network namespaces of their own, the guest is Debian's kernel with
 * redis-server or PostgreSQL under QEMU. Whatever was made is gone when its {@link DemoStage} is closed; who wants to end it early interrupts the
 * thread in {@link #run} first and waits until that returns.
 */
final class Demo {
    private static final String VM = DemoGuest.NAME;
    private static final Duration INTERVAL = Duration.ofMillis(25);

    /** From "runs" to "answers": the guest boots under software emulation. */
    private static final Duration BOOT_LIMIT = Duration.ofMinutes(2);

    /** A disk is copied too. */
    private static final Duration PROTECT_LIMIT = Duration.ofMinutes(5);

    /** A backup that has not taken over by then never will. */
    private static final Duration TAKEOVER_LIMIT = Duration.ofSeconds(30);

    private static final Duration ANSWER_LIMIT = Duration.ofMinutes(1);
    private static final int EXPLAINING_EVENTS = 6;
    private static final Duration REFRESH = Duration.ofMillis(50);

    /** The kill comes at a random moment between these, after the VM is protected. */
    private static final long MIN_LIFE_MILLIS = 700;

    private static final long MAX_LIFE_MILLIS = 2_200;

    /**
     * What the demo is asked to do.
     *
     * @param guest what runs in the VM
     * @param rounds kills, at least 1
     * @param kills the kind of each kill in turn
     * @param seed of the random moments and values
     */
    record Plan(
            DemoApplication.Kind guest, int rounds, List<KillKind> kills, Duration detect, boolean keep, long seed) {}

    private final Plan plan;
    private final DemoDisplay display;
    private final DemoStage stage;
    private final SplittableRandom random;
    private final List<DemoRound> rounds = new ArrayList<>();
    private final Path directory;

    Demo(Plan plan, DemoDisplay display, DemoStage stage) {
        this.plan = plan;
        this.display = display;
        this.stage = stage;
        this.random = new SplittableRandom(plan.seed());
        directory = stage.directory();
    }

    /** Runs it all; the report says what came of it. */
    DemoReport run() throws RemusException, InterruptedException {
        display.title(
                "Remus: a VM that survives its host",
                "two hosts in network namespaces, checkpoints every %s, detection time %s"
                        .formatted(DurationText.format(INTERVAL), DurationText.format(plan.detect())));
        display.begin("guest image");
        DemoApplication application = plan.guest().make();
        display.done("from Debian packages, kept in " + application.image());
        display.begin("network");
        DemoTopology topology = stage.own(DemoTopology.create());
        NamespaceThread inside = stage.own(new NamespaceThread(topology.namespaceFile(DemoTopology.Place.CLIENT)));
        display.done("client, alpha and beta on one bridge, nothing outside");

        DemoHost alpha = stage.startHost(topology, DemoTopology.Place.ALPHA, inside, List.of());
        DemoHost beta = stage.startHost(topology, DemoTopology.Place.BETA, inside, List.of());
        display.begin("hosts");
        alpha.awaitUp();
        beta.awaitUp();
        display.done("two daemons, alpha (pid %d) and beta (pid %d)".formatted(alpha.pid(), beta.pid()));

        display.begin("guest");
        alpha.post("/api/v1/vms", new StartRequest(application.definition(directory), directory.toString(), null));
        application.awaitUp(inside, BOOT_LIMIT);
        display.done(application.description() + ", on alpha");

        ClientLoad load = stage.own(application.connect(inside, random.nextLong()));
        DemoHost last = runRounds(alpha, beta, load);
        load.finish();
        DemoChecks checks = check(application, inside, last);
        DemoReport report = DemoReport.of(rounds, load.figures(), checks);
        display.verdict(report, firstProblem(load, checks));
        if (plan.keep()) {
            hint(topology, last);
        }
        return report;
    }

    /** @return the host that was to run the VM at last */
    private DemoHost runRounds(DemoHost alpha, DemoHost beta, ClientLoad load)
            throws RemusException, InterruptedException {
        DemoHost primary = alpha;
        DemoHost backup = beta;
        for (int number = 1; number <= plan.rounds() && load.isRunning(); number++) {
            while (!liveProtected(primary, backup, number, load)) {
                // The backup took over although the primary lived: harmless, but not the kill that was planned.
                display.note("  false alarm: %s took over from a living %s; going on from there"
                        .formatted(backup.name(), primary.name()));
                DemoHost survivor = backup;
                backup = primary;
                primary = survivor;
            }
            KillKind kind = plan.kills().get((number - 1) % plan.kills().size());
            DemoRound round = killAndWatch(primary, backup, kind, number, load);
            rounds.add(round);
            display.row(round, load.figures());
            if (!round.activated()) {
                break;
            }
            if (number < plan.rounds()) {
                primary.revive(kind);
            }
            DemoHost survivor = backup;
            backup = primary;
            primary = survivor;
        }
        return primary;
    }

    /** What each kill has come to, so far. */
    List<DemoRound> rounds() {
        return List.copyOf(rounds);
    }

    /** Where the VM has survived its last kill. */
    private DemoChecks check(DemoApplication application, NamespaceThread inside, DemoHost last)
            throws InterruptedException {
        if (plan.guest() == DemoApplication.Kind.REDIS
                || rounds.isEmpty()
                || !rounds.getLast().activated()) {
            return DemoChecks.NONE;
        }
        display.note("");
        display.begin("checks");
        DemoChecks checks = application.check(inside, last, directory);
        if (checks.problems().isEmpty()) {
            display.done("all rows read from the disk, amcheck, fsck: clean");
        } else {
            checks.problems().forEach(display::note);
        }
        return checks;
    }

    private static @Nullable String firstProblem(ClientLoad load, DemoChecks checks) {
        String seen = load.figures().problem();
        return seen != null || checks.problems().isEmpty()
                ? seen
                : checks.problems().getFirst();
    }

    private void protect(DemoHost primary, DemoHost backup, int number, ClientLoad load)
            throws RemusException, InterruptedException {
        ProtectRequest request = new ProtectRequest(
                backup.replicationAddress().toString(),
                DurationText.format(INTERVAL),
                null,
                DurationText.format(plan.detect()),
                null,
                null,
                null,
                null,
                null,
                null);
        primary.post(VmPath.verb(VM, "protect"), request);
        long deadline = System.nanoTime() + PROTECT_LIMIT.toNanos();
        while (true) {
            VmStatus status = primary.status(VM);
            if (status.state() == VmState.PROTECTED) {
                return;
            }
            // A starved host may lose contact for a moment; it comes back by itself.
            boolean onItsWay = status.state() == VmState.SYNCHRONIZING || status.state() == VmState.DEGRADED;
            if (!onItsWay || System.nanoTime() - deadline > 0) {
                throw new CommandException("VM %s is not protected on %s but %s: %s"
                        .formatted(VM, primary.name(), status.state(), status.reason()));
            }
            display.round(number, plan.rounds(), "%s to %s".formatted(synchronizing(status), backup.name()), load);
            TimeUnit.NANOSECONDS.sleep(REFRESH.toNanos());
        }
    }

    private static String synchronizing(VmStatus status) {
        return status.disk().isEmpty()
                ? "synchronizing"
                : "synchronizing %d %%".formatted(status.disk().getFirst().syncedPercent());
    }

    /** Protects the VM and lets it live for a random time; false when it was taken over meanwhile. */
    private boolean liveProtected(DemoHost primary, DemoHost backup, int number, ClientLoad load)
            throws RemusException, InterruptedException {
        protect(primary, backup, number, load);
        long life = TimeUnit.MILLISECONDS.toNanos(random.nextLong(MIN_LIFE_MILLIS, MAX_LIFE_MILLIS));
        long end = System.nanoTime() + life;
        while (System.nanoTime() - end < 0) {
            display.round(number, plan.rounds(), "protected on " + primary.name(), load);
            TimeUnit.NANOSECONDS.sleep(Math.clamp(end - System.nanoTime(), 1, REFRESH.toNanos()));
        }
        return !isLost(primary);
    }

    /** Another host runs the VM, and may have this one for its backup already. */
    private static boolean isLost(DemoHost host) throws RemusException {
        return host.status().vms().stream().allMatch(vm -> vm.role() == VmRole.BACKUP || vm.state() == VmState.FENCED);
    }

    private DemoRound killAndWatch(DemoHost primary, DemoHost backup, KillKind kind, int number, ClientLoad load)
            throws RemusException, InterruptedException {
        VmStatus last = primary.status(VM);
        // Between the question and the kill lies a random part of an epoch, so that kills hit every phase of it.
        TimeUnit.NANOSECONDS.sleep(random.nextLong(2 * INTERVAL.toNanos()));
        Long qemu = last.qemuPid();
        Moment killed = primary.die(kind, qemu == null ? List.of() : List.of(qemu));
        primary.awaitDead();
        DemoRound round = watch(backup, number, kind, killed, last.checkpoint(), load);
        if (!round.activated()) {
            explain(primary, last, backup);
        }
        return round;
    }

    /** What is known of a kill that nobody survived: the daemons and their logs will be gone. */
    private void explain(DemoHost primary, VmStatus last, DemoHost backup) {
        display.note("  before the kill %s said: %s".formatted(primary.name(), said(last)));
        try {
            display.note("  %s says: %s".formatted(backup.name(), said(backup.status(VM))));
            List<Event> events = backup.events();
            events.stream()
                    .skip(Math.max(0, events.size() - EXPLAINING_EVENTS))
                    .forEach(event -> display.note("  " + EventText.line(event)));
        } catch (RemusException e) {
            display.note("  %s does not answer: %s".formatted(backup.name(), e.getMessage()));
        }
    }

    private static String said(VmStatus status) {
        return "%s, epoch %s, committed %s: %s"
                .formatted(status.state(), status.epoch(), status.committedEpoch(), status.reason());
    }

    private DemoRound watch(
            DemoHost backup, int number, KillKind kind, Moment killed, CheckpointStatus checkpoints, ClientLoad load)
            throws RemusException, InterruptedException {
        long deadline = System.nanoTime() + TAKEOVER_LIMIT.toNanos();
        Optional<TakeOver> takeOver = Optional.empty();
        while (takeOver.isEmpty()) {
            if (System.nanoTime() - deadline > 0) {
                return DemoRound.withoutFailover(number, kind, checkpoints);
            }
            display.round(number, plan.rounds(), backup.name() + " takes over", load);
            TimeUnit.NANOSECONDS.sleep(REFRESH.toNanos());
            takeOver = TakeOver.find(backup.events(), VM, killed);
        }
        deadline = System.nanoTime() + ANSWER_LIMIT.toNanos();
        while (!load.answers().isAnsweredSince(killed.nanos()) && load.isRunning()) {
            if (System.nanoTime() - deadline > 0) {
                break;
            }
            TimeUnit.NANOSECONDS.sleep(REFRESH.toNanos());
        }
        Optional<AnswerTimes.Stall> stall = load.answers().longestStallAfter(killed.nanos());
        if (stall.isEmpty()) {
            return DemoRound.withoutFailover(number, kind, checkpoints);
        }
        return DemoRound.failedOver(number, kind, killed, takeOver.get(), stall.get(), checkpoints);
    }

    private void hint(DemoTopology topology, DemoHost primary) {
        display.note(
                "kept running, as asked; Ctrl-C ends it. The VM is on %s. Look around with:".formatted(primary.name()));
        display.note("  ./remus status --api %s   (in %s)"
                .formatted(primary.apiAddress(), topology.shellHint(DemoTopology.Place.CLIENT)));
        display.note("  logs and consoles: " + directory);
    }
}
