package remus.cli;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.CheckpointStatus;
import remus.api.Event;
import remus.api.ProtectRequest;
import remus.api.StartRequest;
import remus.api.VmStatus;
import remus.base.DurationText;
import remus.base.RemusException;
import remus.cli.DemoTopology.Place;
import remus.qemu.MachineType;

/**
 * Many VMs on some hosts, all backed up by one further host, a client of its own for each on one TCP connection, and all
 * these hosts die at the same instant: the one backup goes on with all VMs.
 *
 * <p>Between two rounds the dead hosts come back with nothing, the backup protects each VM onto its former primary by
 * itself, and a planned switchover brings it back there, under its client.
 *
 * <p>What the hosts have is counted empty at the beginning and at the end, when the VMs were stopped and the dead hosts
 * have come back; and with all VMs protected, before the first kill and before the last one. A leak fails the demo.
 *
 * <p>Everything is real, as in {@link Demo}. Whatever was made is gone when its {@link DemoStage} is closed.
 */
final class ManyDemo {
    private static final Logger LOG = LoggerFactory.getLogger(ManyDemo.class);

    /** VMs, and hosts that run them, of the demo as a user sees it. */
    static final int USUAL_VMS = 8;

    static final int USUAL_PRIMARIES = 3;

    private static final List<Place> PRIMARIES = List.of(Place.ALPHA, Place.BETA, Place.GAMMA);
    private static final String INTERVAL = "100ms";

    /** The smallest in which Debian's kernel and the guest's initrd have room. */
    private static final String MEMORY = "128MiB";

    /** Clients that ask without a pause would leave no processor for what is to be shown. */
    private static final Duration REQUEST_EVERY = Duration.ofMillis(20);

    private static final Duration BOOT_LIMIT = Duration.ofMinutes(3);

    /** For all VMs together. */
    private static final Duration PROTECT_LIMIT = Duration.ofMinutes(5);

    private static final Duration TAKE_OVER_LIMIT = Duration.ofMinutes(1);
    private static final Duration ANSWER_LIMIT = Duration.ofMinutes(1);
    private static final Duration REFRESH = Duration.ofMillis(50);

    /** The kill comes at a random moment between these, after all VMs are protected. */
    private static final long MIN_LIFE_MILLIS = 1_000;

    private static final long MAX_LIFE_MILLIS = 2_500;

    private static final int EXPLAINING_EVENTS = 6;

    /** States in which the hosts are counted. */
    private static final String EMPTY = "empty";

    private static final String PROTECTED = "protected";

    private static final String ROW = "%5s %-4s %-6s %-7s %9s %10s %12s %8s %4s %6s";

    /**
     * What the demo is asked to do.
     *
     * @param vms at least 1, at most {@link DemoVm#MAX_NUMBER}
     * @param primaries hosts that they run on, 1 to 3
     * @param rounds instants at which all these hosts die
     * @param kills the kind of each host's death in turn
     * @param seed of the random moments and values
     */
    record Plan(int vms, int primaries, int rounds, List<KillKind> kills, Duration detect, long seed) {}

    /** How and when a host has died. */
    private record Death(KillKind kind, Moment at) {}

    /** A VM with its client. */
    private static final class Member {
        private final DemoVm vm;
        private final DemoHost home;
        private final ClientLoad load;
        private final List<DemoRound> kills = new ArrayList<>();

        private Member(DemoVm vm, DemoHost home, ClientLoad load) {
            this.vm = vm;
            this.home = home;
            this.load = load;
        }
    }

    private final Plan plan;
    private final DemoStage stage;
    private final DemoDisplay display;
    private final SplittableRandom random;
    private final List<DemoHost> primaries = new ArrayList<>();
    private final List<Member> members = new ArrayList<>();
    private final Map<DemoHost, Death> dead = new LinkedHashMap<>();
    private int deaths;
    private final List<ScenarioReport.Failover> failovers = new ArrayList<>();

    ManyDemo(Plan plan, DemoDisplay display, DemoStage stage) {
        this.plan = plan;
        this.display = display;
        this.stage = stage;
        this.random = new SplittableRandom(plan.seed());
    }

