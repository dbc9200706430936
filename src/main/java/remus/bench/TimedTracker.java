package remus.bench;

import remus.base.Time;
import remus.linux.LinuxException;
import remus.memory.DirtyPages;
import remus.memory.DirtyTracker;
import remus.memory.TrackingMode;

/** A tracker that adds up how long its {@link #collect}s take. */
final class TimedTracker implements DirtyTracker {
    private final DirtyTracker tracker;
    private final Time time;
    private long collectNanos;

    TimedTracker(DirtyTracker tracker, Time time) {
        this.tracker = tracker;
        this.time = time;
    }

    @Override
    public void arm() throws LinuxException {
        tracker.arm();
    }

    @Override
    public void collect(DirtyPages into) throws LinuxException {
        long begin = time.nanos();
        tracker.collect(into);
        collectNanos += time.nanos() - begin;
    }

    @Override
    public boolean knowsQuiet() {
        return tracker.knowsQuiet();
    }

    @Override
    public boolean isQuiet() throws LinuxException {
        return tracker.isQuiet();
    }

    @Override
    public void collectOthers(DirtyPages except, DirtyPages into) throws LinuxException {
        long begin = time.nanos();
        tracker.collectOthers(except, into);
        collectNanos += time.nanos() - begin;
    }

    @Override
    public void release(DirtyPages pages) throws LinuxException {
        tracker.release(pages);
    }

    void reset() {
        collectNanos = 0;
    }

    /** The time taken since {@link #reset}. */
    long collectNanos() {
        return collectNanos;
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
