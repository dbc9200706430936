package remus.availability;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import remus.availability.OwnershipAction.Question;
import remus.availability.OwnershipRecord.Phase;
import remus.base.Term;

/**
 * Two hosts, an arbiter and what lies between them, driving the real {@link PrimaryOwnership} and {@link BackupOwnership}.
 * Everything that can take time takes any time: requests and replies of the arbiter, messages in socket buffers (also those
 * of an old connection), loading, timers. Connections lose what is sent after they broke, in one direction or both. Each
 * {@link ModelMove} is one atomic step; {@link ModelChecks} hold after each.
 *
 * <p>Guests are reduced to what output commit is about: the set of frames that a guest's state knows to have sent, a bit
 * each. A checkpoint carries that set; a released frame is one that the world has seen.
 */
final class ModelWorld {
    static final List<HostId> NAMES = List.of(new HostId("alpha"), new HostId("beta"));

    private static final int MAX_TERMS = 42;

    /** A question to the arbiter: on its way, answered, or given up and yet on its way. */
    record Asked(int host, long ask, Question question, Arbiter.@Nullable Outcome reply, boolean givenUp) {}

    final ModelBounds bounds;
    final ModelRules rules;
    final ModelHost[] hosts;

    @Nullable
    OwnershipRecord record;

    List<Asked> asks = new ArrayList<>();
    /** By receiver. */
    final List<List<ModelMessage>> wires;

    final boolean[] cut = new boolean[2];
    int connections;
    int copies;
    int faults;
    int sessions;
    int frames;
    int released;
    /** What the checks remember: terms that the arbiter granted to sessions, and what was whole in each. */
    int protectedTerms;

    final byte[] wholeByTerm;
    private final ModelShell shell = new ModelShell(this);

    private ModelWorld(ModelBounds bounds, ModelRules rules) {
        this.bounds = bounds;
        this.rules = rules;
        hosts = new ModelHost[] {new ModelHost(), new ModelHost()};
        wires = List.of(new ArrayList<>(), new ArrayList<>());
        wholeByTerm = new byte[MAX_TERMS];
    }

    private ModelWorld(ModelWorld other) {
        bounds = other.bounds;
        rules = other.rules;
        hosts = new ModelHost[] {other.hosts[0].copy(), other.hosts[1].copy()};
        record = other.record;
        asks = new ArrayList<>(other.asks);
        wires = List.of(new ArrayList<>(other.wires.get(0)), new ArrayList<>(other.wires.get(1)));
        cut[0] = other.cut[0];
        cut[1] = other.cut[1];
        connections = other.connections;
        copies = other.copies;
        faults = other.faults;
        sessions = other.sessions;
        frames = other.frames;
        released = other.released;
        protectedTerms = other.protectedTerms;
        wholeByTerm = other.wholeByTerm.clone();
    }

    ModelWorld copy() {
        return new ModelWorld(this);
    }

    /** The first host runs the VM alone, in term 1. */
    static ModelWorld alone(ModelBounds bounds, ModelRules rules) {
        ModelWorld world = new ModelWorld(bounds, rules);
        ModelHost host = world.hosts[0];
        Step<PrimaryState> started = PrimaryOwnership.start(world.requests(0), false);
        host.primary = started.state();
        host.requests = started.state().requests();
        world.shell.act(0, started.actions());
        world.settleAsks();
        return world;
    }

    /** The first host runs the VM, the second one has the first checkpoint and is in the record. */
    static ModelWorld guarded(ModelBounds bounds, ModelRules rules) {
        ModelWorld world = alone(bounds, rules);
        world.apply(new ModelMove.Protect(0));
        world.settleAsks();
        world.deliverAll();
        world.apply(new ModelMove.Seal(0));
        world.deliverAll();
        world.settleAsks();
        return world;
    }

    private void settleAsks() {
        while (!asks.isEmpty()) {
            apply(new ModelMove.Arbitrate(0));
            apply(new ModelMove.Reply(0));
        }
    }

    private void deliverAll() {
        for (int to = 0; to < 2; to++) {
            while (!wires.get(to).isEmpty()) {
                apply(new ModelMove.Deliver(to, 0));
                to = 0;
            }
        }
    }

    /** What a new state machine of that host begins with. */
    Requests requests(int host) {
        Requests latest = hosts[host].requests;
        return latest == null ? Requests.first(NAMES.get(host), "i" + hosts[host].incarnation) : latest;
    }

    // ---- steps

