package remus.simulation;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.availability.Arbiter;
import remus.availability.BackupOwnership;
import remus.availability.HostId;
import remus.availability.PrimaryEvent;
import remus.availability.PrimaryOwnership;
import remus.availability.PrimaryState;
import remus.availability.Requests;
import remus.availability.Step;
import remus.base.Term;
import remus.simulation.Connection.End;
import remus.wire.FrameHeader;
import remus.wire.FrameType;
import remus.wire.Hello;
import remus.wire.Refusal;
import remus.wire.WireException;

/**
 * One run of a host's daemon with one VM: the primary's side, the backup's side, or neither, on one agent that takes turns
 * as the real one does: first whether it has slept, then what has arrived, then what is due. While it is stopped, what
 * arrives waits.
 */
final class Daemon {
    /** Most of the clients' frames that wait while nobody reads them. */
    private static final int TAP_FRAMES = 16;

    private static final long MAX_WAIT_NANOS = 40 * Scheduler.MILLISECOND;

    private final Machine machine;
    private final World world;
    private final String incarnation;
    private final Arbiter arbiter;
    private final Deque<Runnable> tasks = new ArrayDeque<>();
    private final List<End> ends = new ArrayList<>();
    private int tapFrames;
    private boolean alive = true;
    private boolean lostWithMachine;
    private boolean inTurn;
    private long nextTurnNanos = Long.MAX_VALUE;
    private Requests requests;
    private @Nullable PrimarySide primary;
    private @Nullable BackupSide backup;

    Daemon(Machine machine, String incarnation) {
        this.machine = machine;
        this.incarnation = incarnation;
        world = machine.world();
        arbiter = world.sabotage().arbiter(this, world.arbiter().seenFrom(this));
        requests = Requests.first(machine.name(), incarnation);
        wake();
    }

    @Override
    public String toString() {
        return machine.name() + "." + incarnation;
    }

    Machine machine() {
        return machine;
    }

    World world() {
        return world;
    }

    HostId name() {
        return machine.name();
    }

    Arbiter arbiter() {
        return arbiter;
    }

    boolean isAlive() {
        return alive;
    }

    /** Whether its threads get on. */
    boolean isRunning() {
        return alive && !machine.isPaused();
    }

    boolean isLostWithMachine() {
        return lostWithMachine;
    }

    @Nullable
    PrimarySide primary() {
        return primary;
    }

    @Nullable
    BackupSide backup() {
        return backup;
    }

    Daemon owns(End end) {
        ends.add(end);
        ends.removeIf(other -> !other.isOpen() && other.isEnded());
        return this;
    }

    void note(String format, @Nullable Object... values) {
        world.scheduler().note(toString(), format, values);
    }

    void die(boolean withMachine) {
        alive = false;
        lostWithMachine = withMachine;
        tasks.clear();
        if (!withMachine) {
            ends.forEach(End::close);
        }
        if (primary != null) {
            primary.abandon();
        }
        if (backup != null) {
            backup.abandon();
        }
    }

    void breakConnections() {
        List.copyOf(ends).forEach(End::breaks);
    }

    // ---- turns

    /** Runs {@code task} on the agent, soon. */
    void post(Runnable task) {
        if (alive) {
            tasks.add(task);
            wake();
        }
    }

    void wake() {
        turnWithin(world.scheduler().span(0, 200 * Scheduler.MICROSECOND));
    }

    private void turnWithin(long nanos) {
        long at = world.scheduler().nanos() + nanos;
        if (alive && !inTurn && at < nextTurnNanos) {
            nextTurnNanos = at;
            world.scheduler().after(nanos, () -> {
                if (alive && nextTurnNanos == at) {
                    nextTurnNanos = Long.MAX_VALUE;
                    turn();
                }
            });
        }
    }

