package remus.cli;

import java.util.List;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;
import remus.api.Percentiles;

/**
 * The outcome of {@code demo --scenario many} and {@code chain}; its components are the keys of its JSON document. Those
 * of {@link DemoReport} mean the same.
 *
 * @param kills of a host under a VM, counted for each VM that it took along
 * @param acknowledged by all VMs together, as are the other figures here
 * @param stallMillisP90 beside the percentiles that every demo tells
 * @param census what each host had, in the order in which it was counted
 * @param leaks what was there at the end and not before; empty where there was nothing
 * @param problem the first thing that was wrong for a client, or null
 */
record ScenarioReport(
        String scenario,
        long rounds,
        long kills,
        long activations,
        long acknowledged,
        long lost,
        long resets,
        Percentiles stallMillis,
        long stallMillisP90,
        Percentiles detectionMillis,
        Percentiles activationMillis,
        Percentiles pauseMicros,
        Percentiles dirtyPages,
        long checkpoints,
        List<Vm> vms,
        List<Failover> failovers,
        List<Census> census,
        List<String> leaks,
        @Nullable String problem) {
    private static final int DIGITS = 5;

    /** One VM and its client. */
    record Vm(
            String vm,
            long kills,
            long activations,
            long acknowledged,
            long lost,
            long resets,
            Percentiles stallMillis,
            long stallMillisP90) {}

    /**
     * What one kill came to for one VM.
     *
     * @param protectedAgainBy which host backs it up since; null where nobody was to
     * @param protectedAgainMillis from the kill until then
     */
    record Failover(
            int round,
            String vm,
            String from,
            String to,
            String kill,
            boolean activated,
            long detectionMillis,
            long activationMillis,
            long firstAnswerMillis,
            long stallMillis,
            @Nullable String protectedAgainBy,
            @Nullable Long protectedAgainMillis) {}

    /** A VM's failovers and what its client came to. */
    record Outcome(String vm, List<DemoRound> kills, ClientLoad.Figures client) {
        Outcome {
            kills = List.copyOf(kills);
        }

        private Vm figures() {
            DemoReport report = DemoReport.of(kills, client, DemoChecks.NONE);
            return new Vm(
                    vm,
                    report.rounds(),
                    report.activations(),
                    client.acknowledged(),
                    client.lost(),
                    client.resets(),
                    report.stallMillis(),
                    stallP90(kills));
        }
    }

    static ScenarioReport of(
            String scenario,
            int rounds,
            List<Outcome> outcomes,
            List<Failover> failovers,
            List<Census> census,
            List<String> leaks) {
        List<DemoRound> kills =
                outcomes.stream().flatMap(outcome -> outcome.kills().stream()).toList();
        ClientLoad.Figures clients = outcomes.stream()
                .map(Outcome::client)
                .reduce(new ClientLoad.Figures(0, 0, 0, null), ScenarioReport::together);
        DemoReport all = DemoReport.of(kills, clients, DemoChecks.NONE);
        return new ScenarioReport(
                scenario,
                rounds,
                all.rounds(),
                all.activations(),
                clients.acknowledged(),
                clients.lost(),
                clients.resets(),
                all.stallMillis(),
                stallP90(kills),
                all.detectionMillis(),
                all.activationMillis(),
                all.pauseMicros(),
                all.dirtyPages(),
                all.checkpoints(),
                outcomes.stream().map(Outcome::figures).toList(),
                List.copyOf(failovers),
                List.copyOf(census),
                List.copyOf(leaks),
                clients.problem());
    }

    private static ClientLoad.Figures together(ClientLoad.Figures one, ClientLoad.Figures other) {
        return new ClientLoad.Figures(
                one.acknowledged() + other.acknowledged(),
                one.lost() + other.lost(),
                one.resets() + other.resets(),
                one.problem() == null ? other.problem() : one.problem());
    }

    private static long stallP90(List<DemoRound> kills) {
        Histogram histogram = new Histogram(DIGITS);
        kills.stream().filter(DemoRound::activated).forEach(kill -> histogram.recordValue(kill.stallMillis()));
        return histogram.getTotalCount() == 0 ? 0 : histogram.getValueAtPercentile(90);
    }

    /** Every kill was survived, nothing was lost, and nothing is left behind. */
    boolean passed() {
        return kills > 0 && activations == kills && lost == 0 && resets == 0 && problem == null && leaks.isEmpty();
    }
}
