package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.CheckpointStatus;
import remus.api.CompressMode;
import remus.api.EventType;
import remus.api.ProtectRequest;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.api.WhenAlone;

/** Checkpoints whose pages are coded hold what the guest has, take less on the link, and are taken over as any others. */
@Tag("system")
@Timeout(300)
class CompressionSystemTest {
    /** A digest of all memory is computed on the agent's thread: on a busy machine that alone may take ten seconds. */
    private static final String DIGEST_DETECT = "60s";

    private static final int CLIENTS = 4;

    @TempDir
    private Path directory;

    @Test
    void memoryOfBothSidesIsEqualAtEachCommit() throws Exception {
        // The second compiler has processor instructions for digests, which the quickly started first one has not.
        List<String> options = List.of("-XX:TieredStopAtLevel=4");
        try (TwoHosts hosts = TwoHosts.open(directory, options, options)) {
            hosts.boot("remus.run=dirty,redis remus.pages=500 remus.per=5ms");
            DemoGuest.awaitRedis(hosts.inside, TwoHosts.LIMIT);
            hosts.protect(hosts.alpha, hosts.beta, always("50ms", DIGEST_DETECT, 1L));
            VmStatus status = awaitCommits(hosts, 150);
            assertEquals(VmState.PROTECTED, status.state(), hosts::story);
            assertTrue(TwoHosts.happened(hosts.alpha, EventType.VERIFIED));
            assertFalse(TwoHosts.happened(hosts.alpha, EventType.VERIFY_FAILED));
            expectLess("500 pages in 5 ms", status.checkpoint());
        }
    }

    @Test
    void aHostThatDiesIsReplacedAndNothingIsLost() throws Exception {
        List<String> options = List.of("-XX:TieredStopAtLevel=4");
        try (TwoHosts hosts = TwoHosts.open(directory, options, options)) {
            hosts.bootRedis();
            hosts.protect(hosts.alpha, hosts.beta, always("25ms", "2s", null));
            List<RedisClientLoad> loads = new ArrayList<>();
            try {
                for (int client = 1; client <= CLIENTS; client++) {
                    loads.add(DemoGuest.connect(hosts.inside, client));
                }
                VmStatus status = awaitCommits(hosts, 400);
                expectLess(CLIENTS + " clients of Redis", status.checkpoint());
                hosts.alpha.kill(hosts.qemuPid(hosts.alpha));
                hosts.awaitEvent(hosts.beta, EventType.ACTIVATED);
                for (RedisClientLoad load : loads) {
                    hosts.awaitAnswers(load, 50);
                    ClientLoad.Figures figures = load.finish();
                    assertNull(figures.problem());
                    assertEquals(0, figures.lost());
                    assertEquals(0, figures.resets());
                }
                assertEquals(VmRole.PRIMARY, hosts.beta.status(DemoGuest.NAME).role());
            } finally {
                for (RedisClientLoad load : loads) {
                    load.close();
                }
            }
        }
    }

    private static ProtectRequest always(String interval, String detect, @Nullable Long verify) {
        return new ProtectRequest(
                null, interval, null, detect, null, verify, WhenAlone.HOLD, null, null, CompressMode.ALWAYS);
    }

    private static VmStatus awaitCommits(TwoHosts hosts, int commits) throws Exception {
        return hosts.alpha.await(
                DemoGuest.NAME,
                now -> now.state() != VmState.PROTECTED
                        || (now.committedEpoch() >= commits && now.checkpoint().bytesPerSecond() > 0),
                TwoHosts.LIMIT.multipliedBy(2),
                "at commit " + commits);
    }

    private static void expectLess(String load, CheckpointStatus checkpoint) {
        System.out.printf(
                "%s: %d pages a checkpoint, %d bytes/s for %d bytes/s, %.1f : 1%n",
                load,
                checkpoint.dirtyPages().p50(),
                checkpoint.bytesPerSecond(),
                checkpoint.rawBytesPerSecond(),
                (double) checkpoint.rawBytesPerSecond() / checkpoint.bytesPerSecond());
        assertTrue(
                checkpoint.bytesPerSecond() < checkpoint.rawBytesPerSecond(), () -> "nothing is spared: " + checkpoint);
    }
}
