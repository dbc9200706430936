package remus.simulation;

import static remus.simulation.Scheduler.MILLISECOND;
import static remus.simulation.Scheduler.SECOND;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import remus.availability.HostId;
import remus.availability.OwnershipRecord;
import remus.availability.OwnershipRecord.Phase;
import remus.base.Term;
import remus.simulation.Network.Node;

/**
 * Two hosts, an arbiter and a client, and what happens to them in one run: the VM starts and is protected, faults come for
 * some seconds, then all is well again and the VM has to be there. The rules are checked where something happens that
 * could break them, so after every step; {@link Rule#LIVE} at the end.
 */
final class World {
    static final String VM = "shop";

    /** Time for all to be well again. */
    private static final long RECOVERY_NANOS = 10 * SECOND;

    private static final long STEP_LIMIT = 2_000_000;
    private static final int ANSWERS = 5;

    private final Scheduler scheduler;
    private final Network network;
    private final History history = new History();
    private final Seal.Book seals = new Seal.Book();
    private final SimArbiter arbiter;
    private final Sabotage sabotage;
    private final Timing timing;
    private final Machine alpha;
    private final Machine beta;
    private final Client client;
    private final Map<Long, String> sessions = new HashMap<>();
    private final Figures figures = new Figures();
    private @Nullable Mischief mischief;

    /** What came of a run. */
    static final class Figures {
        long steps;
        long answered;
        int terms;
        int sessions;
        int takeovers;
        boolean lostAll;
    }

    World(long seed, Sabotage sabotage) {
        this.sabotage = sabotage;
        scheduler = new Scheduler(seed);
        network = new Network(scheduler);
        timing = Timing.drawn(scheduler);
        arbiter = new SimArbiter(scheduler, network);
        alpha = new Machine(this, Node.ALPHA, new HostId("alpha"));
        beta = new Machine(this, Node.BETA, new HostId("beta"));
        client = new Client(scheduler, network, history, List.of(alpha, beta));
    }

    Scheduler scheduler() {
        return scheduler;
    }

    Network network() {
        return network;
    }

    History history() {
        return history;
    }

    Seal.Book seals() {
        return seals;
    }

    SimArbiter arbiter() {
        return arbiter;
    }

    Sabotage sabotage() {
        return sabotage;
    }

    Timing timing() {
        return timing;
    }

    Client client() {
        return client;
    }

    List<Machine> machines() {
        return List.of(alpha, beta);
    }

    Machine peerOf(Machine machine) {
        return machine == alpha ? beta : alpha;
    }

    private Machine machine(@Nullable HostId name) {
        return alpha.name().equals(name) ? alpha : beta;
    }

    // ---- what hosts ask of it

    Guest newGuest(byte[][] images) {
        for (byte[] image : images) {
            Arrays.fill(image, (byte) 0); // a fresh installation
        }
        return newGuest(new byte[Guest.PAGES * Guest.PAGE_BYTES], images);
    }

    Guest newGuest(byte[] memory, byte[][] images) {
        return new Guest(scheduler, history, memory, images);
    }

    boolean canConnect(Machine from, Machine to) {
        Daemon daemon = to.daemon();
        return isLinkWhole(from, to) && to.isUp() && daemon != null && daemon.isAlive();
    }

    private boolean isLinkWhole(Machine from, Machine to) {
        return !network.isCut(from.node(), to.node()) && !network.isCut(to.node(), from.node());
    }

    /** Whether the other host's kernel answers that nobody listens. */
    boolean refusesConnections(Machine from) {
        Machine to = peerOf(from);
        Daemon daemon = to.daemon();
        return isLinkWhole(from, to) && to.isUp() && (daemon == null || !daemon.isAlive());
    }

    @Nullable
    Connection connect(Daemon from, Machine to) {
        Daemon daemon = to.daemon();
        return daemon != null && canConnect(from.machine(), to)
                ? new Connection(scheduler, network, from, daemon)
                : null;
    }

    void noteSession(Term term, Daemon by) {
        figures.sessions++;
        String before = sessions.put(term.value(), by + " #" + figures.sessions);
        scheduler.note(by.toString(), "begins session %s", term);
        moment();
        Violation.unless(before == null, Rule.TERM, "%s begins a session %s, which %s had", by, term, before);
    }

    /** Something is in the balance: the best time for something else to go wrong. */
    void moment() {
        if (mischief != null) {
            mischief.ambush();
        }
    }

