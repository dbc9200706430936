package remus.cli;

import java.util.Locale;

/** How a demo round kills a host. */
enum KillKind {
    /** Daemon and QEMU are killed: the host goes on, so its port refuses and the backup knows at once. */
    PROCESS,
    /** Its link goes down at the same instant: nothing is heard of it any more. */
    POWER;

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
