package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.EventType;
import remus.api.StandbyMode;
import remus.api.VmState;
import remus.availability.Arbiter.ReadOutcome;
import remus.availability.Arbiter.SetOutcome;
import remus.availability.HostId;
import remus.availability.OwnershipRecord;
import remus.availability.RequestId;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.replication.BackupConnection;
import remus.replication.ReplicationServer;
import remus.replication.SessionHandler;
import remus.wire.Hello;
import remus.wire.HostAnswer;
import remus.wire.OwnerAnswer;
import remus.wire.OwnerState;

/** What a host does with a VM that it backs up, between its primary and the arbiter. */
@Timeout(60)
@SuppressWarnings("NullAway.Init") // each test begins with run
class StandbyOwnershipTest {
    private static final long DETECT_MILLIS = 400;
    private static final Term SESSION = new Term(2);
    private static final HostId PRIMARY = new HostId("gamma");
    private static final HostId SELF = new HostId(QuietHost.NAME);
    private static final OwnershipRecord NAMED =
            OwnershipRecord.protectedBy(SESSION, PRIMARY, SELF, new RequestId("gamma.1"));

    /** Nobody is there, unless a test says so. */
    private HostAddress primaryAddress = new HostAddress("127.0.0.1", 9);

    @TempDir
    private Path directory;

    private final Semaphore posted = new Semaphore(0);
    private final Agent agent = new Agent(posted::release);
    private final HeldArbiter arbiter = new HeldArbiter();
    private boolean moves;
    private QuietHost host;
    private StandbyCopy copy;
    private StandbyStatus status;
    private StandbyOwnership ownership;

    @SuppressWarnings("NullAway") // the primary's connection has just ended
    private void run(boolean isShared) throws Exception {
        host = new QuietHost(directory, isShared ? arbiter : null);
        Hello hello = new Hello(
                Hello.Mode.NEW,
                "shop",
                PRIMARY.name(),
                primaryAddress,
                "pc-q35-7.2",
                "7.2.22",
                2 << 20,
                4096,
                Duration.ofMillis(25),
                Duration.ofMillis(DETECT_MILLIS),
                0,
                new byte[0],
                List.of(),
                List.of());
        copy = new StandbyCopy(
                host.services, hello, SharedDefinitionTest.shop(StandbyMode.WARM), SESSION, primaryAddress);
        status = new StandbyStatus(host.services, hello, SESSION, primaryAddress, copy);
        PrimaryContact primary = new PrimaryContact("shop", null, host.time, 100_000_000);
        ownership = new StandbyOwnership(
                host.services,
                new StandbyOwnership.Standby(hello, moves, SESSION, primaryAddress, copy, primary, status),
                agent);
    }

    @AfterEach
    void close() {
        copy.close();
        host.close();
    }

    /** The agent works until that is so. */
    private void await(BooleanSupplier condition) throws InterruptedException {
        agent.runPosted();
        while (!condition.getAsBoolean()) {
            assertTrue(posted.tryAcquire(20, TimeUnit.SECONDS), "it comes to that");
            agent.runPosted();
        }
    }

    private void pass(long millis) {
        host.time.wallMillis.addAndGet(millis);
    }

    private void standBy() {
        ownership.checkpointIsWhole(new EpochId(1));
        assertEquals(VmState.STANDBY, status.state());
    }

    private Consumer<? super ReadOutcome> askAfterSilence() throws InterruptedException {
        // Looked at as often as an agent does: a longer gap would be this host's own sleep.
        for (int i = 0; i < 8 && !arbiter.isAsked(); i++) {
            pass(DETECT_MILLIS / 4);
            ownership.judgeSilence(host.time.nanos());
        }
        return arbiter.reading();
    }

    private void retry() {
        pass(host.services.pauses().retryNanos() / 1_000_000);
        ownership.tick(host.time.nanos());
    }

    // ---- waiting

    @Test
    void aStandbyThatAsksDoesNotSpin() throws Exception {
        run(true);
        standBy();
        askAfterSilence();
        pass(10 * DETECT_MILLIS);
        assertTrue(ownership.nanosUntilNextCheck() > 0, "the primary has been silent for long, and it knows");
    }

    @Test
    void aRecordThatIsOlderThanTheSessionMeansNotYet() throws Exception {
        run(true);
        standBy();
        OwnershipRecord before = OwnershipRecord.alone(new Term(1), PRIMARY, new RequestId("gamma.0"));
        askAfterSilence().accept(new ReadOutcome.Found(before));
        agent.runPosted();
        assertTrue(ownership.isBackup());
        retry();
        arbiter.reading().accept(new ReadOutcome.Found(NAMED));
        agent.runPosted();
        assertEquals(NAMED, arbiter.setting().expected());
    }

