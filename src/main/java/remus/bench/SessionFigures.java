package remus.bench;

import java.util.List;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;
import remus.api.CheckpointStatus;

/**
 * What the checkpoints were like during one turn of a bench.
 *
 * @param checkpointsPerSecond that were committed during the turn
 * @param clockLagPercent of the turn's time by which the guest's clock has fallen behind: it stood still so long
 * @param checkpoints of the whole session, which began shortly before the turn and ended with it
 */
public record SessionFigures(double checkpointsPerSecond, double clockLagPercent, CheckpointStatus checkpoints) {
    /** The middle one of the turns' checkpoints a second; null without any turn. */
    static @Nullable Double rate(List<SessionFigures> turns) {
        return Spread.of(turns, SessionFigures::checkpointsPerSecond).median();
    }

    /** The middle one of the sessions' figures; null without any. */
    static @Nullable Long middle(List<SessionFigures> turns, ToLongFunction<CheckpointStatus> figure) {
        return Spread.of(turns, turn -> (double) figure.applyAsLong(turn.checkpoints()))
                .wholeMedian();
    }
}
