package remus.memory;

/**
 * The pages that a guest writes in nearly every epoch, as far as they lie side by side. To track such a page tells what is known
 * already, at the price of a fault in each epoch: so it is taken as written without, and copied in each pause. That makes the pause
 * longer by less than the faults took.
 *
 * <p>Whether that is still so is looked at now and then, for one epoch in which they are tracked like all others. Confined to one
 * thread at a time; a steady guest causes no allocation.
 */
final class HotPages {
    /** Where an epoch has no more, their faults cost little, and the pause is to be as short as it can be. */
    static final int MIN_EPOCH_PAGES = 512;

    /** Written in so many epochs running, a page is hot. */
    static final int EPOCHS_RUNNING = 4;

    /** Each so manieth epoch all are tracked. */
    static final int EPOCHS_BETWEEN_LOOKS = 16;

    /** At most so many: they are copied beside QEMU's save, and more would make that wait. */
    static final int MAX_PAGES = 1024;

    /** Each run costs a system call, some 0.4 us, each of its pages spares a fault of 1 us. */
    static final int MIN_RUN_PAGES = 4;

    static final int MAX_RUNS = 64;

    // Element i: the pages written in each of the last i + 1 epochs.
    private final DirtyPages[] written = new DirtyPages[EPOCHS_RUNNING];
    private final DirtyPages released = new DirtyPages();
    private int epochs;

    HotPages() {
        for (int i = 0; i < EPOCHS_RUNNING; i++) {
            written[i] = new DirtyPages();
        }
    }

    /** Those that are taken as written in the epoch under way; empty where none is. */
    DirtyPages released() {
        return released;
    }

    /**
     * An epoch has ended, another one begins.
     *
     * @param ended what was written in it, the released ones included
     */
    void nextEpoch(DirtyPages ended) {
        for (int i = EPOCHS_RUNNING - 1; i > 0; i--) {
            DirtyPages longest = written[i];
            longest.clear();
            longest.addAll(written[i - 1]);
            longest.retainAll(ended);
        }
        written[0].clear();
        written[0].addAll(ended);
        released.clear();
        epochs++;
        if (epochs % EPOCHS_BETWEEN_LOOKS != 0 && ended.pageCount() > MIN_EPOCH_PAGES) {
            release(written[EPOCHS_RUNNING - 1]);
        }
    }

    private void release(DirtyPages hot) {
        long room = MAX_PAGES;
        int runs = 0;
        for (int run = 0; run < hot.runCount() && runs < MAX_RUNS && room >= MIN_RUN_PAGES; run++) {
            long pages = Math.min(hot.pageCount(run), room);
            if (pages >= MIN_RUN_PAGES) {
                released.add(hot.firstPage(run), pages);
                room -= pages;
                runs++;
            }
        }
    }
}