    @Test
    void fromItsRequestOnItIsNoBackupAndNoAnswerMakesItLoad() throws Exception {
        run(true);
        standBy();
        askAfterSilence().accept(new ReadOutcome.Found(NAMED));
        agent.runPosted();
        HeldArbiter.Call.Set asked = arbiter.setting();
        assertFalse(ownership.isBackup(), "it acknowledges nothing any more");
        asked.answer().accept(new SetOutcome.Unknown("connection lost"));
        agent.runPosted();
        assertFalse(ownership.duties().isToLoad());
        retry();
        arbiter.reading().accept(new ReadOutcome.Found(asked.next()));
        await(() -> status.state() == VmState.ACTIVATING);
        assertTrue(ownership.duties().isToLoad(), "its own request had landed");
    }

    @Test
    void aGrantThatComesAfterTheCopyWasLostLoadsNothing() throws Exception {
        run(true);
        standBy();
        askAfterSilence().accept(new ReadOutcome.Found(NAMED));
        agent.runPosted();
        HeldArbiter.Call.Set asked = arbiter.setting();
        ownership.loseStandby("its disk is gone");
        asked.answer().accept(new SetOutcome.Done());
        agent.runPosted(); // has it written down
        assertTrue(ownership.hasEnded());
        assertFalse(ownership.duties().isToLoad());
    }

    // ---- a VM that moves

    private void beSilent() {
        for (int i = 0; i < 8; i++) {
            pass(DETECT_MILLIS / 4);
            ownership.judgeSilence(host.time.nanos());
        }
    }

    @Test
    void aVmThatMovesIsTakenOverOnSilenceByNobodyWhereThereIsNoArbiter() throws Exception {
        moves = true;
        run(false);
        standBy();
        beSilent();
        assertTrue(ownership.hasEnded(), "its host goes on with it, and need not wait");
        assertFalse(ownership.duties().isToLoad());
    }

    @Test
    void aVmThatMovesIsTakenOverThereWhenItsHostIsDead() throws Exception {
        moves = true;
        run(false);
        standBy();
        ownership.guestDead("QEMU died");
        await(() -> ownership.duties().isToLoad());
    }

    @Test
    void theArbiterDecidesAboutAVmThatMovesAsAboutAnyOther() throws Exception {
        moves = true;
        run(true);
        standBy();
        askAfterSilence().accept(new ReadOutcome.Found(NAMED));
        agent.runPosted();
        assertEquals(NAMED, arbiter.setting().expected());
    }

    // ---- taking over

    private void activate() throws Exception {
        run(true);
        standBy();
        askAfterSilence().accept(new ReadOutcome.Found(NAMED));
        agent.runPosted();
        arbiter.setting().answer().accept(new SetOutcome.Done());
        await(() -> status.state() == VmState.ACTIVATING);
    }

    @Test
    void nothingIsTakenOverBeforeTheRecordSaysAlone() throws Exception {
        activate();
        assertTrue(ownership.duties().isToLoad());
        assertFalse(ownership.duties().isToLoad(), "once for each attempt");
        ownership.runs();
        HeldArbiter.Call.Set alone = arbiter.setting();
        assertNull(ownership.duties().taken());
        alone.answer().accept(new SetOutcome.Done());
        await(() -> ownership.duties().taken() != null);
    }

    @Test
    void aCopyThatIsLoadedTooLateIsGivenUp() throws Exception {
        activate();
        ownership.runs();
        OwnershipRecord back = OwnershipRecord.alone(new Term(4), PRIMARY, new RequestId("gamma.2"));
        arbiter.setting().answer().accept(new SetOutcome.Refused(back));
        agent.runPosted();
        assertTrue(ownership.hasEnded());
        assertNull(ownership.duties().taken());
        assertTrue(host.happened().contains(EventType.FAILED));
    }

    @Test
    void aDaemonThatKeepsItsVmsGivesUpNoTakeOverThatHasBegun() throws Exception {
        activate();
        ownership.leaveUnlessTakingOver("the daemon ends");
        assertTrue(ownership.duties().isToLoad(), "this may be the only copy");
        ownership.runs();
        ownership.leaveUnlessTakingOver("the daemon ends");
        arbiter.setting().answer().accept(new SetOutcome.Done());
        await(() -> ownership.duties().taken() != null);
        ownership.leaveUnlessTakingOver("the daemon ends");
        assertFalse(ownership.hasEnded(), "it becomes a VM that runs here, and that is left");
    }

    @Test
    void aDaemonThatKeepsItsVmsAwaitsARequestThatMayStillBeGranted() throws Exception {
        run(true);
        standBy();
        askAfterSilence().accept(new ReadOutcome.Found(NAMED));
        agent.runPosted();
        ownership.leaveUnlessTakingOver("the daemon ends");
        arbiter.setting().answer().accept(new SetOutcome.Done());
        await(() -> status.state() == VmState.ACTIVATING);
        assertTrue(ownership.duties().isToLoad());
    }

