package remus.bench;

import java.time.Duration;

/**
 * How long the epochs of a protected guest are.
 *
 * @param interval from one checkpoint to the next, usually
 * @param maxPauseSharePercent the part of the time that pauses may take where epochs end early, because the guest has sent
 *     something; 0: all epochs are as long as the interval
 */
public record Epochs(Duration interval, int maxPauseSharePercent) {
    /** Epochs of one length. */
    public static Epochs fixed(Duration interval) {
        return new Epochs(interval, 0);
    }
}
