package remus.disk;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * Bytes on a disk, as guest disks, images of a backup and its log see them: positional I/O that is durable after
 * {@link #sync} and not before. {@link RawImage} is the real one; tests supply such that fail, or lose power.
 *
 * <p>Every range lies within {@link #bytes}, every piece of memory within its segment. Safe for many threads.
 */
public interface BlockImage extends AutoCloseable {
    Path path();

    long bytes();

    void read(long offset, MemorySegment target, long at, long length) throws DiskException;

    /**
     * As {@link #read}, but only where that needs no waiting for the disk.
     *
     * @return false where it would, or nobody can tell; {@code target} may then hold a part
     */
    boolean readCached(long offset, MemorySegment target, long at, long length) throws DiskException;

    void write(long offset, MemorySegment source, long at, long length) throws DiskException;

    /** The range reads as zero and stays allocated. */
    void zero(long offset, long length) throws DiskException;

    /** The range reads as zero and its space is given back where the file system can. */
    void trim(long offset, long length) throws DiskException;

    /** Makes sure of space for a later write, without a change to the content. */
    void reserve(long offset, long length) throws DiskException;

    /** Everything written before the call is durable when it returns (fdatasync(2)). */
    void sync() throws DiskException;

    /** Offset of the first data at or after {@code offset}; {@link #bytes} when there is none. */
    long nextData(long offset) throws DiskException;

    /** Offset of the first hole at or after {@code offset}; {@link #bytes} when there is none. */
    long nextHole(long offset) throws DiskException;

    @Override
    void close();
}
