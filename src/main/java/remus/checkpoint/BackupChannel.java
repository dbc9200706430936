package remus.checkpoint;

import java.lang.foreign.MemorySegment;
import java.util.Set;
import remus.base.EpochId;

/**
 * The way from a primary to its backup, for one protection session. Nothing here blocks but {@link #forward}: what is
 * given is queued and sent by the channel's own threads; answers come as {@link Listener} calls. Called on the VM's agent
 * thread only, except for what {@link DiskForwarding} has.
 *
 * <p>Order: checkpoints and chunks arrive in the order given. Small messages (mirrored input, releases, heartbeats)
 * overtake bulk data. Disk writes and other bulk data take turns; the writes of the synchronization arrive before the
 * first checkpoint, and those of an epoch before its checkpoint ends.
 */
public interface BackupChannel extends DiskForwarding, AutoCloseable {
    /** Begins to connect, and goes on trying until {@link #close}; a lost connection is made again by itself. */
    void open();

    /**
     * Queues a whole checkpoint. It must stay unchanged until it is acknowledged or the channel is closed, for the
     * channel may be sending it still, or have to send it again after a reconnection.
     */
    void send(StagedCheckpoint checkpoint);

    /** Queues pages of a pre-copy round; {@code chunk} stays unchanged until {@link Listener#chunkSent}. */
    void sendPages(StagedPages chunk);

    /** Mirrors one frame that goes to the guest; copied before the call returns. */
    void mirrorInbound(long sequence, MemorySegment frames, long offset, int length);

    /** Tells the backup that the output of all epochs up to {@code epoch} has left this host. */
    void reportReleased(EpochId epoch);

    /** Asserts that checkpoints make progress; {@code sealed} is the last one taken. */
    void heartbeat(EpochId sealed);

    /** Reports that this VM's QEMU is dead or hangs: the backup takes over at once. */
    void reportGuestDead(String reason);

    /**
     * Orders the backup to take over, for the guest stands still here and is not to go on; said again on each new connection,
     * until the backup ends the session by its answer or it is signed off. To be asked for once all output is released.
     *
     * @param pausedNanos for how long the guest has stood still
     */
    void handOver(long pausedNanos, String reason);

    /**
     * Drops the connection and makes it again: the backup's welcome then proves that it still stands by. Answers that
     * were under way on the old connection are lost, which is the purpose.
     */
    void reconnect(String reason);

    /**
     * Ends the session in good order: the backup drops its image, never activates, and says so. No bulk data is sent
     * until it does or {@link Listener#signOffUnanswered} is called; asking again meanwhile changes nothing.
     */
    void signOff(String reason);

    /**
     * Bytes of the pages in all checkpoints that were sent so far, of one that was taken twice once. May be called by any
     * thread, as {@link #sentPageBytes}.
     */
    default long rawPageBytes() {
        return 0;
    }

    /** Bytes that these pages took on the connection. */
    default long sentPageBytes() {
        return 0;
    }

    /** Drops the connection, if any, and sends nothing any more. */
    @Override
    void close();

    /**
     * What comes back. Called on the channel's threads: an implementation hands over to the agent and returns.
     *
     * <p>Five calls end the channel, each at most once and as its last: {@link #refused}, {@link #signedOff},
     * {@link #backupLost}, {@link #backupActivated} and {@link #channelFailed}. The end of the first checkpoint parts
     * two times. Until it is made, just before it is sent, the backup can't have an image, and any failure may end the
     * session. From then on it may have one and may activate it: only what proves the contrary is reported as
     * {@link #signedOff} or {@link #backupLost}, and everything else that fails is a {@link #disconnected}.
     */
    interface Listener {
        /**
         * The backup has taken a new session on the connection of now: what was lost with one before it does not count.
         * Of interest only to who judges by the clock.
         */
        default void welcomed() {}

        /**
         * The backup has everything it needs besides memory and disks, and waits for them. A new session only.
         *
         * @param disksWithContent names of the disks of which it has an image with earlier content
         */
        void backupReady(Set<String> disksWithContent);

        /**
         * The digests that {@link DiskForwarding#compare} asked for.
         *
         * @param digests SHA-256 of each block, 32 bytes each, one after the other
         */
        void diskDigests(int disk, long firstBlock, byte[] digests);

        /**
         * Half of what may be under way of disk writes is, or a guest waits for room: the epoch should end early. Called
         * each time that this happens, on the thread that forwards.
         */
        void writesAreFilling();

        void chunkSent(StagedPages chunk);

        /** The backup holds checkpoint {@code epoch} whole. */
        void acknowledged(EpochId epoch);

        /**
         * The connection is lost; the channel tries again, more slowly after a while. After the end of the first
         * checkpoint this is also what becomes of a refusal that proves nothing, of a backup that speaks another
         * protocol, and of a failure of the channel itself.
         */
        void disconnected(String cause);

        /**
         * Connected again: the backup's last whole epoch is {@code lastWhole}, which counts as its acknowledgement. Only
         * after the end of the first checkpoint: a connection lost before is {@link #backupLost}, for nobody knows which
         * pre-copied pages have arrived.
         */
        void reconnected(EpochId lastWhole);

        /**
         * The backup will have none of a new session, or can't be brought what it needs, or has not answered a sign-off:
         * it has no image. Only before the end of the first checkpoint is made.
         */
        void refused(String reason);

        /** The backup answers that it has dropped its image and will not activate. */
        void signedOff(String reason);

        /**
         * The backup did not answer the sign-off within its limit, so it may have taken over or may still do so: nothing
         * is decided. The sign-off is withdrawn and the session goes on, over a new connection: {@link #reconnected} or
         * an end follows. It may be signed off again. Only after the end of the first checkpoint.
         */
        void signOffUnanswered(String reason);

        /**
         * The backup has no image and never will activate: it says so (its standby died, its disk is full, it does not
         * know the session that should go on, or holds less than it had acknowledged), or the connection was lost
         * between READY and the end of the first checkpoint.
         */
        void backupLost(String reason);

        /**
         * The backup wants to be one no more, for {@code reason}. It stays so until it is signed off, which is for the
         * caller to decide. May come again.
         */
        void reliefWanted(String reason);

        /** The backup has taken over, or is doing so: this host has lost the VM. */
        void backupActivated(String reason);

        /**
         * The channel's own state contradicts itself: nothing is known of the backup, and no output may be released any
         * more. The process should stop.
         */
        void channelFailed(Throwable cause);

        /** Result of comparing memory digests for {@code epoch}. */
        void verified(EpochId epoch, boolean equal);
    }
}
