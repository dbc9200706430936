package remus.cli;

import java.util.Locale;

/** What happens to the hosts of a soak; written in lower case with blanks. */
enum SoakEvent {
    /** A host's daemon and QEMUs are killed; it is started again some seconds later. */
    HOST_KILLED,
    /** The same, and its link goes down with it: nothing is heard of it any more. */
    HOST_LOST,
    /** A daemon alone is killed and started again at once. */
    DAEMON_KILLED,
    /** A host's VMs are switched over, its daemon is ended in good order and started again, as for an upgrade. */
    DAEMON_RESTARTED,
    /** The QEMU that a VM runs in is killed. */
    QEMU_KILLED,
    /** The QEMU that waits on a VM's backup is killed. */
    STANDBY_KILLED,
    /** A VM is handed over to its backup by command. */
    SWITCHED_OVER,
    /** A VM is paused by command, and resumed. */
    PAUSED,
    /** A host's link is down for less than the detection time. */
    LINK_BROKEN,
    /** A host's link is down for longer than the detection time, and up again. */
    LINK_CUT;

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }
}
