package remus.cli;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import remus.api.StartRequest;
import remus.api.VmStatus;
import remus.base.DurationText;
import remus.base.RemusException;
import remus.cli.DemoTopology.Place;

/**
 * Three hosts, one VM, and one client on one TCP connection through all of it: the host that runs the VM dies, its backup
 * goes on with it and protects it by the third host, nobody types anything; the dead host comes back with nothing, and the
 * next one dies. A round is over when the VM is back on the host that it was on at first.
 *
 * <p>What the hosts have is counted twice in each of two states, before the kills and after them: with the VM protected on
 * one host by another, and empty. A leak fails the demo. Daemons that were killed are new ones when they are counted again.
 *
 * <p>Everything is real, as in {@link Demo}. Whatever was made is gone when its {@link DemoStage} is closed.
 */
final class ChainDemo {
    private static final String VM = DemoGuest.NAME;
    private static final String INTERVAL = "25ms";
    private static final List<Place> PLACES = List.of(Place.ALPHA, Place.BETA, Place.GAMMA);
    private static final String PEERS = "alpha=10.77.0.11:7420,beta=10.77.0.12:7420,gamma=10.77.0.13:7420";
    private static final Duration BOOT_LIMIT = Duration.ofMinutes(2);
    private static final Duration PROTECT_LIMIT = Duration.ofMinutes(2);
    private static final Duration TAKE_OVER_LIMIT = Duration.ofSeconds(30);
    private static final Duration ANSWER_LIMIT = Duration.ofMinutes(1);
    private static final Duration REFRESH = Duration.ofMillis(50);

    /** The kill comes at a random moment between these, after the VM is protected. */
    private static final long MIN_LIFE_MILLIS = 500;

    private static final long MAX_LIFE_MILLIS = 1_500;

    /** Three bring the VM back; a take-over from a host that lives may change the order once or twice. */
    private static final int MAX_KILLS_PER_ROUND = 12;

    /** States in which the hosts are counted. */
    private static final String EMPTY = "empty";

    private static final String PROTECTED = "protected";

    private static final String ROW = "%5s %-7s %-13s %9s %10s %7s %-12s %4s %6s";

    /**
     * What the demo is asked to do.
     *
     * @param rounds each brings the VM back to where it was
     * @param kills the kind of each kill in turn
     * @param seed of the random moments and values
     */
    record Plan(int rounds, List<KillKind> kills, Duration detect, long seed) {}

    private final Plan plan;
    private final DemoStage stage;
    private final DemoDisplay display;
    private final SplittableRandom random;
    private final List<DemoHost> hosts = new ArrayList<>();
    private final List<DemoRound> done = new ArrayList<>();
    private final List<ScenarioReport.Failover> failovers = new ArrayList<>();

    ChainDemo(Plan plan, DemoDisplay display, DemoStage stage) {
        this.plan = plan;
        this.display = display;
        this.stage = stage;
        this.random = new SplittableRandom(plan.seed());
    }

    ScenarioReport run() throws RemusException, InterruptedException {
        display.title(
                "Remus: a VM that goes from host to host as they die",
                "three hosts in network namespaces, checkpoints every %s, detection time %s"
                        .formatted(INTERVAL, DurationText.format(plan.detect())));
        display.begin("guest image");
        DemoGuest guest = DemoGuest.make();
        display.done("from Debian packages, kept in " + guest.image().directory());
        display.begin("network");
        DemoTopology topology = stage.own(DemoTopology.create());
        NamespaceThread inside = stage.own(new NamespaceThread(topology.namespaceFile(Place.CLIENT)));
        display.done("client, alpha, beta and gamma on one bridge");

        display.begin("hosts");
        for (Place place : PLACES) {
            hosts.add(stage.startCountedHost(topology, place, inside, List.of("--peers", PEERS)));
        }
        for (DemoHost host : hosts) {
            host.awaitUp();
        }
        LeakCheck leaks = new LeakCheck(new HostCensus(stage.directory()));
        leaks.before(EMPTY, () -> hosts);
        display.done("three daemons, each knows the others");

        display.begin("guest");
        hosts.getFirst()
                .post(
                        "/api/v1/vms",
                        new StartRequest(
                                guest.definition("remus.run=redis") + protection(),
                                stage.directory().toString(),
                                null));
        DemoGuest.awaitRedis(inside, BOOT_LIMIT);
        DemoVms.Pair pair = awaitPair();
        display.done("Debian's redis-server, on %s, backed up by %s"
                .formatted(pair.primary().name(), pair.backup().name()));

        ClientLoad load = stage.own(DemoGuest.connect(inside, random.nextLong()));
        awaitAnswer(load, System.nanoTime());
        leaks.before(PROTECTED, this::awaitRoles);
        boolean whole = runRounds(load);
        if (whole) {
            leaks.again(PROTECTED, this::awaitRoles);
        }
        return end(load, leaks, whole);
    }

