package remus.simulation;

import static remus.simulation.Scheduler.MILLISECOND;

import java.util.List;
import remus.availability.BackupEvent;
import remus.simulation.Network.Node;

/** The faults of one run, drawn from its seed: each comes at its time and ends by itself. */
final class Mischief {
    private static final long LONGEST_NANOS = 1500 * MILLISECOND;

    private final World world;
    private final Scheduler scheduler;
    private int ambushes;

    Mischief(World world) {
        this.world = world;
        scheduler = world.scheduler();
    }

    /** Plans them and returns how long they last. */
    long plan() {
        int count = scheduler.between(1, 6);
        ambushes = scheduler.between(0, 3);
        long lasts = scheduler.span(300 * MILLISECOND, 2500 * MILLISECOND);
        if (scheduler.chance(0.3)) {
            world.network().setLoss(0.1);
        }
        if (scheduler.chance(0.4)) {
            world.arbiter().setTroubles(scheduler.chance(0.5) ? 0.2 : 0.5);
        }
        for (int i = 0; i < count; i++) {
            long at = scheduler.span(0, lasts);
            scheduler.after(at, this::strike);
            if (scheduler.chance(0.5)) {
                // Troubles seldom come alone.
                scheduler.after(at + scheduler.span(0, 250 * MILLISECOND), this::strike);
            }
        }
        return lasts + LONGEST_NANOS;
    }

    /** From now on all is well. */
    void end() {
        world.network().setLoss(0);
        world.arbiter().setTroubles(0);
        world.arbiter().setDown(false);
        for (Machine machine : world.machines()) {
            machine.setSlowDisk(false);
            machine.spoilLoads(0, 0);
            machine.withDaemon(daemon -> daemon.withPrimary(PrimarySide::mayBeProtected));
        }
        scheduler.note("world", "faults end");
    }

    /** Strikes at a moment that something hangs on. */
    void ambush() {
        if (ambushes > 0 && scheduler.chance(0.25)) {
            ambushes--;
            scheduler.after(scheduler.span(0, 25 * MILLISECOND), this::strike);
        }
    }

    private long lasting() {
        return scheduler.chance(0.5)
                ? scheduler.span(MILLISECOND, 150 * MILLISECOND)
                : scheduler.span(100 * MILLISECOND, LONGEST_NANOS);
    }

    private Machine oneMachine() {
        return scheduler.oneOf(world.machines());
    }

    private void strike() {
        Machine machine = oneMachine();
        switch (scheduler.between(0, 18)) {
            case 0, 1 -> machine.crash(lasting());
            case 2, 3 -> machine.killDaemon(lasting() / 3, scheduler.chance(0.3));
            case 4, 5 -> machine.pause(lasting(), scheduler.chance(0.4));
            case 6, 7, 8 -> cut(machine.node(), world.peerOf(machine).node());
            case 9 -> cut(machine.node(), scheduler.oneOf(List.of(Node.ARBITER, Node.ARBITER, Node.CLIENT)));
            case 10 -> isolate(machine);
            case 11 -> breakConnection(machine);
            case 12 -> arbiterOutage();
            case 13 -> machine.failGuest(scheduler.chance(0.4));
            case 14 -> slowDisk(machine);
            case 15 ->
                world.machines().forEach(each -> each.spoilLoads(scheduler.between(0, 2), scheduler.between(0, 1)));
            case 16, 17 -> operate(machine);
            default ->
                machine.withDaemon(daemon -> daemon.withBackup(side -> {
                    Image image = side.image();
                    if (image != null) {
                        image.failSoon(scheduler.between(0, 8));
                    }
                }));
        }
    }

    private void cut(Node one, Node other) {
        long nanos = lasting();
        int ways = scheduler.between(1, 3);
        if ((ways & 1) != 0) {
            world.network().cut(one, other, nanos);
        }
        if ((ways & 2) != 0) {
            world.network().cut(other, one, nanos);
        }
    }

    private void isolate(Machine machine) {
        long nanos = lasting();
        for (Node node : Node.values()) {
            if (node != machine.node()) {
                world.network().cut(machine.node(), node, nanos);
                world.network().cut(node, machine.node(), nanos);
            }
        }
    }

    private void breakConnection(Machine machine) {
        scheduler.note("network", "a connection breaks");
        machine.withDaemon(Daemon::breakConnections);
    }

    private void arbiterOutage() {
        world.arbiter().setDown(true);
        scheduler.after(lasting(), () -> world.arbiter().setDown(false));
    }

    private void slowDisk(Machine machine) {
        machine.setSlowDisk(true);
        scheduler.after(lasting(), () -> machine.setSlowDisk(false));
    }

    private void operate(Machine machine) {
        boolean unprotects = scheduler.chance(0.5);
        scheduler.note("operator", unprotects ? "unprotect on %s" : "failover on %s", machine.name());
        machine.withDaemon(daemon -> {
            if (unprotects) {
                daemon.withPrimary(side -> side.unprotect(scheduler.chance(0.3)));
            } else {
                daemon.withBackup(side -> side.on(new BackupEvent.PrimaryLost("an operator wants it", true)));
            }
        });
    }
}