    /** The state that now goes on alone has to know of all that has left. */
    void checkTakesOver(Daemon daemon, Guest guest) {
        Violation.unless(
                history.contains(guest.lastFrame(), history.lastLeft()),
                Rule.R8,
                "%s goes on alone, and does not contain frame %d, which has left",
                daemon,
                history.lastLeft());
        Violation.unless(
                guest.counter() >= client.answered(),
                Rule.SEEN,
                "%s goes on with %d requests carried out, the client has %d answers",
                daemon,
                guest.counter(),
                client.answered());
        Violation.unless(guest.diskIsAsRecorded(), Rule.SEEN, "%s goes on with a disk of another time", daemon);
    }

    // ---- a run

    /** Runs it all; a {@link Violation} says what went wrong. */
    Figures run() {
        try {
            alpha.withDaemon(daemon -> daemon.start(false));
            runFor(scheduler.chance(0.5) ? 0 : scheduler.span(100 * MILLISECOND, 500 * MILLISECOND));
            Mischief faults = new Mischief(this);
            mischief = faults;
            runFor(faults.plan());
            mischief = null;
            faults.end();
            runFor(800 * MILLISECOND);
            arbiter.landLate();
            recover();
        } catch (Violation e) {
            throw e;
        } catch (RuntimeException | Error e) {
            throw new Violation(Rule.CODE, String.valueOf(e), e);
        } finally {
            machines().forEach(machine -> machine.withDaemon(daemon -> daemon.die(true)));
        }
        figures.steps = scheduler.steps();
        figures.answered = client.answered();
        OwnershipRecord record = arbiter.record();
        figures.terms = record == null ? 0 : (int) record.term().value();
        figures.takeovers = arbiter.takeovers();
        return figures;
    }

    private void runFor(long nanos) {
        long until = scheduler.nanos() + nanos;
        while (scheduler.step(until)) {
            Violation.unless(scheduler.steps() < STEP_LIMIT, Rule.LIVE, "it goes in circles");
        }
    }

    private void recover() {
        boolean duty = hasDuty();
        if (isServedWithin(RECOVERY_NANOS)) {
            return;
        }
        OwnershipRecord record = arbiter.record();
        Violation.unless(!duty && !hasDuty(), Rule.LIVE, "%s, and nobody serves", record);
        figures.lostAll = true;
        // Nothing is left of the VM: an operator starts it again, where the record says that it was. Unless it was
        // alone
        // there that takes force, for the host can't know what has become of the other one.
        Machine owner = record == null ? alpha : machine(record.owner());
        scheduler.note("operator", "both copies are gone; starts the VM on %s", owner.name());
        history.beginAnew();
        client.beginAnew();
        owner.withDaemon(daemon -> daemon.start(false));
        if (record != null && record.phase() != Phase.ALONE) {
            runFor(SECOND);
            Violation.unless(
                    owner.qemu() == null, Rule.LIVE, "the VM starts without force although the record is: %s", record);
            owner.withDaemon(daemon -> daemon.start(true));
        }
        Violation.unless(isServedWithin(RECOVERY_NANOS), Rule.LIVE, "%s, and the VM can't be started again", record);
    }

    /** The clients are answered again, and the VM is protected again. */
    private boolean isServedWithin(long nanos) {
        long until = scheduler.nanos() + nanos;
        long answered = client.answered() + ANSWERS;
        while (scheduler.nanos() < until) {
            runFor(20 * MILLISECOND);
            OwnershipRecord record = arbiter.record();
            if (client.answered() >= answered && record != null && record.phase() == Phase.PROTECTED) {
                return true;
            }
        }
        return false;
    }

    /** Whether a copy is left, one that no fault has destroyed, that the record lets go on. */
    private boolean hasDuty() {
        OwnershipRecord record = arbiter.record();
        if (record == null) {
            return false;
        }
        Machine owner = machine(record.owner());
        long term = record.term().value();
        return switch (record.phase()) {
            case ALONE -> owner.hasIntactGuest();
            case PROTECTED -> owner.hasIntactGuest() || machine(record.backup()).hasIntactImage(term);
            case ACTIVATING ->
                machine(record.formerOwner()).hasIntactGuest()
                        || owner.hasIntactGuest()
                        || owner.hasIntactImage(term - 1);
        };
    }
}
