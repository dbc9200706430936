package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import remus.api.Event;
import remus.api.EventType;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.api.WhenAlone;
import remus.base.RemusException;
import remus.cli.DemoTopology.Place;

/**
 * Cuts between a VM's primary, its backup and the arbiter, one after the other, while one client writes over one
 * connection and reaches both hosts all the time. After each round the VM is protected again, in whichever direction.
 *
 * <p>What is asserted of one owner. A host that keeps the VM is followed by nobody: the bridge's capture has not a single
 * frame of the other one. Of a host that has lost it, the capture has nothing after the next owner's first frame while the
 * cut lasts. When it is healed before the former owner has given its connection up, acknowledgements may come late that the
 * backup had sent before it asked for the VM, and let frames leave that the activated state contains. Frames carry no epoch,
 * so of these it is asserted that the former owner's last commit is not after the epoch from which the next owner runs, and
 * that it has not gone on alone.
 */
final class PartitionRounds implements AutoCloseable {
    /** From the end of a cut until the VM runs on one host and the client is answered. */
    static final Duration RECOVERY_LIMIT = Duration.ofSeconds(30);

    /** From a cut until whoever can be granted the VM has it, where the arbiter can decide. */
    private static final Duration DECISION_LIMIT = Duration.ofSeconds(30);

    private static final String DETECT = "1s";
    private static final Duration UNDISTURBED = Duration.ofSeconds(3);

    /** What tells of decisions, and of what leads to them. */
    private static final Set<EventType> DECISIONS =
            EnumSet.of(EventType.OWNERSHIP, EventType.PRIMARY_LOST, EventType.BACKUP_LOST, EventType.ACTIVATING);

    private static final Duration QUIET = Duration.ofSeconds(2);
    private static final int ANSWERS = 20;
    private static final long POLL_MILLIS = 20;
    private static final Pattern COMMITTED = Pattern.compile("committed here up to epoch (\\d+)");

    private enum Side {
        PRIMARY,
        BACKUP,
        ARBITER
    }

    private record Way(Side from, Side to) {}

    /** What has to come of a cut while it lasts. */
    enum Outcome {
        /** Nobody needs what is cut. */
        UNDISTURBED,
        /** One of the two gets the VM. */
        ONE_HAS_IT,
        BACKUP_HAS_IT,
        PRIMARY_HAS_IT,
        /** Nobody can be asked: nothing leaves, until it is over. */
        HELD
    }

    /** Cuts, in one direction ({@code TO}) or both ({@code AND}). */
    enum Cut {
        PRIMARY_TO_BACKUP(Outcome.ONE_HAS_IT, way(Side.PRIMARY, Side.BACKUP)),
        BACKUP_TO_PRIMARY(Outcome.ONE_HAS_IT, way(Side.BACKUP, Side.PRIMARY)),
        PRIMARY_AND_BACKUP(Outcome.ONE_HAS_IT, both(Side.PRIMARY, Side.BACKUP)),
        PRIMARY_TO_ARBITER(Outcome.UNDISTURBED, way(Side.PRIMARY, Side.ARBITER)),
        ARBITER_TO_PRIMARY(Outcome.UNDISTURBED, way(Side.ARBITER, Side.PRIMARY)),
        PRIMARY_AND_ARBITER(Outcome.UNDISTURBED, both(Side.PRIMARY, Side.ARBITER)),
        BACKUP_TO_ARBITER(Outcome.UNDISTURBED, way(Side.BACKUP, Side.ARBITER)),
        ARBITER_TO_BACKUP(Outcome.UNDISTURBED, way(Side.ARBITER, Side.BACKUP)),
        BACKUP_AND_ARBITER(Outcome.UNDISTURBED, both(Side.BACKUP, Side.ARBITER)),
        PRIMARY_TO_ALL(Outcome.BACKUP_HAS_IT, all(way(Side.PRIMARY, Side.BACKUP), way(Side.PRIMARY, Side.ARBITER))),
        ALL_TO_PRIMARY(Outcome.BACKUP_HAS_IT, all(way(Side.BACKUP, Side.PRIMARY), way(Side.ARBITER, Side.PRIMARY))),
        PRIMARY_AND_ALL(Outcome.BACKUP_HAS_IT, all(both(Side.PRIMARY, Side.BACKUP), both(Side.PRIMARY, Side.ARBITER))),
        BACKUP_AND_ALL(Outcome.PRIMARY_HAS_IT, all(both(Side.BACKUP, Side.PRIMARY), both(Side.BACKUP, Side.ARBITER))),
        ALL_AND_ALL(
                Outcome.HELD,
                all(
                        both(Side.PRIMARY, Side.BACKUP),
                        all(both(Side.PRIMARY, Side.ARBITER), both(Side.BACKUP, Side.ARBITER))));

        private final Outcome outcome;

        @SuppressWarnings("ImmutableEnumChecker") // made by List.of and toList only
        private final List<Way> ways;

