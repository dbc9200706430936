package remus.checkpoint;

/** What a guest can do to a range of a disk so that its content changes. */
public enum DiskOperation {
    /** New data. */
    WRITE,

    /** The range reads as zero and stays allocated. */
    ZERO,

    /** The range reads as zero and its space is given back where the file system can. */
    TRIM
}
