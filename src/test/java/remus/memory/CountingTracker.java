package remus.memory;

import remus.linux.LinuxException;

/** A tracker that counts which of its short cuts were taken. */
final class CountingTracker implements DirtyTracker {
    private final DirtyTracker tracker;
    private int quiet;
    private int notQuiet;
    private long released;

    CountingTracker(DirtyTracker tracker) {
        this.tracker = tracker;
    }

    @Override
    public void arm() throws LinuxException {
        tracker.arm();
    }

    @Override
    public void collect(DirtyPages into) throws LinuxException {
        tracker.collect(into);
    }

    @Override
    public boolean knowsQuiet() {
        return tracker.knowsQuiet();
    }

    @Override
    public boolean isQuiet() throws LinuxException {
        boolean is = tracker.isQuiet();
        if (is) {
            quiet++;
        } else {
            notQuiet++;
        }
        return is;
    }

    @Override
    public void collectOthers(DirtyPages except, DirtyPages into) throws LinuxException {
        tracker.collectOthers(except, into);
    }

    @Override
    public void release(DirtyPages pages) throws LinuxException {
        tracker.release(pages);
        released += pages.pageCount();
    }

    /** How often it was quiet. */
    int quiet() {
        return quiet;
    }

    /** How often it was not, or that was not known. */
    int notQuiet() {
        return notQuiet;
    }

    /** How many pages were released, each as often as it was. */
    long released() {
        return released;
    }

    @Override
    public TrackingMode mode() {
        return tracker.mode();
    }

    @Override
    public void close() {
        tracker.close();
    }
}
