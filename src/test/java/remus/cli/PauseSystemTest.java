package remus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.EventType;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.api.WhenAlone;

/** What an operator has paused stands still until it is resumed, on whichever host. */
@Tag("system")
@Timeout(300)
class PauseSystemTest {
    private static final String DETECT = "2s";

    @TempDir
    private Path directory;

    private static VmStatus ask(DemoHost host, String verb) throws Exception {
        return host.post(VmPath.verb(DemoGuest.NAME, verb));
    }

    /** Waits until epochs have passed on the host, in which the client had no answer. */
    private static void expectStill(DemoHost host, RedisClientLoad load, long epochs) throws Exception {
        long begun = host.status(DemoGuest.NAME).committedEpoch();
        // What was on its way when the guest was stopped may still arrive within the first of them.
        host.await(DemoGuest.NAME, vm -> vm.committedEpoch() > begun + 2, TwoHosts.LIMIT, "a commit");
        long answers = load.figures().acknowledged();
        host.await(DemoGuest.NAME, vm -> vm.committedEpoch() > begun + epochs, TwoHosts.LIMIT, "commits");
        assertEquals(answers, load.figures().acknowledged());
    }

    @Test
    void aPausedVmStaysProtectedAndPausedThroughAFailover() throws Exception {
        try (TwoHosts hosts = TwoHosts.open(directory)) {
            hosts.bootRedis();
            assertEquals("paused by command", ask(hosts.alpha, "pause").reason());
            assertEquals(VmState.UNPROTECTED, ask(hosts.alpha, "pause").state(), "once more is as good");
            assertNull(ask(hosts.alpha, "resume").reason());
            DemoGuest.awaitRedis(hosts.inside, TwoHosts.LIMIT);

            hosts.protect(hosts.alpha, hosts.beta, DETECT, WhenAlone.HOLD);
            try (RedisClientLoad load = hosts.load()) {
                hosts.awaitAnswers(load, 20);
                ask(hosts.alpha, "pause");
                expectStill(hosts.alpha, load, 40);
                assertEquals(
                        VmState.PROTECTED, hosts.alpha.status(DemoGuest.NAME).state());
                assertFalse(TwoHosts.happened(hosts.beta, EventType.ACTIVATING));
                ask(hosts.alpha, "resume");
                hosts.awaitAnswers(load, 20);

                ask(hosts.alpha, "pause");
                expectStill(hosts.alpha, load, 10);
                hosts.alpha.kill(hosts.qemuPid(hosts.alpha));
                hosts.awaitEvent(hosts.beta, EventType.PAUSED);
                long answers = load.figures().acknowledged();
                VmStatus taken = hosts.await(hosts.beta, VmState.UNPROTECTED);
                assertTrue(String.valueOf(taken.reason()).contains("paused by command"), taken.toString());
                TimeUnit.NANOSECONDS.sleep(Duration.ofSeconds(1).toNanos());
                assertEquals(answers, load.figures().acknowledged(), "it stands still there, too");
                ask(hosts.beta, "resume");
                hosts.awaitAnswers(load, 50);
                ClientLoad.Figures figures = load.finish();
                assertNull(figures.problem());
                assertEquals(0, figures.lost() + figures.resets());
            }
        }
    }
}
