package remus.disk;

import remus.base.ErrorCategory;
import remus.linux.Errno;

/**
 * Whether a VM's disks may be changed: the one answer for all of them.
 *
 * <pre>
 * STANDBY  activate(): the VM is about to run here  → GATED
 * GATED    open(): the images are settled           → OPEN
 * any      close(): the VM ends here                → CLOSED
 * </pre>
 *
 * <p>STANDBY refuses changes, GATED has them wait, OPEN lets them pass, CLOSED fails them and whoever waits. Thread-safe.
 */
final class DiskGate {
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
        switch (awaitDecision(disk)) {
            case OPEN -> {}
            case STANDBY ->
                throw new DiskException(
                        ErrorCategory.DEGRADE,
                        "disk " + disk + " is a standby's: it changes with its checkpoints only",
                        Errno.EPERM,
                        null);
            case GATED, CLOSED -> throw closed(disk);
        }
    }

    /** As {@link #awaitOpen}, but a standby's disk is as flushed as can be: the guest has changed nothing there. */
    void awaitFlushable(String disk) throws DiskException {
        if (mode != GuestDisks.Mode.OPEN && awaitDecision(disk) == GuestDisks.Mode.CLOSED) {
            throw closed(disk);
        }
    }

    private synchronized GuestDisks.Mode awaitDecision(String disk) throws DiskException {
        while (mode == GuestDisks.Mode.GATED) {
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
