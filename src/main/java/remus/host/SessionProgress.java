package remus.host;

import remus.checkpoint.PreCopyRound;
import remus.checkpoint.StagedCheckpoint;

/** Learns, on the VM's agent thread, how far a session is until its first checkpoint is taken; for those who show that. */
interface SessionProgress {
    /** Of no interest to anybody. */
    SessionProgress UNWATCHED = new SessionProgress() {};

    /** The backup is ready for disks and memory. */
    default void ready(boolean hasDisks) {}

    default void disksCopied(long bytes) {}

    default void progress(PreCopyRound soFar) {}

    /** The guest is about to stand still for the first checkpoint. */
    default void stopsAndCopies() {}

    /** A checkpoint is on its way. */
    default void taken(StagedCheckpoint checkpoint) {}
}