    ScenarioReport run() throws RemusException, InterruptedException {
        display.title(
                "Remus: one backup for many VMs",
                "%d VMs on %d hosts in network namespaces, checkpoints every %s, detection time %s"
                        .formatted(plan.vms(), plan.primaries(), INTERVAL, DurationText.format(plan.detect())));
        display.begin("guest image");
        DemoGuest guest = DemoGuest.make();
        display.done("from Debian packages, kept in " + guest.image().directory());
        display.begin("network");
        DemoTopology topology = stage.own(DemoTopology.create());
        NamespaceThread inside = stage.own(new NamespaceThread(topology.namespaceFile(Place.CLIENT)));
        display.done("the clients, and all hosts, on one bridge");

        display.begin("hosts");
        for (Place place : PRIMARIES.subList(0, plan.primaries())) {
            primaries.add(stage.startCountedHost(topology, place, inside, List.of()));
        }
        DemoHost backup = stage.startCountedHost(topology, Place.DELTA, inside, List.of());
        List<DemoHost> hosts = allHosts(backup);
        for (DemoHost host : hosts) {
            host.awaitUp();
        }
        LeakCheck leaks = new LeakCheck(new HostCensus(stage.directory()));
        leaks.before(EMPTY, () -> hosts);
        display.done("%d to run VMs, and %s to back all of them up".formatted(plan.primaries(), backup.name()));

        begin(guest, inside, backup);
        leaks.before(PROTECTED, () -> settled(1, backup));
        boolean whole = runRounds(backup, leaks);
        return end(backup, leaks, whole);
    }

    /** One VM after the other, for all share few processors: each boots alone, and each is synchronized alone. */
    private void begin(DemoGuest guest, NamespaceThread inside, DemoHost backup)
            throws RemusException, InterruptedException {
        display.begin("guests");
        List<DemoVm> vms = new ArrayList<>();
        for (int number = 1; number <= plan.vms(); number++) {
            DemoVm vm = DemoVm.numbered(number);
            DemoHost home = homeOf(number);
            display.doing("%s boots on %s".formatted(vm.name(), home.name()));
            String definition = guest.definition(vm, MachineType.Q35, MEMORY, "remus.run=redis");
            home.post(
                    "/api/v1/vms",
                    new StartRequest(definition, stage.directory().toString(), null));
            DemoGuest.awaitRedis(vm, inside, BOOT_LIMIT);
            vms.add(vm);
        }
        display.done("%d with Debian's kernel and redis-server, %s each".formatted(plan.vms(), MEMORY));

        display.begin("protection");
        long deadline = System.nanoTime() + PROTECT_LIMIT.toNanos();
        for (int number = 1; number <= plan.vms(); number++) {
            String vm = vms.get(number - 1).name();
            display.doing("%s to %s".formatted(vm, backup.name()));
            while (!bringHome(vm, homeOf(number), backup, deadline)) {
                pause();
            }
        }
        for (int number = 1; number <= plan.vms(); number++) {
            DemoVm vm = vms.get(number - 1);
            ClientLoad load = stage.own(DemoGuest.connect(vm, inside, random.nextLong(), REQUEST_EVERY));
            members.add(new Member(vm, homeOf(number), load));
        }
        awaitAnswers(System.nanoTime());
        display.done("all %d by %s; a client of its own for each".formatted(plan.vms(), backup.name()));
    }

    private DemoHost homeOf(int number) {
        return primaries.get((number - 1) % primaries.size());
    }

    /** @return whether all VMs survived all of it */
    private boolean runRounds(DemoHost backup, LeakCheck leaks) throws RemusException, InterruptedException {
        for (int number = 1; number <= plan.rounds(); number++) {
            if (number > 1) {
                reviveAll();
                settle(number, backup);
                if (number == plan.rounds()) {
                    int last = number;
                    leaks.again(PROTECTED, () -> settled(last, backup));
                }
            }
            while (!liveProtected(number)) {
                display.note("  false alarm: a VM left a host that lives; it is brought back");
                settle(number, backup);
            }
            if (!killAndWatch(number, backup)) {
                return false;
            }
        }
        return true;
    }

    private void reviveAll() throws RemusException, InterruptedException {
        for (Map.Entry<DemoHost, Death> host : dead.entrySet()) {
            host.getKey().revive(host.getValue().kind());
        }
        dead.clear();
    }

    private List<DemoHost> allHosts(DemoHost backup) {
        List<DemoHost> hosts = new ArrayList<>(primaries);
        hosts.add(backup);
        return hosts;
    }

    private List<DemoHost> settled(int number, DemoHost backup) throws RemusException, InterruptedException {
        settle(number, backup);
        return allHosts(backup);
    }

