package remus.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.cli.PartitionRounds.Cut;
import remus.zookeeper.TestEnsemble;

/**
 * Cuts of all kinds in random order, in some rounds with one of the arbiter's servers killed first, so that a cut may come
 * while the others elect a leader. What is asserted is in {@link PartitionRounds}. {@code ./build campaign partition
 * --rounds N --seed S} runs it longer.
 */
@Tag("system")
@Tag("long")
@Timeout(value = 6, unit = TimeUnit.HOURS)
class PartitionCampaignSystemTest {
    private static final int ROUNDS = Integer.getInteger("remus.campaign.rounds", 3);
    private static final long SEED = Long.getLong("remus.campaign.seed", 1);
    private static final List<Cut> CUTS = List.of(Cut.values());
    private static final int ONE_IN = 3;
    private static final int MAX_DELAY_MILLIS = 1_000;

    @TempDir
    private Path directory;

    @Test
    void noPartitionMakesTwoOwnersOrLosesAnythingOverManyRounds() throws Exception {
        Random random = new Random(SEED);
        try (TwoHosts hosts = TwoHosts.openWithArbiter(directory)) {
            hosts.bootRedis();
            try (PartitionRounds rounds = new PartitionRounds(hosts)) {
                long worstMillis = 0;
                int falseAlarms = 0;
                for (int round = 1; round <= ROUNDS; round++) {
                    Cut cut = CUTS.get(random.nextInt(CUTS.size()));
                    int killed = random.nextInt(ONE_IN) == 0 ? random.nextInt(TestEnsemble.SIZE) : -1;
                    rounds.protect();
                    TimeUnit.MILLISECONDS.sleep(random.nextInt(MAX_DELAY_MILLIS)); // the moment is what is tried
                    if (killed >= 0) {
                        hosts.servers().ensemble().kill(killed);
                    }
                    PartitionRounds.Result result = rounds.round(cut);
                    falseAlarms += result.falseAlarm() ? 1 : 0;
                    worstMillis = Math.max(worstMillis, result.recoveryMillis());
                    System.err.printf(
                            "round %d of %d, seed %d%s: %s%n",
                            round, ROUNDS, SEED, killed >= 0 ? ", server " + killed + " killed" : "", result);
                    if (killed >= 0) {
                        hosts.servers().heal();
                    }
                }
                System.err.printf(
                        "%d rounds, seed %d: %s, back within %d ms of healing, %d false alarms%n",
                        ROUNDS, SEED, rounds.finish(), worstMillis, falseAlarms);
            }
        }
    }
}
