package remus.zookeeper;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static remus.availability.ArbiterContract.ALPHA;
import static remus.availability.ArbiterContract.BETA;
import static remus.availability.ArbiterContract.VM;
import static remus.availability.ArbiterContract.alone;
import static remus.availability.ArbiterContract.read;
import static remus.availability.ArbiterContract.set;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import remus.availability.Arbiter;
import remus.availability.Arbiter.ReadOutcome;
import remus.availability.Arbiter.ReadOutcome.Found;
import remus.availability.Arbiter.ReadOutcome.Unavailable;
import remus.availability.Arbiter.SetOutcome;
import remus.availability.Arbiter.SetOutcome.Done;
import remus.availability.Arbiter.SetOutcome.Unknown;
import remus.availability.ArbiterContract;
import remus.availability.HostId;
import remus.availability.OwnershipRecord;
import remus.base.CloseStack;
import remus.base.HostAddress;

/** The arbiter on three real servers, which are killed, stopped and started again under it. */
@Tag("system")
class EnsembleSystemTest {
    private static final AtomicInteger ROOTS = new AtomicInteger();

    @TempDir
    static Path directory;

    private static TestEnsemble ensemble;

    private final CloseStack parts = new CloseStack();
    private String root;

    @BeforeAll
    static void startEnsemble() throws Exception {
        ensemble = new TestEnsemble(directory);
    }

    @AfterAll
    static void endEnsemble() {
        ensemble.close();
    }

    /** Each test has records of its own. */
    @BeforeEach
    void newRoot() {
        root = "/test/" + ROOTS.incrementAndGet();
    }

    @AfterEach
    void heal() throws Exception {
        parts.close();
        ensemble.heal();
    }

    private ArbiterWatch host(List<HostAddress> servers) {
        return parts.push(ArbiterWatch.start(servers, root, null));
    }

    private ArbiterWatch host() {
        return host(ensemble.addresses());
    }

    @Nested
    class AsAnArbiter extends ArbiterContract {
        @Override
        protected Arbiter connect() {
            return ArbiterWatch.start(ensemble.addresses(), root, null).arbiter();
        }
    }

    /** Asks for the next term until it has it, as a host would: an unknown outcome is asked again. */
    private static OwnershipRecord win(Arbiter arbiter, HostId self, @Nullable OwnershipRecord expected)
            throws Exception {
        long term = expected == null ? 1 : expected.term().value() + 1;
        OwnershipRecord next = alone(term, self, self + "." + term);
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(ArbiterWatch.WAIT_SECONDS);
        while (true) {
            SetOutcome outcome = set(arbiter, expected, next);
            if (outcome instanceof Done) {
                return next;
            }
            assertInstanceOf(Unknown.class, outcome);
            assertTrue(System.nanoTime() < deadline, "still " + outcome);
        }
    }

    @Test
    void aFollowersDeathIsNoticedByNobody() throws Exception {
        Arbiter alpha = host().arbiter();
        OwnershipRecord record = win(alpha, ALPHA, null);
        ensemble.kill((ensemble.awaitLeader() + 1) % TestEnsemble.SIZE);
        for (int term = 2; term <= 10; term++) {
            record = win(alpha, ALPHA, record);
        }
        assertEquals(new Found(record), read(host().arbiter(), VM));
    }

    @Test
    void theLeadersDeathDelaysACallAndLosesNone() throws Exception {
        Arbiter alpha = host().arbiter();
        OwnershipRecord record = win(alpha, ALPHA, null);
        for (int round = 0; round < 2; round++) {
            ensemble.kill(ensemble.awaitLeader());
            record = win(alpha, ALPHA, record);
            ensemble.heal();
        }
        assertEquals(new Found(record), read(host().arbiter(), VM));
    }

    @Test
    void withoutAMajorityNothingIsDecidedUntilItIsBack() throws Exception {
        ArbiterWatch alpha = host();
        OwnershipRecord record = win(alpha.arbiter(), ALPHA, null);
        ensemble.kill(0);
        ensemble.kill(1);
        assertInstanceOf(Unknown.class, set(alpha.arbiter(), record, alone(2, ALPHA, "a.2")));
        assertInstanceOf(Unavailable.class, read(alpha.arbiter(), VM));
        alpha.await(ArbiterStatus.State.DISCONNECTED);
        ensemble.start(0);
        alpha.await(ArbiterStatus.State.CONNECTED);
        assertEquals(new Done(), set(alpha.arbiter(), record, alone(2, ALPHA, "a.2")));
    }

