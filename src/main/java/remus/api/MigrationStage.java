package remus.api;

/** How far a migration is. */
public enum MigrationStage {
    /** The destination is being reached and makes a place for the VM. */
    CONNECTING,
    /** The disks are copied, beside the running guest or, stop-the-world, while it stands still. */
    COPYING_DISKS,
    /** Memory is copied in rounds. */
    PUSHING,
    /** The destination protects the VM, and a few checkpoints bring both hosts up to speed before the last one. */
    SETTLING,
    /** The guest stands still here for good, and what is left is on its way. */
    STOP_AND_COPY,
    /** The destination has all of it and is to make it run. */
    HANDING_OVER,
    /** The VM runs at the destination. */
    DONE,
    /** It stays where it was; the reason says why. */
    FAILED
}