    @Test
    void aDaemonThatKeepsItsVmsGivesItsStandbysUp() throws Exception {
        run(true);
        standBy();
        ownership.leaveUnlessTakingOver("the daemon ends");
        assertTrue(ownership.hasEnded());
    }

    @Test
    void attemptsToLoadThatGoOnFailingComeWithAPause() throws Exception {
        activate();
        int prompt = 0;
        while (ownership.duties().isToLoad()) {
            ownership.loadFailed("no memory");
            arbiter.reading(); // whether the record still is its own
            prompt++;
            assertTrue(prompt < 100, "it does not spin");
        }
        pass(1000);
        assertTrue(ownership.duties().isToLoad());
    }

    /** Answers for the host that has handed the VM over. */
    private static final class FormerHost implements SessionHandler {
        private final AtomicInteger asked = new AtomicInteger();
        private volatile OwnerState says = OwnerState.UNKNOWN;

        @Override
        public OwnerAnswer answer(String vm) {
            OwnerState answer = says;
            asked.incrementAndGet();
            return new OwnerAnswer(vm, PRIMARY.name(), answer, SESSION, "asked");
        }

        void awaitAsked(int times) {
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
            while (asked.get() < times) {
                assertTrue(System.nanoTime() - deadline < 0, "it is asked");
                LockSupport.parkNanos(1_000_000);
            }
        }

        @Override
        public void session(Hello hello, BackupConnection connection) {
            throw new UnsupportedOperationException();
        }

        @Override
        public HostAnswer host() {
            throw new UnsupportedOperationException();
        }

        @Override
        public OwnerAnswer fence(String vm, Term term) {
            throw new UnsupportedOperationException();
        }
    }

    @Test
    void withoutAnArbiterAVmThatCantBeMadeToRunIsGivenBackToAFormerHostThatKeepsIt() throws Exception {
        FormerHost former = new FormerHost();
        try (ReplicationServer server =
                ReplicationServer.open(new HostAddress("127.0.0.1", 0), former, new SettableTime())) {
            primaryAddress = server.address();
            run(false);
            standBy();
            former.awaitAsked(1); // whether its port can be reached
            ownership.handedOver(0, "by command");
            await(() -> status.state() == VmState.ACTIVATING);
            for (int i = 0; i < 7; i++) {
                failToLoad();
            }
            former.awaitAsked(3);
            agent.runPosted();
            assertFalse(ownership.hasEnded(), "this may be the only copy");
            former.says = OwnerState.FENCED;
            failToLoad();
            await(ownership::hasEnded);
            assertFalse(ownership.duties().isToLoad());
        }
    }

    private void failToLoad() {
        pass(1000);
        agent.runPosted();
        assertTrue(ownership.duties().isToLoad());
        ownership.loadFailed("no memory");
    }

    // ---- by command

    private static String refusal(CompletableFuture<Void> result) throws Exception {
        Throwable cause = Assertions.assertThrows(ExecutionException.class, () -> result.get(20, TimeUnit.SECONDS))
                .getCause();
        assertNotNull(cause);
        return String.valueOf(cause.getMessage());
    }

    @Test
    void thereIsNothingToTakeOverBeforeTheFirstCheckpointIsWhole() throws Exception {
        run(true);
        CompletableFuture<Void> result = new CompletableFuture<>();
        ownership.commands().failOver(true, result);
        assertTrue(refusal(result).contains("no whole checkpoint"));
    }

    @Test
    void whoHasAskedForATakeOverIsToldThatItCantBe() throws Exception {
        run(true);
        standBy();
        CompletableFuture<Void> result = new CompletableFuture<>();
        ownership.commands().failOver(true, result);
        CompletableFuture<Void> another = new CompletableFuture<>();
        ownership.commands().failOver(true, another);
        assertTrue(refusal(another).contains("being activated already"));
        OwnershipRecord later = OwnershipRecord.alone(new Term(3), PRIMARY, new RequestId("gamma.2"));
        arbiter.reading().accept(new ReadOutcome.Found(later));
        agent.runPosted();
        assertTrue(refusal(result).contains("is not taken over"));
        assertTrue(ownership.hasEnded());
    }

    @Test
    void aPrimaryThatCantBeReachedNeedNotBeFenced() throws Exception {
        run(true);
        standBy();
        CompletableFuture<Void> result = new CompletableFuture<>();
        ownership.commands().failOver(false, result);
        await(arbiter::isAsked);
        arbiter.reading();
        assertFalse(result.isDone());
        ownership.commands().ended(false);
        assertTrue(refusal(result).contains("not backed up here any more"));
    }
}
