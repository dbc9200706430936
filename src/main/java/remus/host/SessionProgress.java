package remus.host;

import remus.base.EpochId;
import remus.checkpoint.PreCopyRound;
import remus.checkpoint.StagedCheckpoint;

/** Learns, on the VM's agent thread, how far a session is, for those who show that, and may have it take its last checkpoint. */
interface SessionProgress {
    /** Of no interest to anybody. */
    SessionProgress UNWATCHED = new SessionProgress() {};

    /** The backup is ready for disks and memory. */
    default void ready(boolean hasDisks) {}

    default void disksCopied(long bytes) {}

    default void progress(PreCopyRound soFar) {}

    /** The guest is about to stand still for the first checkpoint. */
    default void firstCheckpoint() {}

    /** A checkpoint is on its way, for which the guest stood still so long. */
    default void taken(StagedCheckpoint checkpoint, long pauseNanos) {}

    /** Whether the next checkpoint is to be the guest's last one here, now that {@code committed} is; asked once more then. */
    default boolean wantsLast(EpochId committed) {
        return false;
    }

    /** The next checkpoint is the guest's last one here. */
    default void takesLast() {}
}
