package remus.cli;

import java.util.List;
import java.util.function.Function;
import java.util.function.ToLongFunction;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;
import remus.api.CheckpointStatus;
import remus.api.Percentiles;

/**
 * The outcome of a demo; its components are the keys of {@code demo --json}.
 *
 * @param rounds kills
 * @param activations times that the backup took over
 * @param acknowledged writes that the client had an answer for
 * @param lost of these, writes that the server did not know any more; a damaged database or file system counts as one
 * @param resets connections that broke
 * @param stallMillis from a kill to the client's next answer
 * @param pauseMicros of the checkpoints: the median round's p50, the worst round's p99 and maximum
 * @param dirtyPages likewise
 * @param amcheckClean whether the database is in order at the end; null where there is none
 * @param fsckClean whether the file system in the survivor's image is
 */
record DemoReport(
        long rounds,
        long activations,
        long acknowledged,
        long lost,
        long resets,
        Percentiles stallMillis,
        Percentiles detectionMillis,
        Percentiles activationMillis,
        Percentiles pauseMicros,
        Percentiles dirtyPages,
        long checkpoints,
        @Nullable Boolean amcheckClean,
        @Nullable Boolean fsckClean) {
    private static final int DIGITS = 5;

    static DemoReport of(List<DemoRound> rounds, ClientLoad.Figures client, DemoChecks checks) {
        List<DemoRound> activated = rounds.stream().filter(DemoRound::activated).toList();
        return new DemoReport(
                rounds.size(),
                activated.size(),
                client.acknowledged(),
                client.lost() + checks.problems().size(),
                client.resets(),
                percentiles(activated, DemoRound::stallMillis),
                percentiles(activated, DemoRound::detectionMillis),
                percentiles(activated, DemoRound::activationMillis),
                overRounds(rounds, CheckpointStatus::pauseMicros),
                overRounds(rounds, CheckpointStatus::dirtyPages),
                rounds.stream().mapToLong(round -> round.checkpoints().count()).sum(),
                checks.amcheckClean(),
                checks.fsckClean());
    }

    /** Nothing was lost, and every kill was survived. */
    boolean passed() {
        return lost == 0 && resets == 0 && activations == rounds;
    }

    static Percentiles percentiles(List<DemoRound> rounds, ToLongFunction<DemoRound> value) {
        Histogram histogram = new Histogram(DIGITS);
        rounds.forEach(round -> histogram.recordValue(value.applyAsLong(round)));
        return percentiles(histogram);
    }

    private static Percentiles percentiles(Histogram histogram) {
        return histogram.getTotalCount() == 0
                ? Percentiles.NONE
                : new Percentiles(
                        histogram.getValueAtPercentile(50),
                        histogram.getValueAtPercentile(99),
                        histogram.getMaxValue());
    }

    /** Percentiles of percentiles can't be had; these are never better than the truth. */
    private static Percentiles overRounds(List<DemoRound> rounds, Function<CheckpointStatus, Percentiles> of) {
        Histogram medians = new Histogram(DIGITS);
        long worstP99 = 0;
        long max = 0;
        for (DemoRound round : rounds) {
            Percentiles percentiles = of.apply(round.checkpoints());
            if (round.checkpoints().count() > 0) {
                medians.recordValue(percentiles.p50());
                worstP99 = Math.max(worstP99, percentiles.p99());
                max = Math.max(max, percentiles.max());
            }
        }
        return new Percentiles(percentiles(medians).p50(), worstP99, max);
    }
}
