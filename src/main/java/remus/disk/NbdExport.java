package remus.disk;

import java.lang.foreign.MemorySegment;

/**
 * A disk that an {@link NbdServer} offers. Its methods are called by several threads at once, and may wait as long as
 * they need, except {@link #readNow}. Ranges lie within {@link #bytes()} and begin and end at multiples of
 * {@link RawImage#SECTOR_BYTES}; segments are native and the caller's, valid until the call returns.
 *
 * <p>A {@link DiskException} is told to the client as ENOSPC where its number is that or its like, as EPERM or ESHUTDOWN
 * where it is that, and else as EIO; the disk stays offered. Clients may have several connections: what is written over one is read over another, and
 * {@link #flush} is about all writes that have been answered, whatever their connection.
 */
public interface NbdExport {
    /** By which clients ask for it: at most {@value NbdProtocol#MAX_STRING_BYTES} bytes of UTF-8, not empty. */
    String name();

    /** Its size, a multiple of {@link RawImage#SECTOR_BYTES}; never changes. */
    long bytes();

    /**
     * As {@link #read}, but only if it can be done without waiting.
     *
     * @return false where it can't be, or nobody knows; {@code target} may then hold anything
     */
    boolean readNow(long offset, MemorySegment target, long at, long length) throws DiskException;

    /** Reads to {@code at} of {@code target}. */
    void read(long offset, MemorySegment target, long at, long length) throws DiskException;

    /**
     * Writes from {@code at} of {@code source}.
     *
     * @param durable returns only when it is on the disk ("force unit access")
     */
    void write(long offset, MemorySegment source, long at, long length, boolean durable) throws DiskException;

    /** Returns when all writes, zeros and trims that returned before are on the disk. */
    void flush() throws DiskException;

    /** The range is no longer needed; reads as zero afterwards. */
    void trim(long offset, long length, boolean durable) throws DiskException;

    /**
     * The range reads as zero afterwards.
     *
     * @param mayTrim whether its space may be given back
     */
    void zero(long offset, long length, boolean mayTrim, boolean durable) throws DiskException;

    /** Offset of the first data at or after {@code offset}, {@link #bytes()} where a hole reaches the end. */
    long nextData(long offset) throws DiskException;

    /** Offset of the first hole at or after {@code offset}, {@link #bytes()} where data reaches the end. */
    long nextHole(long offset) throws DiskException;
}