    /** Until each VM is on its primary again and protected: the backup does the half of it by itself. */
    private void settle(int number, DemoHost backup) throws RemusException, InterruptedException {
        long deadline = System.nanoTime() + PROTECT_LIMIT.toNanos();
        for (Member member : members) {
            while (!bringHome(member.vm.name(), member.home, backup, deadline)) {
                show(number, "%s comes back to %s".formatted(member.vm.name(), member.home.name()));
                pause();
            }
        }
        awaitAnswers(System.nanoTime());
    }

    /** A step on a VM's way to be protected on its own host, from wherever it is; true when it is there. */
    private boolean bringHome(String vm, DemoHost home, DemoHost backup, long deadline) throws RemusException {
        if (DemoVms.isProtectedOn(home, vm)) {
            return true;
        }
        if (System.nanoTime() - deadline > 0) {
            throw new CommandException("VM %s is not protected on %s within %d s: %s"
                    .formatted(vm, home.name(), PROTECT_LIMIT.toSeconds(), DemoVms.told(vm, List.of(home, backup))));
        }
        try {
            if (DemoVms.isProtectedOn(backup, vm)) {
                backup.post(VmPath.verb(vm, "switchover"));
            } else if (DemoVms.isAloneOn(home, vm)) {
                home.post(VmPath.verb(vm, "protect"), request(backup));
            }
        } catch (RemusException e) {
            // Refused because it has changed in between, or is busy: the next look tells.
            LOG.debug("VM {} is not yet brought to {}: {}", vm, home.name(), e.getMessage());
        }
        return false;
    }

    private ProtectRequest request(DemoHost backup) {
        return new ProtectRequest(
                backup.replicationAddress().toString(),
                INTERVAL,
                null,
                DurationText.format(plan.detect()),
                null,
                null,
                null,
                null,
                null,
                null);
    }

    /** Lets all VMs live for a random time; false when one was taken over meanwhile. */
    private boolean liveProtected(int number) throws RemusException, InterruptedException {
        long life = TimeUnit.MILLISECONDS.toNanos(random.nextLong(MIN_LIFE_MILLIS, MAX_LIFE_MILLIS));
        long end = System.nanoTime() + life;
        while (System.nanoTime() - end < 0) {
            show(number, "all protected");
            TimeUnit.NANOSECONDS.sleep(Math.clamp(end - System.nanoTime(), 1, REFRESH.toNanos()));
        }
        for (Member member : members) {
            if (!DemoVms.isProtectedOn(member.home, member.vm.name())) {
                return false;
            }
        }
        return true;
    }

    /** @return whether all VMs survived it */
    private boolean killAndWatch(int number, DemoHost backup) throws RemusException, InterruptedException {
        List<VmStatus> last = new ArrayList<>();
        for (Member member : members) {
            last.add(member.home.status(member.vm.name()));
        }
        killAll();
        List<Optional<TakeOver>> takeOvers = awaitTakeOvers(number, backup);
        awaitAnswers(System.nanoTime());
        display.columns(ROW.formatted(
                "round",
                "VM",
                "was on",
                "kill",
                "detection",
                "activation",
                "first answer",
                "= stall",
                "lost",
                "resets"));
        boolean whole = true;
        for (int i = 0; i < members.size(); i++) {
            Member member = members.get(i);
            DemoRound round =
                    roundOf(number, member, takeOvers.get(i), last.get(i).checkpoint());
            member.kills.add(round);
            note(member, backup, round);
            whole &= round.activated();
        }
        if (!whole) {
            explain(backup);
        }
        return whole;
    }

    /** At one instant: what has to be asked was asked before, and nobody is waited for in between. */
    private void killAll() throws RemusException, InterruptedException {
        List<List<Long>> qemus = new ArrayList<>();
        for (DemoHost host : primaries) {
            qemus.add(DemoVms.qemus(host));
        }
        for (int i = 0; i < primaries.size(); i++) {
            DemoHost host = primaries.get(i);
            KillKind kind = plan.kills().get(deaths++ % plan.kills().size());
            dead.put(host, new Death(kind, host.die(kind, qemus.get(i))));
        }
        for (DemoHost host : primaries) {
            host.awaitDead();
        }
    }