    private void turn() {
        if (machine.isPaused()) {
            return; // woken later
        }
        inTurn = true;
        long wait = MAX_WAIT_NANOS;
        if (primary != null) {
            primary.beforeAnythingElse();
        }
        for (Runnable task = tasks.poll(); task != null && alive; task = tasks.poll()) {
            task.run();
        }
        if (primary != null && alive) {
            wait = Math.min(wait, primary.tick());
        }
        if (backup != null && alive) {
            wait = Math.min(wait, backup.tick());
        }
        inTurn = false;
        turnWithin(tasks.isEmpty() ? Math.max(wait, 20 * Scheduler.MICROSECOND) : 0);
    }

    // ---- roles

    /** Requests go on from where a side that has ended left them. */
    void remember(Requests last) {
        requests = last;
    }

    /** An operator starts the VM here. */
    void start(boolean force) {
        if (primary == null && backup == null) {
            PrimarySide side = new PrimarySide(this, world.newGuest(machine.images()));
            primary = side;
            side.begin(PrimaryOwnership.start(requests, force));
        }
    }

    /** A daemon that was started anew finds the VM. */
    void findsGuest(Guest guest) {
        PrimarySide side = new PrimarySide(this, guest);
        side.adopt();
        primary = side;
        post(() -> side.begin(PrimaryOwnership.restarted(requests)));
    }

    /** The VM that was activated here is this host's from now on. */
    void takesOver(PrimarySide side, PrimaryState state) {
        backup = null;
        primary = side;
        side.begin(new Step<>(state, List.of()));
    }

    /** The primary's side has ended. */
    void primaryEnded(PrimarySide side) {
        if (primary == side) {
            requests = side.ownership().state().requests();
            primary = null;
        }
    }

    void backupEnded(BackupSide side) {
        if (backup == side) {
            requests = side.ownership().state().requests();
            backup = null;
        }
    }

    void withPrimary(Consumer<? super PrimarySide> action) {
        if (primary != null) {
            action.accept(primary);
        }
    }

    void withBackup(Consumer<? super BackupSide> action) {
        if (backup != null) {
            action.accept(backup);
        }
    }

    // ---- what comes in

    void tapInput(byte[] frame) {
        if (tapFrames < TAP_FRAMES) {
            tapFrames++;
            post(() -> {
                tapFrames--;
                if (primary != null) {
                    primary.input(frame);
                }
            });
        }
    }

    /** Somebody has connected; its hello comes next. */
    void accepted(End end) {
        owns(end);
        end.readBy(this::greeted);
    }

    private void greeted(End end) {
        byte[] frame = end.read();
        if (frame == null) {
            if (end.isEnded()) {
                end.close();
            }
            return;
        }
        try {
            ByteBuffer bytes = ByteBuffer.wrap(frame);
            FrameHeader header = FrameHeader.decode(bytes, 0);
            Violation.unless(header.type() == FrameType.HELLO, Rule.WIRE, "no hello but %s", header);
            hello(end, header.term(), Hello.decode(Wire.payload(bytes, header)));
        } catch (WireException e) {
            throw new Violation(Rule.WIRE, "a hello is not understood: " + e.getMessage(), e);
        }
    }

    private void hello(End end, Term session, Hello hello) {
        HostId from = new HostId(hello.host());
        switch (hello.mode()) {
            case NEW -> {
                if (primary != null) {
                    primary.offered(end, session);
                } else if (backup != null) {
                    backup.offered(end, session, from);
                } else {
                    BackupSide side = new BackupSide(this, end);
                    backup = side;
                    side.begin(BackupOwnership.offered(requests, session, from));
                }
            }
            case RESUME -> {
                if (backup != null) {
                    backup.returned(end, session);
                } else if (primary != null) {
                    Wire.send(end, session, FrameType.ACTIVATED, "the VM runs here");
                    end.close();
                } else {
                    Wire.refuse(end, session, Refusal.Code.UNKNOWN_SESSION, "no such session");
                }
            }
        }
    }

    /** The other host says that it takes over. */
    void toldOfActivation(Term session) {
        post(() -> withPrimary(side -> side.on(new PrimaryEvent.YieldRequested(session, "the backup takes over"))));
    }
}
