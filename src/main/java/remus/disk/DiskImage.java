package remus.disk;

import java.lang.foreign.MemorySegment;

/** What {@link GuestDisk} needs of an image; {@link RawImage} says what each call means. Thread-safe. */
interface DiskImage extends AutoCloseable {
    long bytes();

    void read(long offset, MemorySegment target, long at, long length) throws DiskException;

    boolean readCached(long offset, MemorySegment target, long at, long length) throws DiskException;

    void write(long offset, MemorySegment source, long at, long length) throws DiskException;

    void zero(long offset, long length) throws DiskException;

    void trim(long offset, long length) throws DiskException;

    void sync() throws DiskException;

    long nextData(long offset) throws DiskException;

    long nextHole(long offset) throws DiskException;

    @Override
    void close();
}
