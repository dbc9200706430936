package remus.disk;

import java.util.Set;
import remus.base.ErrorCategory;
import remus.linux.Errno;

/**
 * Whether a VM's disks may be changed: the one answer for all of them.
 *
 * <pre>
 * STANDBY   activate(): the VM is about to run here          → GATED
 * GATED     open(): the images are settled                   → OPEN
 * OPEN      withhold(): another host may come to own them    → WITHHELD
 * WITHHELD  open(): they are this host's after all           → OPEN
 * any       close(): the VM ends here                        → CLOSED
 * </pre>
 *
 * <p>STANDBY refuses changes, GATED and WITHHELD have them wait, OPEN lets them pass, CLOSED fails them and whoever waits.
 * A flush waits where GATED, for what it is for may be waiting; where WITHHELD all that was answered before is durable.
 * Thread-safe.
 */
final class DiskGate {
    private static final Set<GuestDisks.Mode> NO_CHANGES = Set.of(GuestDisks.Mode.GATED, GuestDisks.Mode.WITHHELD);
    private static final Set<GuestDisks.Mode> NO_FLUSHES = Set.of(GuestDisks.Mode.GATED);

    private volatile GuestDisks.Mode mode;

    DiskGate(GuestDisks.Mode mode) {
        this.mode = mode;
    }

    GuestDisks.Mode mode() {
        return mode;
    }

    synchronized void become(GuestDisks.Mode next) {
        if (mode != GuestDisks.Mode.CLOSED) {
            mode = next;
            notifyAll();
        }
    }

    /**
     * Returns when {@code disk} may be changed.
     *
     * @throws DiskException EPERM: it is a standby's; ESHUTDOWN: the VM has ended here
     */
    void awaitOpen(String disk) throws DiskException {
        if (mode == GuestDisks.Mode.OPEN) {
            return;
        }
        switch (awaitNone(NO_CHANGES, disk)) {
            case OPEN -> {}
            case STANDBY ->
                throw new DiskException(
                        ErrorCategory.DEGRADE,
                        "disk " + disk + " is a standby's: it changes with its checkpoints only",
                        Errno.EPERM,
                        null);
            case GATED, WITHHELD, CLOSED -> throw closed(disk);
        }
    }

    /** As {@link #awaitOpen}, but a standby's disk is as flushed as can be: the guest has changed nothing there. */
    void awaitFlushable(String disk) throws DiskException {
        if (mode != GuestDisks.Mode.OPEN && awaitNone(NO_FLUSHES, disk) == GuestDisks.Mode.CLOSED) {
            throw closed(disk);
        }
    }

    private synchronized GuestDisks.Mode awaitNone(Set<GuestDisks.Mode> closedModes, String disk) throws DiskException {
        while (closedModes.contains(mode)) {
            try {
                wait();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw interrupted(disk, e);
            }
        }
        return mode;
    }

    static DiskException closed(String disk) {
        return new DiskException(
                ErrorCategory.DEGRADE, "disk " + disk + " is closed: its VM has ended here", Errno.ESHUTDOWN, null);
    }

    static DiskException interrupted(String disk, InterruptedException cause) {
        return new DiskException(
                ErrorCategory.DEGRADE, "a request to disk " + disk + " was interrupted", Errno.ESHUTDOWN, cause);
    }
}
