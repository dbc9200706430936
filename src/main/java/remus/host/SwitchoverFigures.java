package remus.host;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import remus.base.Time;
import remus.replication.PeerAnswer;
import remus.wire.OwnerAnswer;

/**
 * Asks the new owner of a VM how its switchover went, until it says so: at first it may still answer as the backup that it
 * was. Limits: asks every {@link #PAUSE}, for {@link #LIMIT} in all; that no figures came is no failure of the switchover.
 */
final class SwitchoverFigures {
    static final Duration LIMIT = Duration.ofSeconds(2);
    static final Duration PAUSE = Duration.ofMillis(50);

    /** What is said where the new owner does not say more. */
    static final String UNKNOWN = "switched over";

    private final String former;
    private final Function<Duration, PeerAnswer> owner;
    private final Time time;

    /**
     * @param former the host that the VM was on
     * @param owner answers within the limit that it is given
     */
    SwitchoverFigures(String former, Function<Duration, PeerAnswer> owner, Time time) {
        this.former = former;
        this.owner = owner;
        this.time = time;
    }

    String await() {
        long deadline = time.nanos() + LIMIT.toNanos();
        long left = LIMIT.toNanos();
        while (left > 0) {
            if (owner.apply(Duration.ofNanos(left)) instanceof PeerAnswer.Answered(OwnerAnswer says)
                    && Switchover.isFigures(says.text(), former)) {
                return Switchover.figuresIn(says.text());
            }
            try {
                TimeUnit.NANOSECONDS.sleep(PAUSE.toNanos());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return UNKNOWN;
            }
            left = deadline - time.nanos();
        }
        return UNKNOWN;
    }
}
