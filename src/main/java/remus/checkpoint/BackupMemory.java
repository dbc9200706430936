package remus.checkpoint;

import java.lang.foreign.MemorySegment;

/** The standby's RAM, written by the backup as checkpoints become whole, and read as what the next one builds on. Confined to the backup's agent thread. */
public interface BackupMemory {
    long pageCount();

    /** Writes {@code count} pages, from {@code offset} of {@code data}, to page {@code firstPage} on. */
    void write(long firstPage, int count, MemorySegment data, long offset) throws CheckpointException;

    /** Reads {@code page} into {@code target}, from {@code offset} on. */
    void read(long page, MemorySegment target, long offset) throws CheckpointException;

    /** Makes {@code count} pages read as zero, giving back their memory where the system can. */
    void zero(long firstPage, int count) throws CheckpointException;

    /** SHA-256 of all guest RAM. */
    byte[] digest() throws CheckpointException;
}