    private String protection() {
        return "protection: {backups: [beta, gamma], interval: %s, detect: %s}%n"
                .formatted(INTERVAL, DurationText.format(plan.detect()));
    }

    /** @return whether the VM went all the way */
    private boolean runRounds(ClientLoad load) throws RemusException, InterruptedException {
        display.columns(ROW.formatted(
                "round", "kill", "VM goes", "detection", "activation", "stall", "backed up by", "lost", "resets"));
        DemoHost home = hosts.getFirst();
        for (int number = 1; number <= plan.rounds(); number++) {
            DemoVms.Pair pair = awaitPair();
            int kills = 0;
            do {
                if (++kills > MAX_KILLS_PER_ROUND) {
                    throw new CommandException("VM %s does not come back to %s in %d kills"
                            .formatted(VM, home.name(), MAX_KILLS_PER_ROUND));
                }
                Optional<DemoVms.Pair> next = step(number, pair, load);
                if (next.isEmpty()) {
                    return false;
                }
                pair = next.get();
            } while (!pair.primary().equals(home));
        }
        return true;
    }

    /** One kill, and what follows; returns who has the VM then, and nothing when it did not survive. */
    private Optional<DemoVms.Pair> step(int number, DemoVms.Pair pair, ClientLoad load)
            throws RemusException, InterruptedException {
        if (!liveProtected(number, pair, load)) {
            display.note("  false alarm: the VM left %s, which lives; going on from there"
                    .formatted(pair.primary().name()));
            return Optional.of(awaitPair());
        }
        KillKind kind = plan.kills().get(done.size() % plan.kills().size());
        DemoHost dead = pair.primary();
        VmStatus last = dead.status(VM);
        List<Long> qemus = DemoVms.qemus(dead);
        Moment killed = dead.die(kind, qemus);
        dead.awaitDead();
        DemoRound round = watch(number, pair.backup(), kind, killed, last, load);
        done.add(round);
        if (!round.activated()) {
            note(number, dead, pair.backup(), round, null, load.figures());
            display.note("  " + DemoVms.told(VM, List.of(pair.backup())));
            return Optional.empty();
        }
        List<DemoHost> living =
                hosts.stream().filter(host -> !host.equals(dead)).toList();
        DemoVms.Pair next = awaitPair(living, number, pair.backup().name() + " protects it again", load);
        Again again = new Again(next.backup().name(), (System.nanoTime() - killed.nanos()) / 1_000_000);
        note(number, dead, next.primary(), round, again, load.figures());
        dead.revive(kind);
        return Optional.of(next);
    }

    /** By whom, and how long after the kill. */
    private record Again(String host, long millis) {}

    private void note(
            int number, DemoHost from, DemoHost to, DemoRound round, @Nullable Again again, ClientLoad.Figures client) {
        failovers.add(new ScenarioReport.Failover(
                number,
                VM,
                from.name(),
                to.name(),
                round.kill().toString(),
                round.activated(),
                round.detectionMillis(),
                round.activationMillis(),
                round.firstAnswerMillis(),
                round.stallMillis(),
                again == null ? null : again.host(),
                again == null ? null : again.millis()));
        display.row(
                ROW.formatted(
                        number,
                        round.kill(),
                        from.name() + " > " + to.name(),
                        round.activated() ? round.detectionMillis() + " ms" : "-",
                        round.activated() ? round.activationMillis() + " ms" : "-",
                        round.activated() ? round.stallMillis() + " ms" : "-",
                        again == null ? "-" : "%s %.1f s".formatted(again.host(), again.millis() / 1e3),
                        client.lost(),
                        client.resets()),
                round.activated() && client.lost() == 0 && client.resets() == 0);
    }

