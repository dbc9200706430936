package remus.memory;

import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.base.EpochId;
import remus.base.ErrorCategory;
import remus.checkpoint.CheckpointDevice;
import remus.checkpoint.CheckpointException;
import remus.checkpoint.PreCopySource;
import remus.checkpoint.StagedCheckpoint;
import remus.checkpoint.StagedPages;
import remus.linux.LinuxException;

/**
 * Brings a VM's memory into its checkpoints: first all of it in pre-copy rounds, then what was written in each epoch.
 *
 * <p>Invariant: a page that was written and is not yet in a chunk or a checkpoint is <em>owed</em>; it stays so until
 * it has been copied, also when a round is broken off or a copy fails. Pages are always reset in the tracker first and
 * copied afterwards, so a write in between makes the page owed again.
 *
 * <p>Shortly before a pause, what was written so far is copied ahead, beside the running guest, where that is much. What is left
 * is found and copied while QEMU saves its devices, and what came meanwhile after that. Where the tracker knows that nothing has
 * come ({@link DirtyTracker#isQuiet}), as nearly always, that costs nothing; where it can't know, all is found after the save if
 * most was copied ahead, for a scan takes longer than it spares. Pages that are written all the time are not tracked:
 * {@link HotPages}.
 *
 * <p>Lasts for one protection session and owns the tracker, not the memory. Confined to the VM's agent thread.
 */
public final class GuestMemoryDevice implements CheckpointDevice, PreCopySource {
    /** No checkpoint carries a digest of memory. */
    public static final Predicate<EpochId> NO_DIGESTS = epoch -> false;

    /** Pages copied ahead in vain that are not worth a thought: 1 MiB. */
    static final int MIN_WASTED_PAGES = 256;

    /** A round looks for pages that were written again after so many copied, or after a part of all memory if that is more. */
    static final int MIN_PAGES_BETWEEN_LOOKS = 4096;

    /** Looking takes as long as there is memory: so many times in a round at most. */
    static final int MAX_LOOKS = 16;

    /** When copying ahead was in vain so many times running, it is left alone for a while. */
    static final int WASTED_RUNNING = 3;

    /** So many checkpoints are then taken without it before it is tried again. */
    static final int CHECKPOINTS_WITHOUT_AHEAD = 40;

    /** So few pages are copied beside QEMU's save without making that wait: to copy them ahead would cost a scan for nothing. */
    static final int MAX_PAGES_BESIDE_SAVE = 64;

    private static final Logger LOG = LoggerFactory.getLogger(GuestMemoryDevice.class);

    private final GuestMemory memory;
    private final DirtyTracker tracker;
    private final Predicate<EpochId> digestWanted;
    private final PageCopier copier;
    private final DirtyPages owed = new DirtyPages();
    // Written since the round began: of no use to it, and owed to the next.
    private final DirtyPages again = new DirtyPages();
    // Written in the epoch that ends, as far as it is known.
    private final DirtyPages written = new DirtyPages();
    private final HotPages hot = new HotPages();
    private long trackedPages;
    // How far the round under way has got: all owed pages below have been copied.
    private long roundPosition;
    private boolean roundUnderWay;
    private long pagesSinceLook;
    private long skippedPages;
    // Of the checkpoint being taken: whether, and how much of it, was copied ahead of the pause.
    private boolean copiedAhead;
    private long pagesAhead;
    private int wastedRunning;
    private int checkpointsWithoutAhead;
    private boolean ended;

    /**
     * @param tracker attached to the VM's QEMU, not yet armed; closed by {@link #abort}
     * @param digestWanted whether the checkpoint of an epoch is to carry a digest of all memory; asked when it is sealed
     */
    public GuestMemoryDevice(GuestMemory memory, DirtyTracker tracker, Predicate<EpochId> digestWanted) {
        this.memory = memory;
        this.tracker = tracker;
        this.digestWanted = digestWanted;
        copier = new PageCopier(memory);
    }

    @Override
    public void setup() throws CheckpointException {
        try {
            tracker.arm();
        } catch (LinuxException e) {
            throw trackingFailed(e);
        }
        // The backup's memory may hold anything, so it needs every page, those that were never written too.
        owed.clear();
        again.clear();
        trackedPages = memory.pageCount();
        owed.add(0, memory.pageCount());
    }

    @Override
    public long beginRound() throws CheckpointException {
        endRound();
        collect();
        roundUnderWay = true;
        roundPosition = 0;
        pagesSinceLook = 0;
        skippedPages = 0;
        return owed.pageCount();
    }

    @Override
    public boolean copyChunk(StagedPages chunk, int maxPages) throws CheckpointException {
        if (!roundUnderWay) {
            return false;
        }
        if (pagesSinceLook >= Math.max(MIN_PAGES_BETWEEN_LOOKS, memory.pageCount() / MAX_LOOKS)) {
            skipWrittenAgain();
        }
        try {
            roundPosition = copier.copySparsely(owed, roundPosition, maxPages, chunk);
        } catch (LinuxException e) {
            throw readingFailed(e);
        }
        pagesSinceLook += chunk.pageCount() - chunk.zeroPageCount();
        if (roundPosition < memory.pageCount()) {
            return true;
        }
        endRound();
        return false;
    }

