package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.EventType;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.api.WhenAlone;

/** What becomes of a VM whose backup is gone, for a moment or for good. */
@Tag("system")
@Timeout(180)
class BackupLossSystemTest {
    /** Longer than the boot and the wait for the commits together, which have deadlines of their own and say what is missing. */
    private static final long MEMORY_LIMIT_SECONDS = 600;

    /** A digest of all memory is computed on the agent's thread: on a busy machine that alone may take ten seconds. */
    private static final String DIGEST_DETECT = "60s";

    @TempDir
    private Path directory;

    @Test
    void whoHoldsReleasesNothingUntilTheBackupSaysThatItHasNoImage() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, TwoHosts.NO_TAKE_OVER, WhenAlone.HOLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                hosts.beta.kill(hosts.qemuPid(hosts.beta));
                hosts.await(hosts.alpha, VmState.DEGRADED);
                VmStatus held = hosts.alpha.await(
                        DemoGuest.NAME, status -> status.output().heldFrames() > 0, TwoHosts.LIMIT, "holding output");
                long released = held.output().releasedFrames();
                long acknowledged = load.figures().acknowledged();
                // The client's own retransmissions: the guest has tried to answer several times by then.
                hosts.alpha.await(
                        DemoGuest.NAME, status -> status.output().heldFrames() > 2, TwoHosts.LIMIT, "holding more");
                assertEquals(
                        released, hosts.alpha.status(DemoGuest.NAME).output().releasedFrames());
                assertEquals(acknowledged, load.figures().acknowledged());
                hosts.startDaemon(hosts.beta);
                hosts.beta.awaitUp();
                expectGoesOn(hosts, load);
            }
        }
    }

    private static void expectGoesOn(TwoHosts hosts, RedisClientLoad load) throws Exception {
        hosts.awaitAnswers(load, 50);
        ClientLoad.Figures figures = load.finish();
        assertNull(figures.problem());
        assertEquals(0, figures.lost() + figures.resets());
    }

    @Test
    void whoContinuesGoesOnAlone() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, "2s", WhenAlone.CONTINUE);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                hosts.beta.kill(hosts.qemuPid(hosts.beta));
                hosts.awaitEvent(hosts.alpha, EventType.DEGRADED);
                assertEquals(
                        0, hosts.await(hosts.alpha, VmState.DEGRADED).output().heldFrames());
                expectGoesOn(hosts, load);
            }
        }
    }

    @Test
    void whoIsProtectedAnewAtTheMomentItGoesOnAloneReleasesWhatWasHeld() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, TwoHosts.NO_TAKE_OVER, WhenAlone.HOLD);
            try (RedisClientLoad load = hosts.load()) {
                for (int loss = 0; loss < 2; loss++) {
                    hosts.awaitAnswers(load, 20);
                    hosts.beta.kill(hosts.qemuPid(hosts.beta));
                    hosts.await(hosts.alpha, VmState.DEGRADED);
                    hosts.startDaemon(hosts.beta);
                    protectAsSoonAsPossible(hosts);
                }
                expectGoesOn(hosts, load);
            }
        }
    }

    /** Asks again and again, so that a request waits while the VM goes on alone. */
    private static void protectAsSoonAsPossible(TwoHosts hosts) throws Exception {
        long deadline = System.nanoTime() + TwoHosts.LIMIT.toNanos();
        while (true) {
            try {
                hosts.protect(hosts.alpha, hosts.beta, TwoHosts.NO_TAKE_OVER, WhenAlone.HOLD);
                return;
            } catch (CommandException e) {
                String refusal = String.valueOf(e.getMessage());
                assertTrue(refusal.matches(".*(protected already|can't be reached|try again).*"), refusal);
                assertTrue(System.nanoTime() < deadline, refusal);
            }
        }
    }

    @Test
    void aConnectionThatIsCutForAMomentIsMadeAgainAndNothingIsLost() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, TwoHosts.NO_TAKE_OVER, WhenAlone.HOLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                hosts.nft(DemoTopology.Place.BETA, """
                        table inet cut {
                          chain in {
                            type filter hook input priority 0
                            tcp dport 7420 reject with tcp reset
                          }
                        }
                        """);
                hosts.awaitEvent(hosts.alpha, EventType.BACKUP_LOST);
                hosts.nft(DemoTopology.Place.BETA, "delete table inet cut\n");
                hosts.awaitEvent(hosts.alpha, EventType.RECONNECTED);
                hosts.await(hosts.alpha, VmState.PROTECTED);
                expectGoesOn(hosts, load);
                assertFalse(TwoHosts.happened(hosts.beta, EventType.ACTIVATING));
            }
        }
    }

    @Test
    void aDeadStandbyIsReplacedByOneWithTheSameImage() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, "2s", WhenAlone.HOLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                TwoHosts.signal("KILL", hosts.qemuPid(hosts.beta));
                hosts.awaitEvent(hosts.beta, EventType.STANDBY_LOST);
                hosts.beta.await(
                        DemoGuest.NAME,
                        status -> status.state() == VmState.STANDBY && status.qemuPid() != null,
                        TwoHosts.LIMIT,
                        "standing by again");
                hosts.await(hosts.alpha, VmState.PROTECTED);
                hosts.awaitAnswers(load, 20);
                hosts.alpha.kill(hosts.qemuPid(hosts.alpha));
                hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
                expectGoesOn(hosts, load);
            }
        }
    }

    @Test
    @Timeout(MEMORY_LIMIT_SECONDS)
    void memoryOfBothSidesIsEqualAtEachOfTwoHundredCommits() throws Exception {
        expectEqualMemory(List.of(), 200);
    }

    @Test
    @Timeout(MEMORY_LIMIT_SECONDS)
    void memoryIsEqualWithSynchronousTrackingToo() throws Exception {
        expectEqualMemory(List.of("-Dremus.tracking=sync"), 200);
    }

    private void expectEqualMemory(List<String> tracking, int commits) throws Exception {
        // The second compiler has processor instructions for digests, which the quickly started first one has not.
        List<String> options = List.of("-XX:TieredStopAtLevel=4");
        List<String> primarysOptions =
                Stream.concat(options.stream(), tracking.stream()).toList();
        try (TwoHosts hosts = TwoHosts.open(directory, primarysOptions, options)) {
            // An epoch may be half an interval of the guest's time, and a digest may make it so each time: the guest
            // writes
            // all its pages several times in that, whatever the rest of the epoch is spent on.
            hosts.boot("remus.run=dirty,redis remus.pages=500 remus.per=5ms");
            DemoGuest.awaitRedis(hosts.inside, TwoHosts.LIMIT);
            hosts.protect(
                    hosts.alpha,
                    hosts.beta,
                    new remus.api.ProtectRequest(
                            null, "50ms", null, DIGEST_DETECT, null, 1L, WhenAlone.HOLD, null, null, null));
            VmStatus status = hosts.alpha.await(
                    DemoGuest.NAME,
                    now -> now.state() != VmState.PROTECTED || now.committedEpoch() >= commits,
                    TwoHosts.LIMIT.multipliedBy(4),
                    "at commit " + commits);
            assertEquals(VmState.PROTECTED, status.state(), hosts::story);
            assertTrue(TwoHosts.happened(hosts.alpha, EventType.VERIFIED));
            assertFalse(TwoHosts.happened(hosts.alpha, EventType.VERIFY_FAILED));
            assertTrue(status.checkpoint().dirtyPages().p50() > 100, "the guest writes: " + status.checkpoint());
        }
    }
}
