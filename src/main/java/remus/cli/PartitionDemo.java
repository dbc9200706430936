package remus.cli;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import remus.api.Event;
import remus.api.EventType;
import remus.api.ProtectRequest;
import remus.api.StartRequest;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.base.DurationText;
import remus.base.RemusException;
import remus.cli.DemoTopology.Place;

/**
 * Two hosts, an arbiter, one protected VM and one client; and partitions: who hears whom is cut, in four ways in turn, and
 * what the hosts decide is told in their own words. The client reaches both hosts all the time, so that two owners would
 * both answer it.
 *
 * <p>Everything is real, as in {@link Demo}. The arbiter is a third daemon, with ZooKeeper's server in its process. Whatever
 * was made is gone when its {@link DemoStage} is closed.
 */
final class PartitionDemo {
    private static final String VM = DemoGuest.NAME;
    private static final String INTERVAL = "25ms";
    private static final int ARBITER_PORT = 2181;
    private static final Duration BOOT_LIMIT = Duration.ofMinutes(2);
    private static final Duration PROTECT_LIMIT = Duration.ofMinutes(2);
    private static final Duration DECISION_LIMIT = Duration.ofSeconds(40);
    private static final Duration ANSWER_LIMIT = Duration.ofMinutes(1);
    private static final Duration REFRESH = Duration.ofMillis(50);

    /** How long each state of affairs is left as it is, to be looked at. */
    private static final Duration LOOK = Duration.ofMillis(1_500);

    /** What of the events is the story. */
    private static final Set<EventType> TOLD = EnumSet.of(
            EventType.OWNERSHIP,
            EventType.ARBITER,
            EventType.PRIMARY_LOST,
            EventType.BACKUP_LOST,
            EventType.RECONNECTED,
            EventType.DEGRADED,
            EventType.FENCED,
            EventType.ACTIVATING,
            EventType.ACTIVATED,
            EventType.UNPROTECTED,
            EventType.FAILED);

    /** What is cut, in the order in which it is shown. */
    private enum Act {
        HOSTS("the two hosts can't hear each other; both hear the arbiter"),
        BACKUP("the backup is cut off from the primary and from the arbiter"),
        ARBITER("nobody hears the arbiter; the two hosts hear each other"),
        ALL("nobody hears anybody; only the client still reaches both hosts");

        private final String description;

        Act(String description) {
            this.description = description;
        }
    }

    private static final List<Act> ACTS = List.of(Act.values());

    private final DemoStage stage;
    private final DemoDisplay display;
    private final String detect;
    private final int rounds;
    private final long seed;
    private final List<PartitionReport.Round> done = new ArrayList<>();

    PartitionDemo(DemoStage stage, DemoDisplay display, int rounds, Duration detect, long seed) {
        this.stage = stage;
        this.display = display;
        this.rounds = rounds;
        this.detect = DurationText.format(detect);
        this.seed = seed;
    }

    /** As long as all is as it should be: a client that was lied to ends it. */
    PartitionReport run() throws RemusException, InterruptedException {
        display.title(
                "Remus: one owner, whatever is cut",
                "two hosts and an arbiter in network namespaces, checkpoints every %s, detection time %s"
                        .formatted(INTERVAL, detect));
        display.begin("guest image");
        DemoApplication application = DemoApplication.Kind.REDIS.make();
        display.done("from Debian packages, kept in " + application.image());
        display.begin("network");
        DemoTopology topology = stage.own(DemoTopology.create());
        DemoSwitch bridge = new DemoSwitch(topology);
        NamespaceThread inside = stage.own(new NamespaceThread(topology.namespaceFile(Place.CLIENT)));
        display.done("client, alpha, beta and arbiter on one bridge");

        display.begin("hosts");
        String record = Place.ARBITER.address() + ":" + ARBITER_PORT;
        DemoHost arbiter = stage.startHost(topology, Place.ARBITER, inside, List.of("--arbiter", "embedded:" + record));
        List<String> asks = List.of("--arbiter", "zookeeper:" + record);
        DemoHost alpha = stage.startHost(topology, Place.ALPHA, inside, asks);
        DemoHost beta = stage.startHost(topology, Place.BETA, inside, asks);
        arbiter.awaitUp();
        alpha.awaitUp();
        beta.awaitUp();
        display.done("alpha, beta, and the arbiter that both ask");

        display.begin("guest");
        alpha.post(
                "/api/v1/vms",
                new StartRequest(
                        application.definition(stage.directory()),
                        stage.directory().toString(),
                        null));
        application.awaitUp(inside, BOOT_LIMIT);
        display.done(application.description() + ", on alpha");

        ClientLoad load = stage.own(application.connect(inside, new SplittableRandom(seed).nextLong()));
        DemoHost primary = alpha;
        DemoHost backup = beta;
        for (int number = 1; number <= rounds && load.isRunning(); number++) {
            DemoHost owner = round(number, bridge, primary, backup, load);
            backup = owner.equals(primary) ? backup : primary;
            primary = owner;
        }
        ClientLoad.Figures figures = load.finish();
        PartitionReport report = new PartitionReport(
                "partition",
                done.size(),
                figures.acknowledged(),
                figures.lost(),
                figures.resets(),
                figures.problem(),
                done);
        display.verdict(report);
        return report;
    }

