package remus.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;
import remus.api.CheckpointStatus;

/** Collects what the disk bench measures, round by round, and makes its report of that. Confined to one thread. */
public final class DiskTally {
    private static final double MEBIBYTE = 1 << 20;

    /** How the guest reaches its disk. */
    public enum Setting {
        PLAIN,
        QEMU_NBD,
        UNPROTECTED,
        PROTECTED;

        /** Its name in reports. */
        public String key() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    /**
     * What one turn has come to.
     *
     * @param bytesPerSecond that the guest's disk took, by the host's clock
     * @param checkpoints of the turn's protection session; null without one
     */
    public record Turn(double bytesPerSecond, @Nullable CheckpointStatus checkpoints) {}

    private final DiskSettings settings;
    private final Map<DiskWorkload, Map<Setting, List<Turn>>> turns = new EnumMap<>(DiskWorkload.class);

    public DiskTally(DiskSettings settings) {
        this.settings = settings;
        for (DiskWorkload workload : DiskWorkload.values()) {
            Map<Setting, List<Turn>> all = new EnumMap<>(Setting.class);
            for (Setting setting : Setting.values()) {
                all.put(setting, new ArrayList<>());
            }
            turns.put(workload, all);
        }
    }

    /** Notes the next round of a case. */
    public void add(Setting setting, DiskWorkload workload, Turn turn) {
        of(setting, workload).add(turn);
    }

    private List<Turn> of(Setting setting, DiskWorkload workload) {
        return java.util.Objects.requireNonNull(
                java.util.Objects.requireNonNull(turns.get(workload)).get(setting));
    }

    /** All cases, each of which has had as many rounds as the others. */
    public List<DiskCase> cases() {
        List<DiskCase> cases = new ArrayList<>();
        for (DiskWorkload workload : DiskWorkload.values()) {
            for (Setting setting : Setting.values()) {
                cases.add(summary(setting, workload));
            }
        }
        return cases;
    }

    private DiskCase summary(Setting setting, DiskWorkload workload) {
        List<Turn> rounds = of(setting, workload);
        List<Turn> plain = of(Setting.PLAIN, workload);
        if (rounds.isEmpty() || rounds.size() != plain.size()) {
            throw new IllegalStateException("%s %s has %d rounds, plain has %d"
                    .formatted(setting.key(), workload.key(), rounds.size(), plain.size()));
        }
        double[] rates = sorted(rounds, Turn::bytesPerSecond);
        double[] ratios = new double[rounds.size()];
        for (int round = 0; round < ratios.length; round++) {
            ratios[round] =
                    rounds.get(round).bytesPerSecond() / plain.get(round).bytesPerSecond();
        }
        Arrays.sort(ratios);
        List<CheckpointStatus> sessions = rounds.stream()
                .map(Turn::checkpoints)
                .filter(java.util.Objects::nonNull)
                .toList();
        return new DiskCase(
                setting.key(),
                workload.key(),
                workload.blockBytes(),
                workload.ioDepth(),
                settings.memory().bytes(),
                settings.disk().bytes(),
                setting == Setting.PROTECTED ? settings.interval().toMillis() : null,
                rounds.size(),
                settings.perTurn().toMillis() / 1e3,
                rounded(median(rates) / MEBIBYTE, 100),
                rounded(rates[0] / MEBIBYTE, 100),
                rounded(rates[rates.length - 1] / MEBIBYTE, 100),
                Math.round(median(rates) / workload.blockBytes()),
                Math.round(rates[0] / workload.blockBytes()),
                Math.round(rates[rates.length - 1] / workload.blockBytes()),
                rounded(median(rates) / median(sorted(plain, Turn::bytesPerSecond)), 1_000),
                rounded(ratios[0], 1_000),
                rounded(ratios[ratios.length - 1], 1_000),
                sessions.isEmpty()
                        ? null
                        : Long.valueOf(sessions.stream()
                                .mapToLong(CheckpointStatus::count)
                                .sum()),
                middle(sessions, session -> session.pauseMicros().p50()),
                middle(sessions, session -> session.pauseMicros().p99()),
                largest(sessions, session -> session.pauseMicros().max()),
                middle(sessions, session -> session.commitMicros().p50()),
                middle(sessions, session -> session.commitMicros().p99()),
                largest(sessions, session -> session.commitMicros().max()),
                middle(sessions, session -> session.dirtyPages().p50()));
    }

    private static <T> double[] sorted(List<T> all, ToDoubleFunction<T> figure) {
        return all.stream().mapToDouble(figure).sorted().toArray();
    }

    /** Of two middle values their mean. */
    private static double median(double[] sorted) {
        int half = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
    }

    private static double rounded(double value, int parts) {
        return Math.rint(value * parts) / parts;
    }

    private static @Nullable Long middle(List<CheckpointStatus> sessions, ToLongFunction<CheckpointStatus> figure) {
        return sessions.isEmpty() ? null : Long.valueOf(Math.round(median(sorted(sessions, figure::applyAsLong))));
    }

    private static @Nullable Long largest(List<CheckpointStatus> sessions, ToLongFunction<CheckpointStatus> figure) {
        return sessions.isEmpty()
                ? null
                : Long.valueOf(sessions.stream().mapToLong(figure).max().orElseThrow());
    }
}
