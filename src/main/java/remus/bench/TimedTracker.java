package remus.bench;

import remus.base.Time;
import remus.linux.LinuxException;
import remus.memory.DirtyPages;
import remus.memory.DirtyTracker;
import remus.memory.TrackingMode;

/** A tracker that notes how long its last {@link #collect} took. */
final class TimedTracker implements DirtyTracker {
    private final DirtyTracker tracker;
    private final Time time;
    private long lastCollectNanos;

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
        lastCollectNanos = time.nanos() - begin;
    }

    long lastCollectNanos() {
        return lastCollectNanos;
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
