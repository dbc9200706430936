package remus.checkpoint;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A growing off-heap byte buffer for one part of a checkpoint, kept and reused from epoch to epoch. One thread at a
 * time, as {@link StagedPages}.
 */
public final class StagedBytes implements AutoCloseable {
    private final long limitBytes;
    private final Arena arena = Arena.ofShared();
    private MemorySegment segment = arena.allocate(4096);
    private long size;

    /** @param limitBytes the most that is ever held */
    public StagedBytes(long limitBytes) {
        this.limitBytes = limitBytes;
    }

    public void clear() {
        size = 0;
    }

    /** @throws CheckpointException when the limit would be passed; what is held stays */
    public void append(MemorySegment source, long offset, long length) throws CheckpointException {
        reserve(length);
        MemorySegment.copy(source, offset, segment, size, length);
        size += length;
    }

    /**
     * Makes room for {@code length} more bytes and returns the whole buffer; the caller writes them from
     * {@link #size} on and then says so by {@link #advance}.
     */
    public MemorySegment reserve(long length) throws CheckpointException {
        if (length > limitBytes - size) {
            throw CheckpointException.stagingFull(limitBytes);
        }
        if (size + length > segment.byteSize()) {
            // The smaller buffer lives on in the arena until close: by doubling, all of them together are no more than
            // the one in use.
            MemorySegment larger = arena.allocate(Math.max(size + length, segment.byteSize() * 2));
            MemorySegment.copy(segment, 0, larger, 0, size);
            segment = larger;
        }
        return segment;
    }

    public void advance(long length) {
        size += length;
    }

    /** The buffer; bytes 0 to {@link #size} are valid until the next change. */
    public MemorySegment segment() {
        return segment;
    }

    public long size() {
        return size;
    }

    @Override
    public void close() {
        arena.close();
    }
}