    /** For each VM in their order: empty where the backup did not take it over in time. */
    private List<Optional<TakeOver>> awaitTakeOvers(int number, DemoHost backup)
            throws RemusException, InterruptedException {
        long deadline = System.nanoTime() + TAKE_OVER_LIMIT.toNanos();
        while (true) {
            List<Event> events = backup.events();
            List<Optional<TakeOver>> found = members.stream()
                    .map(member -> TakeOver.find(
                            events, member.vm.name(), deathOf(member.home).at()))
                    .toList();
            long there = found.stream().filter(Optional::isPresent).count();
            if (there == members.size() || System.nanoTime() - deadline > 0) {
                return found;
            }
            show(number, "%d of %d taken over".formatted(there, members.size()));
            pause();
        }
    }

    private Death deathOf(DemoHost host) {
        return Objects.requireNonNull(dead.get(host), "that host lives");
    }

    private DemoRound roundOf(int number, Member member, Optional<TakeOver> takeOver, CheckpointStatus checkpoints) {
        Death death = deathOf(member.home);
        Optional<AnswerTimes.Stall> stall =
                member.load.answers().longestStallAfter(death.at().nanos());
        return takeOver.isEmpty() || stall.isEmpty()
                ? DemoRound.withoutFailover(number, death.kind(), checkpoints)
                : DemoRound.failedOver(number, death.kind(), death.at(), takeOver.get(), stall.get(), checkpoints);
    }

    private void note(Member member, DemoHost backup, DemoRound round) {
        ClientLoad.Figures client = member.load.figures();
        failovers.add(new ScenarioReport.Failover(
                round.number(),
                member.vm.name(),
                member.home.name(),
                backup.name(),
                round.kill().toString(),
                round.activated(),
                round.detectionMillis(),
                round.activationMillis(),
                round.firstAnswerMillis(),
                round.stallMillis(),
                null,
                null));
        display.row(
                ROW.formatted(
                        round.number(),
                        member.vm.name(),
                        member.home.name(),
                        round.kill(),
                        millis(round, round.detectionMillis()),
                        millis(round, round.activationMillis()),
                        millis(round, round.firstAnswerMillis()),
                        millis(round, round.stallMillis()),
                        client.lost(),
                        client.resets()),
                round.activated() && client.lost() == 0 && client.resets() == 0);
    }

    private static String millis(DemoRound round, long millis) {
        return round.activated() ? millis + " ms" : "-";
    }

    private void explain(DemoHost backup) throws RemusException {
        for (Member member : members) {
            if (!member.kills.getLast().activated()) {
                String vm = member.vm.name();
                display.note("  " + DemoVms.told(vm, List.of(backup)));
                List<Event> events = backup.events().stream()
                        .filter(event -> event.vm().equals(vm))
                        .toList();
                events.stream()
                        .skip(Math.max(0, events.size() - EXPLAINING_EVENTS))
                        .forEach(event -> display.note("  " + EventText.line(event)));
            }
        }
    }

    /** Waits for an answer to each client, but to those that have given up, and for some time at most. */
    private void awaitAnswers(long since) throws InterruptedException {
        long deadline = System.nanoTime() + ANSWER_LIMIT.toNanos();
        for (Member member : members) {
            while (!member.load.answers().isAnsweredSince(since)
                    && member.load.isRunning()
                    && System.nanoTime() - deadline < 0) {
                pause();
            }
        }
    }

    private void show(int number, String phase) {
        display.round(
                number,
                plan.rounds(),
                phase,
                members.stream().map(member -> member.load).toList());
    }

    private static void pause() throws InterruptedException {
        TimeUnit.NANOSECONDS.sleep(REFRESH.toNanos());
    }

    /** Everything is read again, the VMs end, the dead come back, and all hosts are to be as empty as before. */
    private ScenarioReport end(DemoHost backup, LeakCheck leaks, boolean whole)
            throws RemusException, InterruptedException {
        List<ScenarioReport.Outcome> outcomes = new ArrayList<>();
        for (Member member : members) {
            show(plan.rounds(), "%s is read again".formatted(member.vm.name()));
            outcomes.add(new ScenarioReport.Outcome(member.vm.name(), member.kills, member.load.finish()));
        }
        if (whole) {
            for (Member member : members) {
                backup.post(VmPath.verb(member.vm.name(), "stop"));
            }
            reviveAll();
            leaks.again(EMPTY, () -> allHosts(backup));
        }
        ScenarioReport report =
                ScenarioReport.of("many", plan.rounds(), outcomes, failovers, leaks.census(), leaks.leaks());
        display.verdict(report);
        display.clients(report);
        return report;
    }
}
