package remus.host;

import remus.base.EpochId;

/**
 * Learns, on the VM's agent thread, what a {@link ProtectionSession} means for its VM; nothing comes after the session's end,
 * nor once it is parting.
 */
interface SessionOwner extends SessionEnd {
    /** Synchronizing goes on; {@code text} says how far. */
    void progress(String text);

    /** The backup's images of the disks equal ours from now on. */
    void disksSynchronized(String how);

    /** The guest stands still for the first full checkpoint, of which nothing was sent yet. */
    void firstCheckpointPaused(EpochId epoch);

    /** The backup holds {@code epoch} whole. */
    void acknowledged(EpochId epoch);

    /** The guest stands still after its last checkpoint here, which is committed. */
    void lastCommitted();

    /** This process was not running for longer than the detection time; told before anything else after waking. */
    void wokeLate();

    /** No contact with the backup, or it owes an acknowledgement: it will be tried again and again. */
    void severed(String reason);

    /** There has been no contact for so long that the backup counts as lost; told again and again. */
    void givenUp(String reason);

    /** Contact again, by a connection that was made since. */
    void reconnected(EpochId lastWhole);

    /** The backup wants to be let go, and stands by until it is. */
    void reliefWanted(String reason);

    /** A disk here does not answer, so that nothing can be committed any more; the backup's works. */
    void diskHangs(String reason);

    /** Digests of both sides were compared. */
    void verified(EpochId epoch, boolean equal);

    /** It can't go on, for a reason on this host; the backup has yet to be told. */
    void failed(String reason);
}
