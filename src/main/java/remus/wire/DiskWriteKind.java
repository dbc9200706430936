package remus.wire;

/** What is done to a range of a disk, with its number on the wire. */
public enum DiskWriteKind {
    /** New data, which the frame brings. */
    WRITE(1),
    /** The range reads as zero and stays allocated. */
    ZERO(2),
    /** The range reads as zero and its space may be given back. */
    TRIM(3);

    private final int code;

    DiskWriteKind(int code) {
        this.code = code;
    }

    int code() {
        return code;
    }

    static DiskWriteKind ofCode(int code) throws WireException {
        for (DiskWriteKind kind : values()) {
            if (kind.code == code) {
                return kind;
            }
        }
        throw WireException.corrupt("unknown operation " + code + " on a disk");
    }
}
