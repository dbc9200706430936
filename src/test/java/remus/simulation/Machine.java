package remus.simulation;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.availability.HostId;
import remus.simulation.Network.Node;

/**
 * One host's hardware and kernel: what outlives its daemon (images of disks, a running QEMU while there is power), and
 * what can happen to it: power failure, the daemon's death, a stop of the daemon or of the whole machine.
 */
final class Machine implements Client.Tap {
    private final World world;
    private final Node node;
    private final HostId name;
    private final byte[][] images = new byte[Guest.DISKS][Guest.DISK_BYTES];
    private @Nullable Daemon daemon;
    private @Nullable Guest qemu;
    private boolean up = true;
    private boolean paused;
    private int incarnations;
    private boolean guestIntact;
    private long imageIntact;
    private boolean slowDisk;
    private int badLoads;
    private int slowLoads;

    Machine(World world, Node node, HostId name) {
        this.world = world;
        this.node = node;
        this.name = name;
        startDaemon(false);
    }

    @Override
    public Node node() {
        return node;
    }

    HostId name() {
        return name;
    }

    World world() {
        return world;
    }

    /** Contents of the disks' image files. */
    byte[][] images() {
        return images;
    }

    boolean isUp() {
        return up;
    }

    boolean isPaused() {
        return paused;
    }

    @Nullable
    Daemon daemon() {
        return daemon;
    }

    /** The daemon if it can do something. */
    @Nullable
    Daemon running() {
        Daemon present = daemon;
        return up && !paused && present != null && present.isAlive() ? present : null;
    }

    @Nullable
    Guest qemu() {
        Guest present = qemu;
        return present == null || present.isDead() ? null : present;
    }

    void own(Guest guest) {
        qemu = guest;
        guestIntact = !guest.isHung() && !guest.isDead();
    }

    // ---- what no fault has destroyed, for the check whether somebody has to serve

    boolean hasIntactGuest() {
        return up && guestIntact;
    }

    boolean hasIntactImage(long session) {
        return up && imageIntact == session;
    }

    /** It is the backup now, so that no guest of its own is left. */
    void noteNoGuest() {
        guestIntact = false;
    }

    /** Of that session a whole checkpoint is here; 0: of none. */
    void noteImage(long session) {
        imageIntact = session;
    }

    void withDaemon(Consumer<? super Daemon> action) {
        Daemon present = daemon;
        if (present != null && present.isAlive()) {
            action.accept(present);
        }
    }

    // ---- faults

    private void note(String what) {
        world.scheduler().note(name.name(), "%s", what);
    }

    private void startDaemon(boolean guestMayRun) {
        incarnations++;
        Daemon started = new Daemon(this, "i" + incarnations);
        daemon = started;
        Guest running = qemu();
        if (guestMayRun && running != null) {
            started.findsGuest(running);
        }
    }

    /** The power fails; comes back after {@code nanos}. */
    void crash(long nanos) {
        if (!up) {
            return;
        }
        note("POWER FAILS");
        up = false;
        paused = false;
        withDaemon(present -> present.die(true));
        Guest running = qemu;
        if (running != null) {
            running.die();
        }
        qemu = null;
        guestIntact = false;
        imageIntact = 0;
        world.scheduler().after(nanos, () -> {
            note("boots");
            up = true;
            startDaemon(false);
        });
    }

    /** The daemon is killed and started again; QEMU goes on unless it dies, too. */
    void killDaemon(long nanos, boolean qemuToo) {
        if (!up || daemon == null || !daemon.isAlive()) {
            return;
        }
        note(qemuToo ? "DAEMON AND QEMU ARE KILLED" : "DAEMON IS KILLED");
        paused = false;
        withDaemon(present -> present.die(false));
        Guest running = qemu();
        imageIntact = 0;
        if (qemuToo) {
            guestIntact = false;
            if (running != null) {
                running.die();
            }
        }
        world.scheduler().after(nanos, () -> {
            if (up && (daemon == null || !daemon.isAlive())) {
                note("daemon starts again");
                startDaemon(true);
            }
        });
    }

    /** The daemon is stopped, or with its guest the whole machine, and goes on later. */
    void pause(long nanos, boolean guestToo) {
        if (!up || paused) {
            return;
        }
        note((guestToo ? "MACHINE SLEEPS FOR " : "DAEMON IS STOPPED FOR ") + nanos / Scheduler.MILLISECOND + " ms");
        paused = true;
        Guest running = qemu();
        if (guestToo && running != null) {
            running.freeze(true);
        }
        world.scheduler().after(nanos, () -> {
            if (running != null) {
                running.freeze(false);
            }
            if (paused) {
                note("wakes");
                paused = false;
                withDaemon(Daemon::wake);
            }
        });
    }

    /** QEMU dies, or answers nothing any more. */
    void failGuest(boolean hangs) {
        Guest running = qemu();
        if (running == null) {
            return;
        }
        note(hangs ? "QEMU HANGS" : "QEMU DIES");
        guestIntact = false;
        if (hangs) {
            running.hang();
        } else {
            running.die();
            withDaemon(Daemon::wake);
        }
    }

    void setSlowDisk(boolean slow) {
        if (slow != slowDisk) {
            note(slow ? "THE DISK IS SLOW" : "the disk is as fast as before");
        }
        slowDisk = slow;
    }

    boolean hasSlowDisk() {
        return slowDisk;
    }

    /** The next attempts to load a standby fail, or take long. */
    void spoilLoads(int failing, int slow) {
        badLoads = failing;
        slowLoads = slow;
    }

    boolean nextLoadFails() {
        return badLoads-- > 0;
    }

    boolean nextLoadIsSlow() {
        return slowLoads-- > 0;
    }

    // ---- the clients' network

    @Override
    public void input(byte[] frame) {
        withDaemon(present -> present.tapInput(frame));
    }

    /** A frame leaves by the TAP. */
    void output(Packet packet) {
        world.network().datagram(node, Node.CLIENT, () -> world.client().receive(packet));
    }
}
