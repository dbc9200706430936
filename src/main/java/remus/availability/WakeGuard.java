package remus.availability;

/**
 * Notices on the primary that this process was not running for longer than the detection time (stopped by a signal, the
 * machine asleep, starved): the backup may have taken over meanwhile, so nothing may be released before it was asked.
 * Needs a clock that goes on while the machine sleeps (CLOCK_BOOTTIME). Confined to the VM's agent thread.
 */
public final class WakeGuard {
    private final long detectNanos;
    private long lastAwakeNanos;

    public WakeGuard(long detectNanos, long nowNanos) {
        this.detectNanos = detectNanos;
        this.lastAwakeNanos = nowNanos;
    }

    /** To be asked before anything else whenever the agent runs; true when it was away for too long. */
    public boolean wokeLate(long nowNanos) {
        boolean late = nowNanos - lastAwakeNanos >= detectNanos;
        lastAwakeNanos = nowNanos;
        return late;
    }
}
