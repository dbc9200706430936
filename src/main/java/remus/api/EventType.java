package remus.api;

/**
 * Everything that a host reports about a VM: the values of {@code event} in an {@link Event}. Each change of the VM's
 * {@link VmState} on that host is told by exactly one event; docs/OPERATING.md says what each asks for.
 */
public enum EventType {
    /** A step in the decision who owns the VM that has not changed its state: the reason says what, and why. */
    OWNERSHIP,
    /** The arbiter can be asked again, or no more: decisions about the VM would have to wait. */
    ARBITER,
    /** The VM runs, unprotected. */
    STARTED,
    /** The daemon was started anew and goes on with the VM that it found running. */
    ADOPTED,
    /** The daemon ends and leaves the VM running, for the next one to adopt. */
    LEFT,
    /** A protection session to a backup begins: what the VM has is on its way there. */
    PROTECTING,
    /** The backup's images of the VM's disks equal the primary's; memory follows. */
    DISKS_SYNCHRONIZED,
    /** A disk's image failed; the guest was told, as by real hardware. */
    DISK_ERROR,
    /** The backup holds a full checkpoint, and every output waits for its epoch's commit from now on. */
    PROTECTED,
    /** This host is the VM's backup from now on. */
    BACKING_UP,
    /** The backup has a whole checkpoint and a standby ready. */
    STANDBY_READY,
    /** The standby's QEMU died; a new one is on its way. */
    STANDBY_LOST,
    /** The primary lost its backup; output is held. */
    BACKUP_LOST,
    /** The backup lost its primary. */
    PRIMARY_LOST,
    /** The two hosts hear each other again in time; the session goes on at the last whole epoch. */
    RECONNECTED,
    /** The primary goes on without its backup; output flows. */
    DEGRADED,
    /** The backup has begun to take over. */
    ACTIVATING,
    /** The VM runs on what was its backup. */
    ACTIVATED,
    /** The VM is handed over to its backup as asked: the guest's last checkpoint on this host. */
    SWITCHING_OVER,
    /** The VM was handed over to this host, which was its backup; the reason says for how long the guest stood still. */
    SWITCHED_OVER,
    /** The VM begins to move to another host; the reason says where and how. */
    MIGRATING,
    /** The VM was moved to this host; the reason says for how long the guest stood still. */
    MIGRATED,
    /** Another host owns the VM, or is taking it over: it does not run here and its output is discarded. */
    FENCED,
    /** Protection ended, as asked or because it could not go on; on a backup: this host is none any more. */
    UNPROTECTED,
    /** The VM ended, as asked or because nothing was left of it. */
    STOPPED,
    /** The guest stands still as asked, until it is resumed. */
    PAUSED,
    /** A guest that was paused goes on as asked. */
    RESUMED,
    /** The guest powered itself off. */
    GUEST_SHUTDOWN,
    /** The guest reset itself. */
    GUEST_RESET,
    /** The guest's kernel reports a panic. */
    GUEST_PANIC,
    /** The VM's QEMU died or hangs: the backup is to take over, and without one the VM has ended. */
    GUEST_DEAD,
    /** The RAM digests of both sides were compared and are equal. */
    VERIFIED,
    /** The RAM digests of both sides differ; protection ends. */
    VERIFY_FAILED,
    /** What was asked for, or had to be, could not be done; the reason says what and why. */
    FAILED
}
