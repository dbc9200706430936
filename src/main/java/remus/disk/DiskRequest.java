package remus.disk;

/** What was asked of a disk when it failed. */
public enum DiskRequest {
    READ,
    WRITE,
    ZERO,
    TRIM,
    FLUSH
}
