package remus.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** Collects what the overhead bench measures, round by round, and makes its report of that. Confined to one thread. */
public final class OverheadTally {
    private static final double NANOS_PER_SECOND = 1e9;

    private record Turn(long workNanos, SessionFigures session) {}

    /** All turns of one workload; the work is the same in each. */
    private static final class OfWorkload {
        private final List<Long> unprotectedNanos = new ArrayList<>();
        private final Map<Integer, List<Turn>> turns = new LinkedHashMap<>();
        private int units;
    }

    private final OverheadSettings settings;
    private final Map<OverheadWorkload, OfWorkload> workloads = new LinkedHashMap<>();

    public OverheadTally(OverheadSettings settings) {
        this.settings = settings;
        for (OverheadWorkload workload : settings.workloads()) {
            OfWorkload all = new OfWorkload();
            settings.checkpointsPerSecond().forEach(rate -> all.turns.put(rate, new ArrayList<>()));
            workloads.put(workload, all);
        }
    }

    /** Says how much work each turn of the workload has. */
    public void begin(OverheadWorkload workload, int units) {
        of(workload).units = units;
    }

    /** Notes the unprotected turn of the next round. */
    public void addUnprotected(OverheadWorkload workload, long workNanos) {
        of(workload).unprotectedNanos.add(workNanos);
    }

    /** Notes the turn of the next round at that rate. */
    public void add(OverheadWorkload workload, int checkpointsPerSecond, long workNanos, SessionFigures session) {
        Objects.requireNonNull(of(workload).turns.get(checkpointsPerSecond)).add(new Turn(workNanos, session));
    }

    private OfWorkload of(OverheadWorkload workload) {
        return Objects.requireNonNull(workloads.get(workload), workload.name());
    }

    /** All cases in the order of the settings, each of which has had all rounds. */
    public List<OverheadCase> cases() {
        List<OverheadCase> cases = new ArrayList<>();
        for (OverheadWorkload workload : settings.workloads()) {
            for (int rate : settings.checkpointsPerSecond()) {
                cases.add(summary(workload, rate));
            }
        }
        return cases;
    }

    private OverheadCase summary(OverheadWorkload workload, int rate) {
        OfWorkload all = of(workload);
        List<Turn> turns = Objects.requireNonNull(all.turns.get(rate));
        if (turns.size() != settings.rounds()) {
            throw new IllegalStateException(
                    "%s at %d a second has %d of %d rounds".formatted(workload, rate, turns.size(), settings.rounds()));
        }
        Spread overhead = Overhead.of(
                turns.stream().mapToDouble(Turn::workNanos).toArray(),
                all.unprotectedNanos.stream().mapToDouble(Long::doubleValue).toArray());
        List<SessionFigures> sessions = turns.stream().map(Turn::session).toList();
        return new OverheadCase(
                workload.name(),
                rate,
                settings.memory().bytes(),
                turns.size(),
                all.units,
                median(Spread.of(all.unprotectedNanos, nanos -> nanos / NANOS_PER_SECOND)),
                median(Spread.of(turns, turn -> turn.workNanos() / NANOS_PER_SECOND)),
                median(overhead),
                Objects.requireNonNull(overhead.min()),
                Objects.requireNonNull(overhead.max()),
                SessionFigures.rate(sessions),
                SessionFigures.middle(sessions, session -> session.pauseMicros().p50()),
                SessionFigures.middle(sessions, session -> session.dirtyPages().p50()),
                SessionFigures.middle(
                        sessions, session -> session.commitMicros().p50()),
                Spread.of(sessions, SessionFigures::clockLagPercent).median());
    }

    private static double median(Spread spread) {
        return Objects.requireNonNull(spread.median());
    }
}