    void apply(ModelMove move) {
        switch (move) {
            case ModelMove.Arbitrate(int index) -> arbitrate(index);
            case ModelMove.Reply(int index) -> {
                Asked asked = asks.remove(index);
                answered(asked.host(), asked.ask(), Objects.requireNonNull(asked.reply()));
            }
            case ModelMove.LoseReply(int index) -> loseReply(index);
            case ModelMove.Deliver(int to, int index) ->
                shell.deliver(to, wires.get(to).remove(index));
            case ModelMove.Run(int host) -> shell.run(hosts[host]);
            case ModelMove.Seal(int host) -> shell.seal(host);
            case ModelMove.Protect(int host) -> {
                sessions++;
                shell.primary(host, new PrimaryEvent.ProtectRequested(NAMES.get(1 - host)));
            }
            case ModelMove.Unprotect(int host) -> {
                faults++;
                shell.primary(host, new PrimaryEvent.UnprotectRequested("operator"));
            }
            case ModelMove.Reconnect(int host) -> shell.reconnect(host, hosts[host].primarySession());
            case ModelMove.Retry(int host) -> shell.retry(host);
            case ModelMove.ActivationOverdue(int host) -> {
                Term term = new Term(hosts[host].awaitedTerm);
                hosts[host].awaitedTerm = 0;
                shell.primary(host, new PrimaryEvent.ActivationOverdue(term));
            }
            case ModelMove.Loaded(int host) -> shell.loaded(host);
            case ModelMove.LoadFails(int host) -> {
                faults++;
                hosts[host].loading = false;
                shell.backup(host, new BackupEvent.LoadFailed("fault"));
            }
            case ModelMove.SuspectBackup(int host) -> {
                faults += ModelMoves.hasReasonToSuspectBackup(this, host) ? 0 : 1;
                shell.primary(host, new PrimaryEvent.BackupLost(new Term(hosts[host].primarySession()), "suspected"));
            }
            case ModelMove.SuspectPrimary(int host) -> {
                faults += ModelMoves.hasReasonToSuspectPrimary(this, host) ? 0 : 1;
                shell.backup(host, new BackupEvent.PrimaryLost("suspected", false));
            }
            case ModelMove.Fence(int host) -> {
                faults++;
                shell.primary(host, new PrimaryEvent.YieldRequested(new Term(hosts[host].primarySession()), "fenced"));
            }
            case ModelMove.GuestDies(int host) -> shell.guestDies(host);
            case ModelMove.Crash(int host) -> {
                faults++;
                forgetAsks(host);
                hosts[host].loseAll();
                hosts[host].up = false;
                hosts[host].paused = false;
                shell.resetConnections(host);
            }
            case ModelMove.Boot(int host) -> {
                hosts[host].up = true;
                hosts[host].incarnation++;
            }
            case ModelMove.RestartDaemon(int host) -> shell.restartDaemon(host);
            case ModelMove.Pause(int host) -> {
                faults++;
                hosts[host].paused = true;
            }
            case ModelMove.Wake(int host) -> shell.wake(host);
            case ModelMove.Cut(int from) -> {
                faults++;
                cut[from] = true;
                hosts[from].outBroken = true;
                hosts[1 - from].inBroken = true;
            }
            case ModelMove.Heal(int from) -> cut[from] = false;
        }
        tidy();
    }

    /** Drops what can't have any effect any more, so that equal futures look equal. */
    private void tidy() {
        asks.removeIf(asked -> {
            if (!asked.givenUp()) {
                return false;
            }
            return !(asked.question() instanceof Question.Set(OwnershipRecord expected, OwnershipRecord _))
                    || !isStill(expected);
        });
        for (int to = 0; to < 2; to++) {
            int oldest = Math.max(hosts[0].connection, hosts[1].connection) - 1;
            wires.get(to).removeIf(message -> message.connection() < oldest);
        }
    }

    /** Whether a set with that expectation could succeed, now or later. */
    private boolean isStill(@Nullable OwnershipRecord expected) {
        OwnershipRecord current = record;
        return current == null || (expected != null && !current.term().isAfter(expected.term()));
    }

    // ---- the arbiter

    private void arbitrate(int index) {
        Asked asked = asks.get(index);
        Arbiter.Outcome outcome = switch (asked.question()) {
            case Question.Read() -> {
                OwnershipRecord current = record;
                yield current == null ? new Arbiter.ReadOutcome.Absent() : new Arbiter.ReadOutcome.Found(current);
            }
            case Question.Set(OwnershipRecord expected, OwnershipRecord next) -> {
                if (!Objects.equals(expected, record)) {
                    yield new Arbiter.SetOutcome.Refused(record);
                }
                Term due = expected == null ? Term.NONE.next() : expected.term().next();
                ModelChecks.require(
                        next.term().equals(due), "a set skips terms or repeats one: %s after %s", next, expected);
                record = next;
                if (next.phase() == Phase.PROTECTED) {
                    protectedTerms |= 1 << next.term().value();
                }
                yield new Arbiter.SetOutcome.Done();
            }
        };
        if (asked.givenUp()) {
            asks.remove(index);
        } else {
            asks.set(index, new Asked(asked.host(), asked.ask(), asked.question(), outcome, false));
        }
    }

    private void loseReply(int index) {
        faults++;
        Asked asked = asks.get(index);
        boolean isSet = asked.question() instanceof Question.Set;
        if (isSet && asked.reply() == null) {
            asks.set(index, new Asked(asked.host(), asked.ask(), asked.question(), null, true));
        } else {
            asks.remove(index);
        }
        answered(
                asked.host(),
                asked.ask(),
                isSet ? new Arbiter.SetOutcome.Unknown("lost") : new Arbiter.ReadOutcome.Unavailable("lost"));
    }

    private void answered(int host, long ask, Arbiter.Outcome outcome) {
        // One of the two knows the question: a host never has both an image and the guest's ownership in doubt.
        if (hosts[host].hasBackup()) {
            shell.backup(host, new BackupEvent.Answered(ask, outcome));
        } else {
            shell.primary(host, new PrimaryEvent.Answered(ask, outcome));
        }
    }

    /** The daemon is gone: its reads mean nothing, its sets may land. */
    void forgetAsks(int host) {
        asks.replaceAll(asked -> asked.host() == host && asked.reply() == null
                ? new Asked(host, asked.ask(), asked.question(), null, true)
                : asked);
        asks.removeIf(asked -> asked.host() == host && asked.reply() != null);
    }
}
