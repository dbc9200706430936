package remus.host;

import java.util.concurrent.atomic.AtomicLong;
import remus.base.Time;

/** A clock that a test moves. */
public final class SettableTime implements Time {
    public final AtomicLong wallMillis = new AtomicLong(1_800_000_000_000L);

    @Override
    public long nanos() {
        return wallMillis.get() * 1_000_000;
    }

    @Override
    public long wallMillis() {
        return wallMillis.get();
    }
}
