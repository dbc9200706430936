package remus.checkpoint;

/**
 * The guest's memory while it runs, read in pre-copy rounds (Clark et al. 2005, §3): round 1 is all that was ever
 * written, round <i>n</i> what was written since round <i>n-1</i> began. Called on the VM's agent thread.
 */
public interface PreCopySource {
    /**
     * Begins the next round and returns how many pages it has. A page written after this call belongs to the next
     * round, whether or not this round has copied it. What a round has not copied is in the next one, or in the first
     * checkpoint where no other follows.
     */
    long beginRound() throws CheckpointException;

    /**
     * Copies up to {@code maxPages} further pages of the round into {@code chunk}; zero pages are noted, not copied.
     *
     * @return whether the round has more pages
     */
    boolean copyChunk(StagedPages chunk, int maxPages) throws CheckpointException;

    /** Pages of the round that were not copied, for the guest had written them again before their turn: the next round's. */
    default long skippedPages() {
        return 0;
    }

    /**
     * Copies into {@code pages} what was written since the last checkpoint, shortly before the guest is suspended for the
     * next one and while it still runs: the pause then has little left to copy. What the guest writes meanwhile comes
     * with the checkpoint again, later in the same buffer.
     *
     * @return whether it did so; false where there is nothing to be gained
     */
    default boolean copyAhead(StagedPages pages) throws CheckpointException {
        return false;
    }
}
