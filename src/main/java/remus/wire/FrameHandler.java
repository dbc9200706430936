package remus.wire;

import java.lang.foreign.MemorySegment;
import remus.base.EpochId;

/**
 * Receives, on the backup, what the primary of a session sends, in the order of arrival. Each call has passed all
 * checks that need no knowledge beyond the connection: checksum, lengths, term, order, pages within the guest's memory,
 * counts of a checkpoint. Memory that is handed in is valid only during the call. Called on the thread that polls.
 *
 * @param <X> what the receiver may fail with; it ends the poll and reaches its caller
 */
public interface FrameHandler<X extends Exception> {
    /** A part of a file that was asked for; parts of a file come in order and without gaps. */
    void fileData(String name, long offset, MemorySegment bytes) throws X;

    /** @param epoch the checkpoint they belong to; {@link EpochId#NONE}: a round of pre-copy */
    void pages(EpochId epoch, PageRuns runs) throws X;

    /** As {@link #pages}, for pages that hold only zeros. */
    void zeroPages(EpochId epoch, PageRuns runs) throws X;

    /** As {@link #pages}, for pages that are told by how they differ from what is here. */
    void codedPages(EpochId epoch, CodedPages pages) throws X;

    void checkpointBegin(EpochId epoch, CheckpointBegin begin) throws X;

    /** The next part of the device state, which has {@code totalBytes} in all. */
    void deviceState(EpochId epoch, long offset, long totalBytes, MemorySegment bytes) throws X;

    void outputFrames(EpochId epoch, EthernetFrames frames) throws X;

    /**
     * Writes of the guest's disks, in order. All ranges lie within the disks of the hello.
     *
     * @param epoch the epoch in which they were made; {@link EpochId#NONE}: the synchronization
     */
    void diskWrites(EpochId epoch, DiskWrites writes) throws X;

    /** The digests of these blocks of {@link WireLimits#COMPARED_BLOCK_BYTES} are asked for, as all writes left them. */
    void diskCompare(int disk, long firstBlock, int count) throws X;

    /** All of the checkpoint has arrived. */
    void checkpointEnd(EpochId epoch, CheckpointEnd end) throws X;

    /**
     * Frames that went to the guest, with sequence numbers from {@code firstSequence} on. Numbers grow within a
     * connection, with gaps where the mirror was full; after a reconnection earlier ones may come again.
     */
    void inboundFrames(long firstSequence, EthernetFrames frames) throws X;

    /** All output up to {@code epoch} has left the primary. */
    void released(EpochId epoch) throws X;

    /** The primary makes progress: {@code sealed} is the last checkpoint it took. */
    void heartbeat(EpochId sealed) throws X;

    void guestDead(String reason) throws X;

    /**
     * The guest stands still on the primary, for good, and what the backup holds whole contains all it has done: the backup
     * takes over.
     *
     * @param pausedNanos for how long it had stood still there when this was sent
     */
    void handOver(long pausedNanos, String reason) throws X;

    /** The session ends in good order; the backup drops its image and answers that it has. */
    void signOff(String reason) throws X;
}
