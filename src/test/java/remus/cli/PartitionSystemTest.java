package remus.cli;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.WhenAlone;
import remus.cli.PartitionRounds.Cut;

/**
 * Real partitions: two hosts and three ZooKeeper servers, cut off from each other in one direction or both, with a live
 * client. What is asserted in each round, and why, is in {@link PartitionRounds}.
 */
@Tag("system")
@Timeout(600)
class PartitionSystemTest {
    /** A campaign takes them all; these are one of each kind. */
    private static final List<Cut> CUTS = List.of(
            Cut.PRIMARY_AND_ARBITER,
            Cut.PRIMARY_TO_BACKUP,
            Cut.BACKUP_AND_ARBITER,
            Cut.BACKUP_TO_PRIMARY,
            Cut.BACKUP_AND_ALL,
            Cut.PRIMARY_AND_ALL,
            Cut.ALL_AND_ALL);

    @TempDir
    private Path directory;

    @Test
    void aPartitionNeverMakesTwoOwnersAndLosesNothing() throws Exception {
        try (TwoHosts hosts = TwoHosts.openWithArbiter(directory)) {
            hosts.bootRedis();
            try (PartitionRounds rounds = new PartitionRounds(hosts)) {
                for (Cut cut : CUTS) {
                    PartitionRounds.Result result = rounds.round(cut);
                    System.err.println(result);
                    assertFalse(result.falseAlarm(), rounds::story);
                }
                System.err.println(rounds.finish());
            }
        }
    }

    /** What the other tests rest on: without an arbiter, and told to go on alone, both run the VM, and that is seen. */
    @Test
    void twoOwnersWouldBeSeenAtTheBridge() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            try (PartitionRounds rounds = new PartitionRounds(hosts, WhenAlone.CONTINUE)) {
                rounds.protect();
                hosts.awaitAnswers(rounds.load(), 20);
                rounds.bridge().capture(hosts.alpha.place(), hosts.beta.place());
                rounds.bridge().cut(hosts.alpha.place(), hosts.beta.place());
                rounds.bridge().cut(hosts.beta.place(), hosts.alpha.place());
                long deadline = System.nanoTime() + TwoHosts.LIMIT.toNanos();
                while (rounds.bridge().frames().late() == 0) {
                    assertTrue(System.nanoTime() < deadline, rounds::story);
                    TimeUnit.MILLISECONDS.sleep(50);
                }
            }
        }
    }
}
