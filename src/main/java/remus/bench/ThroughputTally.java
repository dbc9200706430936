package remus.bench;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Collects what the throughput bench measures, round by round, and makes its report of that. Confined to one thread. */
public final class ThroughputTally {
    /**
     * What a daemon took during a turn.
     *
     * @param cpuPercent of one processor
     * @param rssBytes at its end
     */
    public record Daemon(double cpuPercent, long rssBytes) {}

    /**
     * What one turn has come to.
     *
     * @param rate megabits or requests per second, more than 0
     * @param session null without protection
     */
    public record Turn(
            double rate,
            Daemon primary,
            Daemon backup,
            @Nullable SessionFigures session) {
        public Turn {
            if (!(rate > 0)) {
                throw new IllegalArgumentException("rate=" + rate + " is none");
            }
        }
    }

    private record Turns(List<Turn> unprotectedOnes, List<Turn> protectedOnes) {
        Turns() {
            this(new ArrayList<>(), new ArrayList<>());
        }

        List<Turn> of(boolean isProtected) {
            return isProtected ? protectedOnes : unprotectedOnes;
        }
    }

    private final ThroughputSettings settings;
    private final Map<ThroughputWorkload, Turns> turns = new EnumMap<>(ThroughputWorkload.class);

    public ThroughputTally(ThroughputSettings settings) {
        this.settings = settings;
        settings.workloads().forEach(workload -> turns.put(workload, new Turns()));
    }

    /** Notes the next round of a case. */
    public void add(ThroughputWorkload workload, boolean isProtected, Turn turn) {
        of(workload).of(isProtected).add(turn);
    }

    private Turns of(ThroughputWorkload workload) {
        return Objects.requireNonNull(turns.get(workload), workload.key());
    }

    /** All cases, each of which has had all rounds. */
    public List<ThroughputCase> cases() {
        List<ThroughputCase> cases = new ArrayList<>();
        for (ThroughputWorkload workload : settings.workloads()) {
            cases.add(summary(workload, false));
            cases.add(summary(workload, true));
        }
        return cases;
    }

    private ThroughputCase summary(ThroughputWorkload workload, boolean isProtected) {
        List<Turn> rounds = of(workload).of(isProtected);
        List<Turn> without = of(workload).of(false);
        if (rounds.size() != settings.rounds() || without.size() != settings.rounds()) {
            throw new IllegalStateException(
                    "%s has %d of %d rounds".formatted(workload.key(), rounds.size(), settings.rounds()));
        }
        double[] ratios = new double[rounds.size()];
        for (int round = 0; round < ratios.length; round++) {
            ratios[round] = rounds.get(round).rate() / without.get(round).rate();
        }
        Spread rate = Spread.of(rounds, Turn::rate);
        Spread none = Spread.of();
        Spread megabits = workload == ThroughputWorkload.REDIS ? none : rate;
        Spread requests = workload == ThroughputWorkload.REDIS ? rate : none;
        Spread ratio = Spread.of(ratios);
        List<SessionFigures> sessions =
                rounds.stream().map(Turn::session).filter(Objects::nonNull).toList();
        return new ThroughputCase(
                workload.key(),
                isProtected ? "protected" : "unprotected",
                settings.memory().bytes(),
                isProtected ? settings.epochs().interval().toMillis() : null,
                isProtected ? settings.epochs().maxPauseSharePercent() : null,
                rounds.size(),
                settings.perTurn().toMillis() / 1e3,
                megabits.median(),
                megabits.min(),
                megabits.max(),
                requests.median(),
                requests.min(),
                requests.max(),
                Objects.requireNonNull(ratio.median()),
                Objects.requireNonNull(ratio.min()),
                Objects.requireNonNull(ratio.max()),
                median(Spread.of(rounds, turn -> turn.primary().cpuPercent())),
                median(Spread.of(rounds, turn -> turn.backup().cpuPercent())),
                Math.round(
                        median(Spread.of(rounds, turn -> (double) turn.primary().rssBytes()))),
                Math.round(
                        median(Spread.of(rounds, turn -> (double) turn.backup().rssBytes()))),
                SessionFigures.rate(sessions),
                SessionFigures.middle(sessions, session -> session.pauseMicros().p50()),
                SessionFigures.middle(
                        sessions, session -> session.commitMicros().p50()),
                SessionFigures.middle(sessions, session -> session.dirtyPages().p50()),
                SessionFigures.middle(sessions, session -> session.bytesPerSecond()),
                Spread.of(sessions, ThroughputTally::bytesPerDirtyPage).median());
    }

    private static double median(Spread spread) {
        return Objects.requireNonNull(spread.median());
    }

    private static @Nullable Double bytesPerDirtyPage(SessionFigures session) {
        double pagesPerSecond = session.checkpointsPerSecond()
                * session.checkpoints().dirtyPages().p50();
        return pagesPerSecond == 0 ? null : Double.valueOf(session.checkpoints().bytesPerSecond() / pagesPerSecond);
    }
}
