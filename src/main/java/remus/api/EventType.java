package remus.api;

/** Everything that a host reports about a VM: the values of {@code event} in an {@link Event}. */
public enum EventType {
    /** Who owns the VM is being decided, or has been; the reason says what and by which term. */
    OWNERSHIP,
    /** The arbiter can be asked again, or no more: decisions about the VM would have to wait. */
    ARBITER,
    /** The VM runs, unprotected. */
    STARTED,
    /** A protection session to a backup begins. */
    PROTECTING,
    /** The backup's images of the VM's disks equal the primary's; memory follows. */
    DISKS_SYNCHRONIZED,
    /** A disk's image failed; the guest was told, as by real hardware. */
    DISK_ERROR,
    /** The backup holds the first full checkpoint. */
    SYNCHRONIZED,
    /** From now on every output waits for its epoch's commit. */
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
    /** The connection came back in time; the session goes on at the last whole epoch. */
    RECONNECTED,
    /** The primary goes on without its backup. */
    DEGRADED,
    /** The backup has begun to take over. */
    ACTIVATING,
    /** The VM runs on what was its backup. */
    ACTIVATED,
    /** The VM is handed over to its backup as asked: the guest's last checkpoint on this host. */
    SWITCHING_OVER,
    /** The VM was handed over to this host, which was its backup; the reason says for how long the guest stood still. */
    SWITCHED_OVER,
    /** Another host owns the VM: it is paused here and its output discarded. */
    FENCED,
    /** Protection ended as asked. */
    UNPROTECTED,
    /** The VM ended as asked. */
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
    /** The VM's QEMU died or hangs. */
    GUEST_DEAD,
    /** The RAM digests of both sides were compared and are equal. */
    VERIFIED,
    /** The RAM digests of both sides differ; protection ended. */
    VERIFY_FAILED,
    /** What was asked for could not be done; the reason says what and why. */
    FAILED
}