    /** A page that was written since the round began would have to be sent once more anyway (Clark et al. 2005, §5.1). */
    private void skipWrittenAgain() throws CheckpointException {
        pagesSinceLook = 0;
        owed.removeBelow(roundPosition);
        collectInto(again);
        long before = owed.pageCount();
        owed.removeAll(again);
        skippedPages += before - owed.pageCount();
    }

    @Override
    public long skippedPages() {
        return skippedPages;
    }

    /** What the round has copied is owed no more; the rest stays, and what was written meanwhile comes to it. */
    private void endRound() {
        if (roundUnderWay) {
            owed.removeBelow(roundPosition);
            owed.addAll(again);
            again.clear();
            roundUnderWay = false;
        }
    }

    @Override
    public boolean copyAhead(StagedPages pages) throws CheckpointException {
        if (tracker.knowsQuiet() && trackedPages <= MAX_PAGES_BESIDE_SAVE) {
            return false;
        }
        if (checkpointsWithoutAhead > 0) {
            checkpointsWithoutAhead--;
            return false;
        }
        try {
            tracker.collectOthers(hot.released(), owed);
        } catch (LinuxException e) {
            throw trackingFailed(e);
        }
        copier.copy(owed, pages);
        copied();
        copiedAhead = true;
        pagesAhead = pages.pageCount();
        return true;
    }

    @Override
    public void suspending(EpochId epoch) {}

    @Override
    public void suspended(StagedCheckpoint checkpoint) throws CheckpointException {
        if (copiedAhead && !tracker.knowsQuiet()) {
            return;
        }
        endRound();
        // What a round has left over may be mostly holes; a page written in an epoch is none.
        boolean leftOver = !owed.isEmpty();
        collect();
        if (leftOver) {
            copyLeftOver(checkpoint.pages());
        } else {
            copier.copy(owed, checkpoint.pages());
        }
        copied();
    }

    private void copied() {
        written.addAll(owed);
        owed.clear();
    }

    private void copyLeftOver(StagedPages pages) throws CheckpointException {
        try {
            copier.copySparsely(owed, 0, Integer.MAX_VALUE, pages);
        } catch (LinuxException e) {
            throw readingFailed(e);
        }
    }

    @Override
    public void saved(StagedCheckpoint checkpoint) throws CheckpointException {
        // QEMU completes requests of its devices while it stops and saves them; what that wrote comes now.
        if (!isQuiet()) {
            collect();
            copier.copy(owed, checkpoint.pages());
            copied();
        }
        judgeCopyingAhead(
                checkpoint.pages().pageCount() - pagesAhead - hot.released().pageCount());
        if (digestWanted.test(checkpoint.epoch())) {
            try {
                checkpoint.setMemoryDigest(memory.digest());
            } catch (LinuxException e) {
                throw readingFailed(e);
            }
        }
    }

    /** A guest that writes the same pages over and over has them copied, and sent, twice: that may not pay. */
    private void judgeCopyingAhead(long pagesAgain) {
        if (copiedAhead) {
            boolean wasted = pagesAhead > MIN_WASTED_PAGES && pagesAgain > Math.max(MIN_WASTED_PAGES, pagesAhead / 2);
            wastedRunning = wasted ? wastedRunning + 1 : 0;
            if (wastedRunning == WASTED_RUNNING) {
                wastedRunning = 0;
                checkpointsWithoutAhead = CHECKPOINTS_WITHOUT_AHEAD;
            }
        }
        copiedAhead = false;
        pagesAhead = 0;
    }

    private boolean isQuiet() throws CheckpointException {
        try {
            return tracker.isQuiet();
        } catch (LinuxException e) {
            throw trackingFailed(e);
        }
    }

    private void collect() throws CheckpointException {
        collectInto(owed);
    }

    private void collectInto(DirtyPages pages) throws CheckpointException {
        try {
            tracker.collect(pages);
        } catch (LinuxException e) {
            throw trackingFailed(e);
        }
    }

    @Override
    public void resumed(EpochId epoch) {
        trackedPages = written.pageCount() - hot.released().pageCount();
        if (tracker.knowsQuiet()) {
            hot.nextEpoch(written);
        }
        written.clear();
        try {
            tracker.release(hot.released());
        } catch (LinuxException e) {
            LOG.debug("pages that are written all the time are tracked: {}", e.getMessage());
        }
    }

    @Override
    public void commit(EpochId epoch) {}

    @Override
    public void abort() {
        if (!ended) {
            ended = true;
            tracker.close();
        }
    }

    private static CheckpointException trackingFailed(LinuxException cause) {
        return new CheckpointException(
                ErrorCategory.DEGRADE, "the writes to guest memory can't be tracked: " + cause.getMessage(), cause);
    }

    private static CheckpointException readingFailed(LinuxException cause) {
        return new CheckpointException(
                ErrorCategory.DEGRADE, "guest memory can't be read: " + cause.getMessage(), cause);
    }
}
