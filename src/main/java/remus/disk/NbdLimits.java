package remus.disk;

import java.time.Duration;

/** What one client may make an {@link NbdServer} hold, wait for or repeat; checked before anything is allocated. */
final class NbdLimits {
    /** Most exports of one server: a VM has at most eight disks. */
    static final int MAX_EXPORTS = 8;

    /** Most connections at once; QEMU has one for each disk, nbdcopy(1) four. More are closed at once. */
    static final int MAX_CONNECTIONS = 32;

    /**
     * Most data of one read or write. A guest's own requests stay below it (Linux: 1280 KiB), so QEMU need not split them,
     * and {@link #MAX_IN_FLIGHT} of them fit in memory, so a write that waits holds up no read behind it.
     */
    static final int MAX_PAYLOAD_BYTES = 2 << 20;

    /** A sector; what a guest's disk has, so a backing block device is never asked for less. */
    static final int MIN_BLOCK_BYTES = RawImage.SECTOR_BYTES;

    /** A page: what the page cache and file systems handle without reading first. */
    static final int PREFERRED_BLOCK_BYTES = 4096;

    /**
     * Most requests of one connection that are carried out beside its reader; it then reads no more until one is done.
     * QEMU has 16 under way at most (MAX_NBD_REQUESTS, block/nbd.c).
     */
    static final int MAX_IN_FLIGHT = 32;

    /** Reads and writes up to this size are tried by the reader itself; larger ones are worth another processor. */
    static final int SMALL_BYTES = 64 << 10;

    /** Bytes of requests received ahead, and of replies held until they are sent together. */
    static final int BUFFER_BYTES = 256 << 10;

    /** Room for all that a reply has beside data: its headers, or an error with its text. */
    static final int REPLY_OVERHEAD_BYTES = 4096;

    /** Most pieces, data and holes, that a read is answered in; the last one then is data to the end. */
    static final int MAX_READ_CHUNKS = 64;

    /** Most extents that one block status tells of (the document advises 2^20 as the most). */
    static final int MAX_EXTENTS = 4096;

    /** Longest text of an error, in characters. */
    static final int MAX_ERROR_CHARACTERS = 512;

    /** Longest option whose data is looked at. */
    static final int MAX_OPTION_BYTES = 16 << 10;

    /** Longest option whose data is skipped so that it can be refused; longer ones end the connection. */
    static final int MAX_SKIPPED_OPTION_BYTES = 1 << 20;

    /** Most options of one negotiation. */
    static final int MAX_OPTIONS = 256;

    /** How long a client may take until it has chosen an export. */
    static final Duration NEGOTIATION_LIMIT = Duration.ofSeconds(30);

    /** How often the server looks whether a reader is held up by a write; at the second look another one takes over. */
    static final Duration WATCH_INTERVAL = Duration.ofMillis(2);

    /** How long requests under way may take when the server closes; connections are then cut. */
    static final Duration DRAIN_LIMIT = Duration.ofSeconds(3);

    /** How long what then still runs is waited for. */
    static final Duration CUT_LIMIT = Duration.ofSeconds(1);

    static {
        boolean consistent = SMALL_BYTES <= MAX_PAYLOAD_BYTES
                && MAX_PAYLOAD_BYTES <= NbdProtocol.MAX_HARMLESS_PAYLOAD_BYTES
                && MAX_OPTION_BYTES <= BUFFER_BYTES
                && SMALL_BYTES + NbdProtocol.REQUEST_BYTES + REPLY_OVERHEAD_BYTES <= BUFFER_BYTES
                && MAX_READ_CHUNKS * (NbdProtocol.CHUNK_HEADER_BYTES + NbdProtocol.HOLE_BYTES) <= REPLY_OVERHEAD_BYTES
                && NbdProtocol.CHUNK_HEADER_BYTES + 6 + 4 * MAX_ERROR_CHARACTERS <= REPLY_OVERHEAD_BYTES
                && NbdProtocol.CHUNK_HEADER_BYTES + 4 + MAX_EXTENTS * NbdProtocol.EXTENT_BYTES <= SMALL_BYTES;
        if (!consistent) {
            throw new ExceptionInInitializerError("limits of the NBD server contradict each other");
        }
    }

    private NbdLimits() {}
}