        Cut(Outcome outcome, List<Way> ways) {
            this.outcome = outcome;
            this.ways = ways;
        }

        private static List<Way> all(List<Way> some, List<Way> more) {
            return Stream.concat(some.stream(), more.stream()).toList();
        }

        private static List<Way> way(Side from, Side to) {
            return List.of(new Way(from, to));
        }

        private static List<Way> both(Side one, Side other) {
            return List.of(new Way(one, other), new Way(other, one));
        }
    }

    private final TwoHosts hosts;
    private final DemoSwitch bridge;
    private final RedisClientLoad load;
    private final WhenAlone whenAlone;
    private DemoHost primary;
    private DemoHost backup;
    private boolean falseAlarm;

    /** The VM runs on alpha, unprotected. With an arbiter it need not be told that it may go on alone. */
    PartitionRounds(TwoHosts hosts) throws Exception {
        this(hosts, WhenAlone.HOLD);
    }

    /** @param whenAlone what a primary does without its backup, where there is no arbiter */
    PartitionRounds(TwoHosts hosts, WhenAlone whenAlone) throws Exception {
        this.hosts = hosts;
        this.whenAlone = whenAlone;
        primary = hosts.alpha;
        backup = hosts.beta;
        bridge = new DemoSwitch(hosts.topology);
        load = hosts.load();
    }

    /**
     * What came of a round.
     *
     * @param falseAlarm nobody needed what was cut, and a host was taken for dead all the same, for it did not run
     */
    record Result(Cut cut, String owner, boolean falseAlarm, long recoveryMillis, DemoSwitch.Frames frames) {}

    Result round(Cut cut) throws Exception {
        protect();
        hosts.awaitAnswers(load, ANSWERS);
        bridge.capture(primary.place(), backup.place());
        falseAlarm = false;
        for (Way way : cut.ways) {
            bridge.cut(place(way.from()), place(way.to()));
        }
        await(cut);
        DemoSwitch.Frames during = bridge.frames();
        assertEquals(0, during.late(), () -> cut + ": two owners at the bridge: " + during + story());
        long healed = System.nanoTime();
        bridge.heal();
        DemoHost owner = settle();
        hosts.awaitAnswers(load, ANSWERS);
        Duration recovery = Duration.ofNanos(System.nanoTime() - healed);
        assertTrue(recovery.compareTo(RECOVERY_LIMIT) < 0, () -> cut + ": only " + recovery + " after its end");
        DemoSwitch.Frames frames = bridge.frames();
        expectOneOwner(owner, frames);
        assertNull(load.figures().problem());
        Result result =
                new Result(cut, owner.equals(primary) ? "stays" : "moves", falseAlarm, recovery.toMillis(), frames);
        if (!owner.equals(primary)) {
            backup = primary;
            primary = owner;
        }
        return result;
    }

    /** See the header. */
    void expectOneOwner(DemoHost owner, DemoSwitch.Frames frames) throws RemusException {
        if (owner.equals(primary)) {
            assertEquals(0, frames.ofNext(), () -> "frames of a backup: " + frames + story());
            return;
        }
        List<VmStatus> former = primary.status().vms();
        if (former.isEmpty()) {
            assertEquals(0, frames.late(), () -> "frames of a host that has not the VM: " + frames + story());
            return;
        }
        Event activated = owner.events().reversed().stream()
                .filter(event -> event.event() == EventType.ACTIVATED)
                .findFirst()
                .orElseThrow();
        long committed = committedThere(former.getFirst());
        assertTrue(
                committed <= activated.epoch(),
                () -> "output that the activated state does not contain: " + frames + story());
        assertTrue(
                primary.events().stream()
                        .noneMatch(event -> event.event() == EventType.DEGRADED
                                && event.time().isAfter(activated.time())),
                () -> "went on alone after another had the VM: " + frames + story());
        if (frames.late() > 0) {
            System.err.printf(
                    "%d late frames, of commits up to %d; the VM runs from %d%n",
                    frames.late(), committed, activated.epoch());
        }
    }

    /** The last commit of the former owner, which may be the backup of the next one by now. */
    private long committedThere(VmStatus former) throws RemusException {
        if (former.role() == VmRole.PRIMARY) {
            return former.committedEpoch();
        }
        return primary.events().reversed().stream()
                .filter(event -> event.event() == EventType.FENCED)
                .map(event -> COMMITTED.matcher(String.valueOf(event.reason())))
                .filter(Matcher::find)
                .mapToLong(found -> Long.parseLong(found.group(1)))
                .findFirst()
                .orElse(0);
    }

    private Place place(Side side) {
        return switch (side) {
            case PRIMARY -> primary.place();
            case BACKUP -> backup.place();
            case ARBITER -> Place.ARBITER;
        };
    }

    /** The VM runs on one host and is backed up by the other. */
    void protect() throws Exception {
        if (primary.status(DemoGuest.NAME).state() != VmState.PROTECTED) {
            hosts.protect(primary, backup, DETECT, whenAlone);
        }
        hosts.await(backup, VmState.STANDBY);
    }

