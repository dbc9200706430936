package remus.checkpoint;

import remus.wire.DiskWriteKind;

/** What a guest can do to a range of a disk so that its content changes. */
public enum DiskOperation {
    /** New data. */
    WRITE,

    /** The range reads as zero and stays allocated. */
    ZERO,

    /** The range reads as zero and its space is given back where the file system can. */
    TRIM;

    /** The same on the wire. */
    public DiskWriteKind kind() {
        return switch (this) {
            case WRITE -> DiskWriteKind.WRITE;
            case ZERO -> DiskWriteKind.ZERO;
            case TRIM -> DiskWriteKind.TRIM;
        };
    }

    public static DiskOperation of(DiskWriteKind kind) {
        return switch (kind) {
            case WRITE -> WRITE;
            case ZERO -> ZERO;
            case TRIM -> TRIM;
        };
    }
}