    /** @return who runs the VM after it */
    private DemoHost round(int number, DemoSwitch bridge, DemoHost primary, DemoHost backup, ClientLoad load)
            throws RemusException, InterruptedException {
        protect(number, primary, backup, load);
        Act act = ACTS.get((number - 1) % ACTS.size());
        display.note("");
        display.heading("%d  %s".formatted(number, act.description));
        Moment cut = Moment.now();
        Story story = new Story(List.of(primary, backup), cut);
        story.say(
                0,
                "",
                "%s runs the VM, %s backs it up (term %d)"
                        .formatted(
                                primary.name(),
                                backup.name(),
                                primary.status(VM).term()));
        bridge.capture(primary.place(), backup.place());
        cut(act, bridge, primary.place(), backup.place());
        story.say(story.sinceMillis(), "", "cut");
        look(act, primary, backup, story, load);
        story.tell();
        story.say(story.sinceMillis(), "", "healed");
        bridge.heal();
        DemoHost owner = settle(primary, backup, load);
        awaitAnswer(load);
        story.tell();
        DemoSwitch.Frames frames = bridge.frames();
        double stall = load.answers()
                .longestStallAfter(cut.nanos())
                .map(AnswerTimes.Stall::millis)
                .orElse(0.0);
        PartitionReport.Round round = new PartitionReport.Round(
                act.name().toLowerCase(Locale.ROOT),
                primary.name(),
                owner.name(),
                owner.status(VM).term(),
                (long) stall,
                frames.ofFormer(),
                frames.ofNext(),
                frames.late());
        done.add(round);
        display.outcome(
                "%s runs the VM (term %d); the client waited %d ms at most"
                        .formatted(round.owner(), round.term(), round.stallMillis()),
                round.hadOneOwner());
        display.outcome(
                "at the switch: %s of the VM from %s, %s"
                        .formatted(
                                round.formerFrames() == 1 ? "1 frame" : round.formerFrames() + " frames",
                                primary.name(),
                                round.otherFrames() == 0
                                        ? "none from " + backup.name()
                                        : "then %d from %s, and %d more from %s after that"
                                                .formatted(
                                                        round.otherFrames(),
                                                        backup.name(),
                                                        round.lateFrames(),
                                                        primary.name())),
                round.hadOneOwner());
        return owner;
    }

    private static void cut(Act act, DemoSwitch bridge, Place primary, Place backup) throws CommandException {
        if (act != Act.ARBITER) {
            cutBoth(bridge, primary, backup);
        }
        if (act == Act.BACKUP || act == Act.ARBITER || act == Act.ALL) {
            cutBoth(bridge, backup, Place.ARBITER);
        }
        if (act == Act.ARBITER || act == Act.ALL) {
            cutBoth(bridge, primary, Place.ARBITER);
        }
    }

    private static void cutBoth(DemoSwitch bridge, Place one, Place other) throws CommandException {
        bridge.cut(one, other);
        bridge.cut(other, one);
    }

    /** Waits for what the cut leads to, and a little longer. */
    private void look(Act act, DemoHost primary, DemoHost backup, Story story, ClientLoad load)
            throws RemusException, InterruptedException {
        long deadline = System.nanoTime() + DECISION_LIMIT.toNanos();
        while (!isThere(act, primary, backup)) {
            if (System.nanoTime() - deadline > 0) {
                throw new CommandException("nothing comes of the cut: %s says %s, %s says %s"
                        .formatted(primary.name(), primary.status(), backup.name(), backup.status()));
            }
            story.tell();
            pause();
        }
        if (act != Act.ALL) {
            awaitAnswer(load);
        }
        long end = System.nanoTime() + LOOK.toNanos();
        while (System.nanoTime() - end < 0) {
            story.tell();
            pause();
        }
    }