    private void await(Cut cut) throws Exception {
        switch (cut.outcome) {
            case UNDISTURBED -> expectUndisturbed(cut);
            case ONE_HAS_IT -> awaitOwner(cut, List.of(primary, backup));
            case BACKUP_HAS_IT -> awaitOwner(cut, List.of(backup));
            case PRIMARY_HAS_IT -> awaitOwner(cut, List.of(primary));
            case HELD -> expectHeld(cut);
        }
    }

    private void expectUndisturbed(Cut cut) throws Exception {
        List<String> before = decisions();
        long end = System.nanoTime() + UNDISTURBED.toNanos();
        while (System.nanoTime() < end) {
            hosts.awaitAnswers(load, 1);
            TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
        }
        List<String> since = new ArrayList<>(decisions());
        before.forEach(since::remove);
        falseAlarm = !since.isEmpty();
        if (falseAlarm) {
            assertTrue(since.stream().anyMatch(PartitionRounds::isOfStarvation), () -> cut + ": " + since + story());
            return;
        }
        assertTrue(VmOwner.isSettled(primary, backup), () -> cut + story());
        assertEquals(VmState.PROTECTED, primary.status(DemoGuest.NAME).state(), () -> cut + story());
    }

    private List<String> decisions() throws RemusException {
        List<String> decisions = new ArrayList<>();
        for (DemoHost host : List.of(primary, backup)) {
            host.events().stream()
                    .filter(event -> DECISIONS.contains(event.event()))
                    .forEach(event -> decisions.add(host.name() + ": " + event));
        }
        return decisions;
    }

    /** A machine that is so busy that a host did not run for a detection time is taken for a dead one, rightly so. */
    private static boolean isOfStarvation(String decision) {
        return decision.contains("no sign of the primary")
                || decision.contains("was not running for longer than the detection time");
    }

    /** One of these has the VM for itself, and its client is answered while the cut lasts. */
    private void awaitOwner(Cut cut, List<DemoHost> candidates) throws Exception {
        long deadline = System.nanoTime() + DECISION_LIMIT.toNanos();
        while (true) {
            for (DemoHost host : candidates) {
                if (VmOwner.isAlone(host)) {
                    hosts.awaitAnswers(load, ANSWERS);
                    return;
                }
            }
            assertTrue(System.nanoTime() < deadline, () -> cut + ": nobody has the VM" + story());
            TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
        }
    }

    /** Nothing of the VM leaves any host. */
    private void expectHeld(Cut cut) throws Exception {
        hosts.await(primary, VmState.DEGRADED);
        DemoSwitch.Frames before = bridge.frames();
        long acknowledged = load.figures().acknowledged();
        TimeUnit.NANOSECONDS.sleep(QUIET.toNanos()); // what would come, would come in here
        assertEquals(before, bridge.frames(), () -> cut + ": frames while nobody owns the VM" + story());
        assertTrue(load.figures().acknowledged() - acknowledged <= 1, () -> cut + ": answers" + story());
        assertTrue(!VmOwner.isAlone(primary) && !VmOwner.isAlone(backup), () -> cut + ": an owner" + story());
    }

    /** Waits until the VM runs on exactly one host and the other one knows it; which one that is. */
    DemoHost settle() throws Exception {
        long deadline = System.nanoTime() + RECOVERY_LIMIT.toNanos();
        while (true) {
            if (VmOwner.isSettled(primary, backup)) {
                return primary;
            }
            if (VmOwner.isSettled(backup, primary)) {
                return backup;
            }
            assertTrue(System.nanoTime() < deadline, () -> "not settled:" + story());
            TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
        }
    }

    DemoHost primary() {
        return primary;
    }

    DemoHost backup() {
        return backup;
    }

    RedisClientLoad load() {
        return load;
    }

    DemoSwitch bridge() {
        return bridge;
    }

    /** The client reads everything back: nothing that it was told is lost, over one connection. */
    ClientLoad.Figures finish() throws InterruptedException {
        ClientLoad.Figures figures = load.finish();
        assertNull(figures.problem());
        assertEquals(0, figures.lost(), "acknowledged writes lost");
        assertEquals(0, figures.resets(), "connections reset");
        return figures;
    }

    /** What both hosts say, for whoever has to find out. */
    String story() {
        StringBuilder text = new StringBuilder();
        for (DemoHost host : List.of(primary, backup)) {
            text.append("\n-- ").append(host.name()).append(": ");
            try {
                text.append(host.status());
                List<Event> events = host.events();
                events.stream()
                        .skip(Math.max(0, events.size() - 25))
                        .forEach(event -> text.append("\n   ").append(EventText.line(event)));
            } catch (RemusException e) {
                text.append(e.getMessage());
            }
        }
        return text.append('\n').append(load.figures()).toString();
    }

    @Override
    public void close() {
        load.close();
    }
}
