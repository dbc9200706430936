package remus.checkpoint;

import org.jspecify.annotations.Nullable;

/**
 * Decides how long memory is copied while the guest runs, how fast, and how much of the time the guest runs meanwhile (Clark
 * et al. 2005, §3.3 and §5.3). One object per session, called by the engine on the VM's agent thread.
 */
public interface PreCopyPolicy {
    /** What follows. */
    enum Decision {
        /** A round that copies what is left. */
        NEXT_ROUND,
        /** The guest is suspended for the first checkpoint, in which what is left is copied, and goes on after it. */
        SUSPEND,
        /** As {@link #SUSPEND}, but that checkpoint is the guest's last one here. */
        SUSPEND_FOR_GOOD,
        /** Neither: the session is to end, and the guest runs on where it is. */
        ABORT
    }

    /**
     * Asked before the first round and after each one.
     *
     * @param done the round that has just ended; null: none yet
     * @param pagesLeft written since it began, and for the first round all there are
     */
    Decision decide(@Nullable PreCopyRound done, long pagesLeft);

    /** Most page data per second in the round that begins; 0: as fast as it goes. */
    long bytesPerSecond();

    /** For how much of the round that begins the guest is made to stand still, in percent, 0 to 99; 100: all the time. */
    int heldPercent();
}
