package remus.bench;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Collects what the latency bench measures, round by round, and makes its report of that. Confined to one thread. */
public final class LatencyTally {
    private static final double NANOS_PER_SECOND = 1e9;

    /**
     * What one turn has come to.
     *
     * @param workNanos how long the guest's fixed work took
     * @param alikeNanos the same without protection, while the client asked as often; without protection, the same
     * @param answerNanos how long each request took; at least one
     * @param session null without protection
     */
    public record Turn(
            long workNanos,
            long alikeNanos,
            List<Long> answerNanos,
            @Nullable SessionFigures session) {
        public Turn {
            answerNanos = List.copyOf(answerNanos);
            if (workNanos <= 0 || alikeNanos <= 0 || answerNanos.isEmpty()) {
                throw new IllegalArgumentException(
                        "workNanos=%d requests=%d are no turn".formatted(workNanos, answerNanos.size()));
            }
        }

        private double micros(int percent) {
            Samples samples = new Samples();
            answerNanos.forEach(samples::add);
            return samples.percentile(percent) / 1e3;
        }

        private double requestsPerSecond() {
            return answerNanos.size() * NANOS_PER_SECOND / workNanos;
        }
    }

    private final LatencySettings settings;
    private final Map<LatencyMode, List<Turn>> turns = new EnumMap<>(LatencyMode.class);

    public LatencyTally(LatencySettings settings) {
        this.settings = settings;
        settings.modes().forEach(mode -> turns.put(mode, new ArrayList<>()));
    }

    /** Notes the next round of a mode. */
    public void add(LatencyMode mode, Turn turn) {
        of(mode).add(turn);
    }

    private List<Turn> of(LatencyMode mode) {
        return Objects.requireNonNull(turns.get(mode), mode.key());
    }

    /** All modes in the order of the settings, each of which has had all rounds. */
    public List<LatencyCase> cases() {
        return settings.modes().stream().map(this::summary).toList();
    }

    private LatencyCase summary(LatencyMode mode) {
        List<Turn> rounds = of(mode);
        if (rounds.size() != settings.rounds()) {
            throw new IllegalStateException(
                    "%s has %d of %d rounds".formatted(mode.key(), rounds.size(), settings.rounds()));
        }
        Spread p50 = Spread.of(rounds, turn -> turn.micros(50));
        Spread p99 = Spread.of(rounds, turn -> turn.micros(99));
        Spread overhead = overhead(rounds);
        List<SessionFigures> sessions =
                rounds.stream().map(Turn::session).filter(Objects::nonNull).toList();
        return new LatencyCase(
                mode.key(),
                mode.epochs(settings.maxPauseSharePercent())
                        .map(Epochs::maxPauseSharePercent)
                        .orElse(null),
                settings.memory().bytes(),
                rounds.size(),
                settings.every().toNanos() / 1_000,
                rounds.stream().mapToLong(turn -> turn.answerNanos().size()).sum(),
                median(Spread.of(rounds, Turn::requestsPerSecond)),
                Objects.requireNonNull(p50.wholeMedian()),
                Objects.requireNonNull(p50.wholeMin()),
                Objects.requireNonNull(p50.wholeMax()),
                Objects.requireNonNull(p99.wholeMedian()),
                Objects.requireNonNull(p99.wholeMin()),
                Objects.requireNonNull(p99.wholeMax()),
                median(Spread.of(rounds, turn -> turn.workNanos() / NANOS_PER_SECOND)),
                overhead.median(),
                overhead.min(),
                overhead.max(),
                SessionFigures.rate(sessions),
                SessionFigures.middle(
                        sessions, session -> session.commitMicros().p50()),
                SessionFigures.middle(sessions, session -> session.pauseMicros().p50()));
    }

    private static double median(Spread spread) {
        return Objects.requireNonNull(spread.median());
    }

    /** Each turn against the unprotected one that came right after it: a machine that gets slower does so for both. */
    private static Spread overhead(List<Turn> rounds) {
        return Overhead.of(
                rounds.stream().mapToDouble(Turn::workNanos).toArray(),
                rounds.stream().mapToDouble(Turn::alikeNanos).toArray());
    }
}
