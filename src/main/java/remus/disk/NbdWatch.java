package remus.disk;

import java.util.Collection;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A server's thread that looks after its connections: every {@link NbdLimits#WATCH_INTERVAL} while there are writes, so
 * that one which waits holds up nobody else for longer than two looks; else once a second, for clients that negotiate
 * without end.
 */
final class NbdWatch {
    private static final long INTERVAL_NANOS = NbdLimits.WATCH_INTERVAL.toNanos();
    private static final long SLOW_INTERVAL_NANOS = TimeUnit.SECONDS.toNanos(1);
    /** Looks without a write before it sleeps: waking it is dearer than a few looks. */
    private static final int IDLE_LOOKS = 50;

    private final Collection<NbdConnection> connections;
    private final Thread thread;
    private volatile boolean sleeping;
    private volatile boolean ended;

    /** @param connections those there are, by a collection that may change while it is looked through */
    NbdWatch(Collection<NbdConnection> connections, String name) {
        this.connections = connections;
        thread = Thread.ofPlatform().daemon().name(name).unstarted(this::run);
    }

    void start() {
        thread.start();
    }

    /** There is something to look at: a write begins. Costs next to nothing while it does not sleep. */
    void wake() {
        if (sleeping) {
            sleeping = false;
            LockSupport.unpark(thread);
        }
    }

    private void run() {
        int idleLooks = 0;
        while (!ended) {
            if (look()) {
                idleLooks = 0;
            } else {
                idleLooks++;
            }
            if (idleLooks < IDLE_LOOKS) {
                LockSupport.parkNanos(this, INTERVAL_NANOS);
            } else {
                sleep();
                idleLooks = 0;
            }
        }
    }

    private void sleep() {
        sleeping = true;
        // Looks once more: who began to write before the flag was set has not woken us.
        while (sleeping && !ended && !look()) {
            LockSupport.parkNanos(this, SLOW_INTERVAL_NANOS);
        }
        sleeping = false;
    }

    private boolean look() {
        long now = System.nanoTime();
        boolean busy = false;
        for (NbdConnection connection : connections) {
            busy |= connection.look(now);
        }
        return busy;
    }

    void end() {
        ended = true;
        LockSupport.unpark(thread);
    }
}
