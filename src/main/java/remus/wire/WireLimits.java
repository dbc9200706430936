package remus.wire;

/**
 * What a frame may hold. Every length that comes from the network is checked against one of these before anything is
 * allocated or copied.
 */
public final class WireLimits {
    /** Bytes of the header that precedes every payload. */
    public static final int HEADER_BYTES = 32;

    /** Longest name of a VM, in characters ({@code [a-z0-9-]}). */
    public static final int MAX_VM_NAME_CHARS = 40;

    /** Longest name, address or version, in bytes of UTF-8. */
    public static final int MAX_TEXT_BYTES = 255;

    /** Longest reason, in bytes of UTF-8; what is longer is cut off by the sender. */
    public static final int MAX_REASON_BYTES = 1024;

    /** Largest VM definition, in bytes. */
    public static final int MAX_DEFINITION_BYTES = 64 << 10;

    /** Most files that a definition may need. */
    public static final int MAX_FILES = 16;

    /** Bytes of a SHA-256. */
    public static final int DIGEST_BYTES = 32;

    /** Most file data, device state or page data in one frame, in bytes: how long a prompt frame may have to wait. */
    public static final int MAX_BULK_BYTES = 1 << 20;

    /** Smallest page size that a session may have, in bytes; with it {@link #MAX_PAGE_RUNS} pages fill a frame. */
    public static final int MIN_PAGE_BYTES = 4096;

    /** Largest page size that a session may have, in bytes. */
    public static final int MAX_PAGE_BYTES = 64 << 10;

    /** Most runs in a frame of pages: each has a page at least, so no more fit. */
    public static final int MAX_PAGE_RUNS = MAX_BULK_BYTES / MIN_PAGE_BYTES;

    /** Most runs in a frame of zero pages. */
    public static final int MAX_ZERO_RUNS = 4096;

    /** Bytes of one run in the table of a frame of pages. */
    public static final int RUN_BYTES = 12;

    /** Largest guest memory, in bytes. */
    public static final long MAX_MEMORY_BYTES = 1L << 46;

    /** Most device state of one checkpoint, in bytes. */
    public static final long MAX_DEVICE_STATE_BYTES = 64L << 20;

    /** Largest Ethernet frame, in bytes: one with segmentation offload, and its header. */
    public static final int MAX_ETHERNET_FRAME_BYTES = 65536 + 64;

    /** Most mirrored input in one frame, in bytes, lengths included. */
    public static final int MAX_INBOUND_BYTES = 128 << 10;

    /** Most disks of a VM. */
    public static final int MAX_DISKS = 8;

    /** Largest disk, in bytes. */
    public static final long MAX_DISK_BYTES = 1L << 50;

    /** What a disk's size is a multiple of, in bytes. */
    public static final int SECTOR_BYTES = 512;

    /** Most writes in one frame. */
    public static final int MAX_DISK_WRITES = 4096;

    /** Bytes of one entry in the table of a frame of disk writes. */
    public static final int DISK_WRITE_BYTES = 1 + 1 + Long.BYTES + Integer.BYTES;

    /** Longest range that one write, zeroing or trim names, in bytes; of data it is {@link #MAX_BULK_BYTES}. */
    public static final long MAX_DISK_RANGE_BYTES = 0xFFFF_FFFFL;

    /**
     * The epoch of a disk write is at most so many after the last checkpoint that has ended: two may be in flight, and
     * the guest is in the one after them.
     */
    public static final int MAX_DISK_EPOCHS_AHEAD = 3;

    /** Bytes of a block whose digests are compared. */
    public static final int COMPARED_BLOCK_BYTES = 64 << 10;

    /** Most blocks of one comparison. */
    public static final int MAX_COMPARED_BLOCKS = 256;

    /** Most machine types that a host tells of. */
    public static final int MAX_MACHINES = 16;

    /** Most CPU models that a host tells of. */
    public static final int MAX_CPU_MODELS = 128;

    /** Longest name of a machine type or CPU model that a host tells of, in bytes of UTF-8. */
    public static final int MAX_MODEL_BYTES = 40;

    /** Most bytes of one echo: what a small message of a session has. */
    public static final int MAX_ECHO_BYTES = 4096;

    /** Most bytes of one frame that is thrown away. */
    public static final int MAX_DISCARD_BYTES = 256 << 10;

    /** Shortest interval, in nanoseconds: 1 ms. */
    public static final long MIN_INTERVAL_NANOS = 1_000_000L;

    /** Shortest detection time, in nanoseconds: 10 ms; heartbeats come at a quarter of it. */
    public static final long MIN_DETECT_NANOS = 10_000_000L;

    /** Longest interval or detection time, in nanoseconds: 10 minutes. */
    public static final long MAX_DURATION_NANOS = 600_000_000_000L;

    private static final int MAX_TEXT_FIELD_BYTES = 2 + MAX_TEXT_BYTES;

    static final int MAX_REASON_FIELD_BYTES = 2 + MAX_REASON_BYTES;
    static final int MAX_NAME_FIELD_BYTES = MAX_TEXT_FIELD_BYTES;
    static final int MAX_FILE_FIELD_BYTES = MAX_TEXT_FIELD_BYTES + Long.BYTES + DIGEST_BYTES;
    static final int MAX_HELLO_BYTES = 1
            + 5 * MAX_TEXT_FIELD_BYTES
            + (8 + 4 + 8 + 8 + 4)
            + (4 + MAX_DEFINITION_BYTES)
            + (2 + MAX_FILES * MAX_FILE_FIELD_BYTES)
            + (1 + MAX_DISKS * (MAX_TEXT_FIELD_BYTES + Long.BYTES));
    static final int MAX_WELCOME_BYTES =
            2 * MAX_TEXT_FIELD_BYTES + (2 + MAX_FILES * MAX_TEXT_FIELD_BYTES) + (1 + MAX_DISKS * MAX_TEXT_FIELD_BYTES);
    static final int MAX_HOST_BYTES = 6 * MAX_TEXT_FIELD_BYTES
            + (1 + MAX_MACHINES * (2 + MAX_MODEL_BYTES))
            + (1 + MAX_CPU_MODELS * (2 + MAX_MODEL_BYTES))
            + 2 * Long.BYTES;

    private WireLimits() {}
}