    /** Lets the VM live for a random time; false when it was taken over meanwhile. */
    private boolean liveProtected(int number, DemoVms.Pair pair, ClientLoad load)
            throws RemusException, InterruptedException {
        long life = TimeUnit.MILLISECONDS.toNanos(random.nextLong(MIN_LIFE_MILLIS, MAX_LIFE_MILLIS));
        long end = System.nanoTime() + life;
        while (System.nanoTime() - end < 0) {
            display.round(
                    number, plan.rounds(), "protected on " + pair.primary().name(), load);
            TimeUnit.NANOSECONDS.sleep(Math.clamp(end - System.nanoTime(), 1, REFRESH.toNanos()));
        }
        return DemoVms.isProtectedOn(pair.primary(), VM);
    }

    private DemoRound watch(int number, DemoHost backup, KillKind kind, Moment killed, VmStatus last, ClientLoad load)
            throws RemusException, InterruptedException {
        long deadline = System.nanoTime() + TAKE_OVER_LIMIT.toNanos();
        Optional<TakeOver> takeOver = Optional.empty();
        while (takeOver.isEmpty()) {
            if (System.nanoTime() - deadline > 0) {
                return DemoRound.withoutFailover(number, kind, last.checkpoint());
            }
            display.round(number, plan.rounds(), backup.name() + " takes over", load);
            pause();
            takeOver = TakeOver.find(backup.events(), VM, killed);
        }
        awaitAnswer(load, killed.nanos());
        Optional<AnswerTimes.Stall> stall = load.answers().longestStallAfter(killed.nanos());
        return stall.isEmpty()
                ? DemoRound.withoutFailover(number, kind, last.checkpoint())
                : DemoRound.failedOver(number, kind, killed, takeOver.get(), stall.get(), last.checkpoint());
    }

    /** Waits for an answer, or until the client has given up. */
    private static void awaitAnswer(ClientLoad load, long since) throws InterruptedException {
        long deadline = System.nanoTime() + ANSWER_LIMIT.toNanos();
        while (!load.answers().isAnsweredSince(since) && load.isRunning() && System.nanoTime() - deadline < 0) {
            pause();
        }
    }

    private DemoVms.Pair awaitPair() throws RemusException, InterruptedException {
        return awaitPair(hosts, 0, "", null);
    }

    private DemoVms.Pair awaitPair(List<DemoHost> among, int number, String phase, @Nullable ClientLoad load)
            throws RemusException, InterruptedException {
        long deadline = System.nanoTime() + PROTECT_LIMIT.toNanos();
        while (true) {
            Optional<DemoVms.Pair> pair = DemoVms.pairOf(VM, among);
            if (pair.isPresent()) {
                return pair.get();
            }
            if (System.nanoTime() - deadline > 0) {
                throw new CommandException("VM %s is not protected within %d s: %s"
                        .formatted(VM, PROTECT_LIMIT.toSeconds(), DemoVms.told(VM, among)));
            }
            if (load != null) {
                display.round(number, plan.rounds(), phase, load);
            }
            pause();
        }
    }

    private List<DemoHost> awaitRoles() throws RemusException, InterruptedException {
        DemoVms.Pair pair = awaitPair();
        List<DemoHost> roles = new ArrayList<>(List.of(pair.primary(), pair.backup()));
        hosts.stream().filter(host -> !roles.contains(host)).forEach(roles::add);
        return roles;
    }

    private static void pause() throws InterruptedException {
        TimeUnit.NANOSECONDS.sleep(REFRESH.toNanos());
    }

    /** Everything is read again, the VM ends, and the hosts are to be as empty as before. */
    private ScenarioReport end(ClientLoad load, LeakCheck leaks, boolean whole)
            throws RemusException, InterruptedException {
        DemoHost last = hosts.getFirst();
        if (whole) {
            last = awaitPair().primary();
            // Without a backup each answer comes at once.
            last.post(VmPath.verb(VM, "unprotect"));
        }
        ClientLoad.Figures figures = load.finish();
        if (whole) {
            last.post(VmPath.verb(VM, "stop"));
            leaks.again(EMPTY, () -> hosts);
        }
        ScenarioReport report = ScenarioReport.of(
                "chain",
                plan.rounds(),
                List.of(new ScenarioReport.Outcome(VM, done, figures)),
                failovers,
                leaks.census(),
                leaks.leaks());
        display.verdict(report);
        return report;
    }
}
