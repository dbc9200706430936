package remus.disk;

import java.util.concurrent.atomic.AtomicLong;
import remus.base.Time;

/** A clock that advances by a step each time that it is read, or only when it is told to. */
final class SteppingTime implements Time {
    private final AtomicLong nanos = new AtomicLong();
    private final long stepNanos;

    SteppingTime(long stepNanos) {
        this.stepNanos = stepNanos;
    }

    void advance(long byNanos) {
        nanos.addAndGet(byNanos);
    }

    @Override
    public long nanos() {
        return nanos.addAndGet(stepNanos);
    }

    @Override
    public long wallMillis() {
        return nanos() / 1_000_000;
    }
}