    private static boolean isThere(Act act, DemoHost primary, DemoHost backup) throws RemusException {
        return switch (act) {
            case HOSTS ->
                VmOwner.isAlone(primary) ? !VmOwner.isIn(backup, VmState.STANDBY) : VmOwner.isSettled(backup, primary);
            case BACKUP -> VmOwner.isAlone(primary);
            case ARBITER ->
                !primary.status().arbiter().reachable()
                        && !backup.status().arbiter().reachable();
            case ALL -> VmOwner.isIn(primary, VmState.DEGRADED);
        };
    }

    private DemoHost settle(DemoHost primary, DemoHost backup, ClientLoad load)
            throws RemusException, InterruptedException {
        long deadline = System.nanoTime() + DECISION_LIMIT.toNanos();
        while (true) {
            if (VmOwner.isSettled(primary, backup)) {
                return primary;
            }
            if (VmOwner.isSettled(backup, primary)) {
                return backup;
            }
            if (System.nanoTime() - deadline > 0 || !load.isRunning()) {
                throw new CommandException("nobody owns VM %s for certain: %s says %s, %s says %s"
                        .formatted(VM, primary.name(), primary.status(), backup.name(), backup.status()));
            }
            pause();
        }
    }

    private void protect(int number, DemoHost primary, DemoHost backup, ClientLoad load)
            throws RemusException, InterruptedException {
        VmStatus status = primary.status(VM);
        if (status.state() != VmState.PROTECTED) {
            primary.post(
                    VmPath.verb(VM, "protect"),
                    new ProtectRequest(
                            backup.replicationAddress().toString(),
                            INTERVAL,
                            null,
                            detect,
                            null,
                            null,
                            null,
                            null,
                            null,
                            null));
        }
        long deadline = System.nanoTime() + PROTECT_LIMIT.toNanos();
        while (!VmOwner.isIn(primary, VmState.PROTECTED) || !VmOwner.isIn(backup, VmState.STANDBY)) {
            if (System.nanoTime() - deadline > 0) {
                throw new CommandException(
                        "VM %s is not protected on %s but %s".formatted(VM, primary.name(), primary.status()));
            }
            display.round(number, rounds, "synchronizing to " + backup.name(), load);
            pause();
        }
    }

    private static void awaitAnswer(ClientLoad load) throws RemusException, InterruptedException {
        long asked = System.nanoTime();
        while (!load.answers().isAnsweredSince(asked) && load.isRunning()) {
            if (System.nanoTime() - asked - ANSWER_LIMIT.toNanos() > 0) {
                throw new CommandException("the client is not answered within " + ANSWER_LIMIT.toSeconds() + " s");
            }
            pause();
        }
    }

    private static void pause() throws InterruptedException {
        TimeUnit.NANOSECONDS.sleep(REFRESH.toNanos());
    }

    /** What both hosts have said since a moment, told as it comes. */
    private final class Story {
        private record Line(DemoHost host, Event event) {}

        private final List<DemoHost> hosts;
        private final Moment from;
        private final int[] told;

        Story(List<DemoHost> hosts, Moment from) throws RemusException {
            this.hosts = hosts;
            this.from = from;
            told = new int[hosts.size()];
            for (int host = 0; host < told.length; host++) {
                told[host] = hosts.get(host).events().size();
            }
        }

        long sinceMillis() {
            return (System.nanoTime() - from.nanos()) / 1_000_000;
        }

        void say(long millis, String host, String text) {
            display.told(millis, host, text);
        }

        private static String words(Event event) {
            String reason = String.valueOf(event.reason());
            if (event.event() == EventType.ARBITER) {
                return "the arbiter " + reason;
            }
            boolean isWithTerm = event.event() == EventType.DEGRADED || event.event() == EventType.ACTIVATED;
            return isWithTerm ? "%s (term %d)".formatted(reason, event.term()) : reason;
        }

        void tell() throws RemusException {
            List<Line> lines = new ArrayList<>();
            for (int host = 0; host < told.length; host++) {
                DemoHost teller = hosts.get(host);
                List<Event> events = teller.events();
                events.stream()
                        .skip(told[host])
                        .filter(event -> TOLD.contains(event.event()))
                        .forEach(event -> lines.add(new Line(teller, event)));
                told[host] = events.size();
            }
            Instant began = Instant.ofEpochMilli(from.wallMillis());
            lines.stream()
                    .sorted(Comparator.comparing(line -> line.event().time()))
                    .forEach(line -> say(
                            Math.max(
                                    0,
                                    Duration.between(began, line.event().time()).toMillis()),
                            line.host().name(),
                            words(line.event())));
        }
    }
}