    @Test
    void aSilentServerIsLeftForAnother() throws Exception {
        Arbiter alpha = host().arbiter();
        OwnershipRecord record = win(alpha, ALPHA, null);
        for (int server = 0; server < TestEnsemble.SIZE; server++) {
            ensemble.stop(server);
            record = win(alpha, ALPHA, record);
            ensemble.heal();
        }
        assertEquals(new Found(record), read(host().arbiter(), VM));
    }

    /** A leader that slept does not know that it leads nobody any more; what it holds is old. */
    @Test
    void aWokenLeaderTellsNobodyAnOldRecord() throws Exception {
        Arbiter beta = host().arbiter();
        OwnershipRecord record = win(beta, BETA, null);
        for (int round = 0; round < 3; round++) {
            int leader = ensemble.awaitLeader();
            ArbiterWatch alpha = host(List.of(ensemble.address(leader)));
            assertEquals(new Found(record), read(alpha.arbiter(), VM));
            ensemble.stop(leader);
            ensemble.awaitLeaderOtherThan(leader);
            record = win(beta, BETA, record);
            CompletableFuture<ReadOutcome> answer = new CompletableFuture<>();
            alpha.arbiter().read(VM, answer::complete);
            ensemble.wake(leader);
            ReadOutcome outcome = answer.get(ArbiterWatch.WAIT_SECONDS, TimeUnit.SECONDS);
            if (!(outcome instanceof Unavailable)) {
                assertEquals(new Found(record), outcome);
            }
            ensemble.heal();
        }
    }

    @Test
    void anExpiredSessionIsReplacedAndCostsNothing() throws Exception {
        OwnershipRecord record;
        try (ZooKeeperProxy proxy = new ZooKeeperProxy(ensemble.address(0))) {
            ArbiterWatch alpha = host(List.of(proxy.address()));
            record = win(alpha.arbiter(), ALPHA, null);
            proxy.silence();
            alpha.await(ArbiterStatus.State.DISCONNECTED);
            ensemble.awaitNoSession();
            assertInstanceOf(Unknown.class, set(alpha.arbiter(), record, alone(2, ALPHA, "a.2")));
            proxy.speak();
            alpha.await(ArbiterStatus.State.CONNECTED);
            record = win(alpha.arbiter(), ALPHA, record);
        }
        assertEquals(new Found(record), read(host().arbiter(), VM));
    }

    /** Two hosts want every term while servers die: no term is had twice, and none is lost that was granted. */
    @Test
    void everyTermIsGrantedOnceWhileServersDie() throws Exception {
        Semaphore grants = new Semaphore(0);
        Contender alpha = new Contender(host().arbiter(), ALPHA, grants);
        Contender beta = new Contender(host().arbiter(), BETA, grants);
        alpha.begin();
        beta.begin();
        for (int round = 0; round < 4; round++) {
            int victim = round % 2 == 0 ? ensemble.awaitLeader() : round % TestEnsemble.SIZE;
            ensemble.kill(victim);
            grants.drainPermits();
            assertTrue(grants.tryAcquire(10, ArbiterWatch.WAIT_SECONDS, TimeUnit.SECONDS), "no term is granted");
            ensemble.heal();
        }
        List<OwnershipRecord> alphas = alpha.end();
        List<OwnershipRecord> betas = beta.end();
        for (OwnershipRecord mine : alphas) {
            assertTrue(betas.stream().noneMatch(other -> other.term().equals(mine.term())), "twice: " + mine);
        }
        Found last = assertInstanceOf(Found.class, read(host().arbiter(), VM));
        long granted = (long) alphas.size() + betas.size();
        long unknown = (long) alpha.unknown.get() + beta.unknown.get();
        assertTrue(granted <= last.record().term().value(), "more grants than terms");
        assertTrue(granted + unknown >= last.record().term().value(), "terms that nobody asked for");
        System.out.printf(
                "terms %s: alpha %d, beta %d, unknown %d, refused %d%n",
                last.record().term(), alphas.size(), betas.size(), unknown, alpha.refused.get() + beta.refused.get());
        assertTrue(!alphas.isEmpty() && !betas.isEmpty());
    }
}
