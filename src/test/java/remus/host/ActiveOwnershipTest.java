package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.EventType;
import remus.api.MigrationStage;
import remus.api.VmState;
import remus.api.WhenAlone;
import remus.availability.Arbiter.ReadOutcome;
import remus.availability.Arbiter.SetOutcome;
import remus.availability.HostId;
import remus.availability.OwnershipRecord;
import remus.availability.PrimaryState;
import remus.availability.PrimaryState.Alone;
import remus.availability.PrimaryState.GoingAlone;
import remus.availability.PrimaryState.Joining;
import remus.availability.PrimaryState.Leaving;
import remus.availability.PrimaryState.Opening;
import remus.availability.PrimaryState.Protected;
import remus.availability.PrimaryState.Role;
import remus.availability.PrimaryState.Synchronizing;
import remus.availability.PrimaryState.Waiting;
import remus.availability.RequestId;
import remus.availability.Step;
import remus.base.EpochId;
import remus.base.Term;
import remus.migration.MigrationPlan;
import remus.network.GuestNetwork;
import remus.wire.OwnerState;

/** What a host does with a VM that runs on it, between its guest, its session and the arbiter. */
@Timeout(60)
@SuppressWarnings("NullAway.Init") // each test begins with run
class ActiveOwnershipTest {
    private static final EpochId FIRST = new EpochId(1);
    private static final HostId SELF = new HostId(QuietHost.NAME);

    /** As a host without an arbiter remembers it. */
    private static final OwnershipRecord START =
            OwnershipRecord.alone(new Term(1), SELF, new RequestId(SELF + ".noted.1"));

    @TempDir
    private Path directory;

    private final Semaphore posted = new Semaphore(0);
    private final Agent agent = new Agent(posted::release);
    private final FakeGuest guest = new FakeGuest(QuietHost.definition("shop"));
    private final GuestNetwork network = new GuestNetwork(List.of());
    private final VmProtection protection = new VmProtection(network, START.term());
    private final HeldArbiter arbiter = new HeldArbiter();
    private @Nullable QuietHost host;
    private ActiveStatus status;
    private ProtectionWish wish;
    private ActiveOwnership ownership;
    private FakeSession session;

    /**
     * The VM runs here, alone; its first session is to be {@code session}.
     *
     * @param backups that its definition names
     */
    private void run(boolean isShared, WhenAlone whenAlone, String... backups) throws Exception {
        QuietHost opened = new QuietHost(directory, isShared ? arbiter : null);
        host = opened;
        status = new ActiveStatus(guest, protection, opened.services.events(), QuietHost.NAME);
        ProtectionSettings defined = ProtectionSettings.DEFAULTS;
        for (String backup : backups) {
            defined = defined.withLast(backup);
        }
        RunningNote note = RunningNote.begin(directory, RunningVm.alone(guest.definition(), START, defined));
        wish = new ProtectionWish("shop", opened.services.keeper(), status, note);
        ownership = new ActiveOwnership(
                opened.services,
                new ActiveOwnership.Vm(guest, protection, status, wish, note),
                new VmArbiter(opened.services, "shop", agent::post, START.term()),
                new Step<>(new PrimaryState(opened.services.newRequests(), new Alone(START, false)), List.of()),
                agent);
        session = new FakeSession(whenAlone, agent, opened.time);
    }

    @AfterEach
    void close() {
        protection.abandon();
        if (ownership != null) {
            ownership.ending();
        }
        network.close();
        if (host != null) {
            host.close();
        }
    }

    /** The agent works until the VM's role is that. */
    private void await(Class<? extends Role> role) throws InterruptedException {
        agent.runPosted();
        while (!role.isInstance(ownership.role())) {
            assertTrue(posted.tryAcquire(20, TimeUnit.SECONDS), "no " + role.getSimpleName() + ": " + ownership.role());
            agent.runPosted();
        }
    }

    /** The retry pause is over. */
    private void retry() {
        host().time.wallMillis.addAndGet(host().services.pauses().retryNanos() / 1_000_000);
        ownership.tick(host().time.nanos());
        agent.runPosted();
    }

    private void protect() {
        ownership.commands().protect(session.settings, session, new CompletableFuture<>());
        agent.runPosted();
    }

    /** The backup holds the first full checkpoint; with an arbiter it is asked to name it. */
    private void synchronize(boolean isShared) throws Exception {
        protect();
        if (isShared) {
            arbiter.reading().accept(new ReadOutcome.Found(START));
        }
        await(Synchronizing.class);
        session.owner().firstCheckpointPaused(FIRST);
        assertInstanceOf(Joining.class, ownership.role());
        assertTrue(guest.held);
    }

    /** The record that names the backup. */
    private OwnershipRecord protectShared() throws Exception {
        synchronize(true);
        session.owner().acknowledged(FIRST);
        HeldArbiter.Call.Set asked = arbiter.setting();
        asked.answer().accept(new SetOutcome.Done());
        await(Protected.class);
        return asked.next();
    }

    private void protectAlone() throws Exception {
        synchronize(false);
        session.owner().acknowledged(FIRST);
        await(Protected.class);
    }

    // ---- output

    @Test
    void whatIsHeldIsNotHeldAgain() throws Exception {
        run(true, WhenAlone.HOLD);
        synchronize(true);
        session.owner().acknowledged(FIRST);
        OwnershipRecord renewed = OwnershipRecord.alone(new Term(2), SELF, new RequestId("alpha.other.1"));
        arbiter.setting().answer().accept(new SetOutcome.Refused(renewed));
        await(GoingAlone.class);
        assertTrue(guest.held);
        HeldArbiter.Call.Set alone = arbiter.setting();
        assertEquals(renewed, alone.expected());
        alone.answer().accept(new SetOutcome.Done());
        await(Alone.class);
        assertFalse(guest.held);
        assertFalse(status.hasEnded());
    }

    @Test
    void aGrantThatComesLateReleasesNothing() throws Exception {
        run(true, WhenAlone.HOLD);
        synchronize(true);
        session.owner().acknowledged(FIRST);
        HeldArbiter.Call.Set naming = arbiter.setting();
        session.owner().backupGone("its disk is full");
        HeldArbiter.Call.Set superseding = arbiter.setting();
        assertEquals(naming.expected(), superseding.expected(), "of the two one can be granted");
        naming.answer().accept(new SetOutcome.Done());
        superseding.answer().accept(new SetOutcome.Refused(naming.next()));
        HeldArbiter.Call.Set next = nextSetting();
        assertEquals(naming.next(), next.expected());
        assertTrue(guest.held);
        assertInstanceOf(GoingAlone.class, ownership.role());
        next.answer().accept(new SetOutcome.Done());
        await(Alone.class);
        assertFalse(guest.held);
    }

    private HeldArbiter.Call.Set nextSetting() throws InterruptedException {
        agent.runPosted();
        while (!arbiter.isAsked()) {
            assertTrue(posted.tryAcquire(20, TimeUnit.SECONDS));
            agent.runPosted();
        }
        return arbiter.setting();
    }

    @Test
    void aDutyThatFailsDropsOutputAndLetsWhoeverHasACopyTakeOver() throws Exception {
        run(true, WhenAlone.HOLD);
        guest.failure = new IllegalStateException("no buffer");
        protect();
        arbiter.reading().accept(new ReadOutcome.Found(START));
        await(Synchronizing.class);
        session.owner().firstCheckpointPaused(FIRST);
        assertTrue(guest.discarded);
        assertTrue(status.hasEnded());
        assertEquals(OwnerState.UNKNOWN, status.ownerAnswer().state(), "not STOPPED, by which a backup drops its copy");
    }

    // ---- a backup that is to be there all the time

    @Test
    void toBeProtectedByTheBackupThatIsThereIsNoErrorAndByAnotherOneIs() throws Exception {
        run(true, WhenAlone.HOLD);
        CompletableFuture<Void> first = new CompletableFuture<>();
        ownership.commands().protect(session.settings, session, first);
        CompletableFuture<Void> second = new CompletableFuture<>();
        ownership.commands().protect(session.settings, session, second);
        assertFalse(second.isDone(), "the arbiter has yet to confirm the record");
        arbiter.reading().accept(new ReadOutcome.Found(START));
        await(Synchronizing.class);
        assertTrue(first.isDone() && second.isDone() && !second.isCompletedExceptionally());
        CompletableFuture<Void> third = new CompletableFuture<>();
        ownership.commands().protect(session.settings, session, third);
        assertTrue(third.isDone() && !third.isCompletedExceptionally());
    }

    @Test
    void aVmThatWasUnprotectedByCommandIsNotProtectedAgain() throws Exception {
        run(true, WhenAlone.HOLD, "gamma");
        assertNull(ownership.commands().refusalToProtectAgain());
        CompletableFuture<Void> unprotected = new CompletableFuture<>();
        ownership.commands().unprotect(false, unprotected);
        assertTrue(unprotected.isDone() && !unprotected.isCompletedExceptionally());
        assertEquals(VmState.UNPROTECTED, status.state());
        assertEquals(List.of(EventType.UNPROTECTED), host().happened());
        CompletableFuture<Void> again = new CompletableFuture<>();
        ownership.commands().protectAgain(session.settings, session, again);
        assertTrue(again.isCompletedExceptionally());
        CompletableFuture<Void> twice = new CompletableFuture<>();
        ownership.commands().unprotect(false, twice);
        assertTrue(twice.isCompletedExceptionally(), "there is nothing to end");
    }

    @Test
    void aVmThatWasProtectedOnceStaysToBeProtectedWhenItsBackupIsLost() throws Exception {
        run(true, WhenAlone.HOLD);
        assertFalse(wish.isWanted());
        protectShared();
        assertEquals(session.settings, wish.settings());
        session.owner().backupGone("its disk is full");
        arbiter.setting().answer().accept(new SetOutcome.Done());
        await(Alone.class);
        assertEquals(VmState.DEGRADED, status.state());
        assertTrue(status.published().looksForBackup());
        wish.waits("nobody answers; next try in 1 s", true);
        assertFalse(status.published().looksForBackup());
        assertEquals("nobody answers; next try in 1 s", status.reason());
        assertTrue(wish.isWanted());
    }

    @Test
    void aVmWhoseHostSleptWhileItsBackupWasNamedIsToBeProtectedAllTheSame() throws Exception {
        run(true, WhenAlone.HOLD);
        synchronize(true);
        session.owner().acknowledged(FIRST);
        HeldArbiter.Call.Set naming = arbiter.setting();
        session.owner().wokeLate();
        naming.answer().accept(new SetOutcome.Done());
        await(PrimaryState.Woken.class);
        assertFalse(wish.isWanted());
        arbiter.reading().accept(new ReadOutcome.Found(naming.next()));
        await(Protected.class);
        assertTrue(wish.isWanted());
        assertEquals(session.settings, wish.settings());
        assertEquals(VmState.PROTECTED, status.state());
        assertEquals(EventType.PROTECTED, host().happened().getLast());
    }

    @Test
    void aBackupThatWantsToBeLetGoIsSignedOffAndTheVmIsStillToHaveOne() throws Exception {
        run(false, WhenAlone.HOLD);
        protectAlone();
        session.owner().reliefWanted("host beta is being drained");
        assertInstanceOf(Leaving.class, ownership.role());
        session.owner().reliefWanted("host beta is being drained"); // it asks again and again
        retry();
        assertEquals(1, session.sent.stream().filter("signOff"::equals).count(), session.sent.toString());
        session.channel().signedOff("image dropped");
        await(Alone.class);
        assertFalse(guest.held);
        assertEquals(VmState.DEGRADED, status.state());
        assertTrue(String.valueOf(status.reason()).startsWith("host beta is being drained"), status.reason());
        assertTrue(wish.isWanted());
    }

    @Test
    void whoUnprotectsAVmWhoseBackupIsBeingLetGoWantsNoOtherOne() throws Exception {
        run(false, WhenAlone.HOLD);
        protectAlone();
        session.owner().reliefWanted("host beta is being drained");
        CompletableFuture<Void> unprotected = new CompletableFuture<>();
        ownership.commands().unprotect(false, unprotected);
        retry();
        session.channel().signedOff("image dropped");
        await(Alone.class);
        assertTrue(unprotected.isDone());
        assertEquals(VmState.UNPROTECTED, status.state());
        assertFalse(wish.isWanted());
    }

    @Test
    void aDaemonThatEndsLeavesTheWishToTheNextOne() throws Exception {
        run(false, WhenAlone.HOLD);
        protectAlone();
        CompletableFuture<Void> left = new CompletableFuture<>();
        ownership.commands().leave("the daemon ends", left);
        retry();
        session.channel().signedOff("image dropped");
        await(Alone.class);
        assertTrue(left.isDone());
        RunningVm noted = RunningNote.read(directory);
        assertTrue(noted.wanted());
        assertNull(noted.session());
        assertEquals(session.settings, noted.protection());
    }

    // ---- a backup that is lost

    @Test
    void withAnArbiterABackupThatIsSilentIsGivenUpUnasked() throws Exception {
        run(true, WhenAlone.HOLD);
        OwnershipRecord record = protectShared();
        session.owner().givenUp("no contact");
        HeldArbiter.Call.Set alone = arbiter.setting();
        assertEquals(record, alone.expected());
        assertInstanceOf(GoingAlone.class, ownership.role());
        assertTrue(guest.held);
    }

    @Test
    void withoutAnArbiterABackupThatIsSilentIsWaitedForUnlessToldOtherwise() throws Exception {
        run(false, WhenAlone.HOLD);
        protectAlone();
        session.owner().severed("no contact");
        session.owner().givenUp("no contact");
        assertInstanceOf(Protected.class, ownership.role());
        assertEquals(VmState.DEGRADED, status.state());
        assertTrue(guest.held);
    }

    @Test
    void aBackupThatFallsSilentBeforeTheFirstCheckpointIsGivenUpInAnyCase() throws Exception {
        run(false, WhenAlone.HOLD);
        protect();
        await(Synchronizing.class);
        session.owner().severed("no contact");
        session.owner().givenUp("no contact");
        await(Alone.class);
        assertEquals(VmState.UNPROTECTED, status.state());
        assertEquals("no contact", status.reason());
        assertFalse(guest.held);
    }

    @Test
    void aSessionThatCantGoOnDoesNotBecomeProtectedAgain() throws Exception {
        run(true, WhenAlone.HOLD);
        protectShared();
        session.owner().failed("a disk can't be read");
        assertInstanceOf(Leaving.class, ownership.role());
        arbiter.reading().accept(new ReadOutcome.Unavailable("no connection"));
        await(GoingAlone.class);
        session.owner().reconnected(FIRST);
        assertInstanceOf(GoingAlone.class, ownership.role(), "a hello does not mend the disk");
        assertTrue(guest.held);
    }

    @Test
    void anUnprotectIsNotForgottenWhenTheBackupReturns() throws Exception {
        run(true, WhenAlone.HOLD);
        OwnershipRecord record = protectShared();
        session.owner().givenUp("no contact");
        HeldArbiter.Call.Set alone = arbiter.setting();
        CompletableFuture<Void> unprotected = new CompletableFuture<>();
        ownership.commands().unprotect(false, unprotected);
        alone.answer().accept(new SetOutcome.Refused(record)); // certainly not granted
        agent.runPosted();
        session.owner().reconnected(FIRST);
        await(Leaving.class);
        assertFalse(unprotected.isDone());
        arbiter.reading().accept(new ReadOutcome.Found(record));
        agent.runPosted();
        assertTrue(session.sent.contains("signOff"), session.sent.toString());
    }

    @Test
    void aSignOffWithoutAnAnswerIsToldToWhoWaitsForIt() throws Exception {
        run(false, WhenAlone.HOLD);
        protectAlone();
        CompletableFuture<Void> unprotected = new CompletableFuture<>();
        ownership.commands().unprotect(false, unprotected);
        agent.runPosted();
        assertTrue(session.sent.contains("signOff"), session.sent.toString());
        session.channel().signOffUnanswered("no answer within 1 s");
        await(GoingAlone.class);
        assertTrue(unprotected.isCompletedExceptionally());
        assertTrue(guest.held);
    }

    /** The operator has been told that the backup does not answer. */
    private void endUnanswered() throws Exception {
        run(false, WhenAlone.HOLD);
        protectAlone();
        ownership.commands().unprotect(false, new CompletableFuture<>());
        agent.runPosted();
        session.channel().signOffUnanswered("no answer within 1 s");
        await(GoingAlone.class);
        assertEquals(VmState.DEGRADED, status.state());
        assertEquals(OwnerState.RUNNING_UNCERTAIN, status.ownerAnswer().state());
    }

    @Test
    void anEndByCommandThatIsNotAnsweredHoldsWhenTheVmIsAloneAtLast() throws Exception {
        endUnanswered();
        session.owner().backupGone("it knows nothing of the VM");
        retry();
        await(Alone.class);
        assertEquals(VmState.UNPROTECTED, status.state());
        assertFalse(wish.isWanted());
    }

    @Test
    void anEndByCommandThatIsNotAnsweredHoldsWhenTheBackupReturns() throws Exception {
        endUnanswered();
        session.owner().reconnected(FIRST);
        await(Leaving.class);
        assertEquals(2, session.sent.stream().filter("signOff"::equals).count(), session.sent.toString());
    }

    @Test
    void nobodyIsCalledProtectedWhileTheArbiterDoesNotAnswer() throws Exception {
        run(true, WhenAlone.HOLD);
        OwnershipRecord record = protectShared();
        ownership.commands().unprotect(false, new CompletableFuture<>());
        arbiter.reading().accept(new ReadOutcome.Found(record));
        agent.runPosted();
        session.owner().backupGone("image dropped by beta");
        assertEquals(VmState.PROTECTED, status.state());
        arbiter.setting().answer().accept(new SetOutcome.Unknown("no connection"));
        agent.runPosted();
        assertEquals(VmState.DEGRADED, status.state());
        assertTrue(guest.held);
    }

    @Test
    void nobodyIsProtectedWhileOutputIsStillHeld() throws Exception {
        run(false, WhenAlone.HOLD);
        guest.held = true; // the last protection's disks still owe something
        CompletableFuture<Void> result = new CompletableFuture<>();
        ownership.commands().protect(session.settings, session, result);
        assertTrue(result.isCompletedExceptionally());
        assertInstanceOf(Alone.class, ownership.role());
    }

    // ---- the other host

    @Test
    void theLoserKeepsItsGuestPausedUntilTheRecordSaysThatTheOtherRuns() throws Exception {
        run(true, WhenAlone.HOLD);
        OwnershipRecord record = protectShared();
        ownership.fence(record.term().next());
        assertInstanceOf(Waiting.class, ownership.role());
        assertTrue(guest.discarded && guest.paused);
        HostId beta = new HostId("beta");
        OwnershipRecord activating =
                OwnershipRecord.activating(record.term().next(), beta, SELF, new RequestId("beta.1"));
        arbiter.reading().accept(new ReadOutcome.Found(activating));
        agent.runPosted();
        assertFalse(guest.gone);
        retry();
        OwnershipRecord alone = OwnershipRecord.alone(activating.term().next(), beta, new RequestId("beta.2"));
        arbiter.reading().accept(new ReadOutcome.Found(alone));
        await(PrimaryState.Gone.class);
        assertTrue(guest.gone);
        assertEquals(VmState.FENCED, status.state());
    }

    // ---- switchover

    /** The guest's last checkpoint is committed, and the backup is ordered to take over. */
    private CompletableFuture<Void> handOver() {
        CompletableFuture<Void> result = new CompletableFuture<>();
        ownership.commands().switchOver(result);
        session.owner().lastCommitted();
        return result;
    }

    @Test
    void aVmThatWasHandedOverWaitsUntilTheRecordSaysThatItRunsThere() throws Exception {
        run(true, WhenAlone.HOLD);
        OwnershipRecord record = protectShared();
        guest.ownsDisks = false;
        CompletableFuture<Void> result = handOver();
        assertInstanceOf(Waiting.class, ownership.role());
        assertTrue(session.sent.contains("handOver"), session.sent.toString());
        assertFalse(session.sent.contains("signOff"), session.sent.toString());
        assertTrue(guest.discarded && guest.paused);
        HostId beta = new HostId("beta");
        OwnershipRecord activating =
                OwnershipRecord.activating(record.term().next(), beta, SELF, new RequestId("beta.1"));
        arbiter.reading().accept(new ReadOutcome.Found(activating));
        agent.runPosted();
        assertFalse(result.isDone() || guest.gone);
        retry();
        arbiter.reading()
                .accept(new ReadOutcome.Found(
                        OwnershipRecord.alone(activating.term().next(), beta, new RequestId("beta.2"))));
        await(PrimaryState.Gone.class);
        assertTrue(guest.gone);
        assertFalse(guest.ownsDisks, "its images may be the other host's");
        result.get(1, TimeUnit.SECONDS);
    }

    @Test
    void aBackupThatNeverWillActivateIsNotWaitedForUntilThatIsOverdue() throws Exception {
        run(false, WhenAlone.HOLD);
        protectAlone();
        guest.ownsDisks = false;
        CompletableFuture<Void> result = handOver();
        assertInstanceOf(Waiting.class, ownership.role());
        assertFalse(guest.ownsDisks);
        session.channel().backupLost("its standby died");
        await(Alone.class);
        assertFalse(guest.paused || guest.gone || guest.held);
        assertTrue(guest.ownsDisks);
        assertTrue(result.isCompletedExceptionally());
        assertEquals(VmState.DEGRADED, status.state());
        assertTrue(wish.isWanted());
    }

    @Test
    void anOperatorsWordEndsTheWaitingAtOnceAndForGood() throws Exception {
        run(false, WhenAlone.HOLD);
        protectAlone();
        session.owner().backupActivated("no sign of the primary for 301 ms");
        assertInstanceOf(Waiting.class, ownership.role());
        CompletableFuture<Void> unprotected = new CompletableFuture<>();
        ownership.commands().unprotect(true, unprotected);
        await(Alone.class);
        unprotected.get(1, TimeUnit.SECONDS);
        assertFalse(guest.paused || guest.gone);
        assertEquals(VmState.UNPROTECTED, status.state());
        assertFalse(wish.isWanted());
    }

    @Test
    void aBackupWithoutAnImageGivesTheVmBack() throws Exception {
        run(false, WhenAlone.HOLD);
        protectAlone();
        CompletableFuture<Void> result = handOver();
        assertInstanceOf(Waiting.class, ownership.role());
        session.channel().backupLost("its standby died");
        agent.runPosted();
        host().time.wallMillis.addAndGet(host().services.pauses().activationNanos() / 1_000_000);
        for (int i = 0; i < 3; i++) {
            retry();
        }
        await(Alone.class);
        assertFalse(guest.paused || guest.gone);
        assertTrue(result.isCompletedExceptionally());
    }

    @Test
    void aVmThatWasTakenBackIsProtectedAgainWhileItsFormerBackupIsStillBeingTold() throws Exception {
        run(true, WhenAlone.HOLD);
        OwnershipRecord record = protectShared();
        assertFalse(handOver().isDone());
        arbiter.reading().accept(new ReadOutcome.Found(record));
        agent.runPosted();
        host().time.wallMillis.addAndGet(host().services.pauses().activationNanos() / 1_000_000);
        retry();
        arbiter.reading().accept(new ReadOutcome.Found(record));
        agent.runPosted();
        arbiter.setting().answer().accept(new SetOutcome.Done());
        await(Alone.class);
        FakeSession former = session;
        assertTrue(former.sent.contains("signOff"), former.sent.toString());
        session = new FakeSession(WhenAlone.HOLD, agent, host().time);
        protect();
        arbiter.reading().accept(new ReadOutcome.Found(((Opening) ownership.role()).record()));
        await(Synchronizing.class);
        assertFalse(former.sent.contains("close"), "it has been ordered to take over, and not let go yet");
        former.channel().signedOff("image dropped");
        agent.runPosted();
        awaitClosed(former);
        assertInstanceOf(Synchronizing.class, ownership.role());
    }

    private static void awaitClosed(FakeSession session) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!session.sent.contains("close")) {
            assertTrue(System.nanoTime() - deadline < 0, "it is closed: " + session.sent);
            java.util.concurrent.locks.LockSupport.parkNanos(1_000_000);
        }
    }

    @Test
    void aSwitchoverEndsWithTheContactToTheBackup() throws Exception {
        run(true, WhenAlone.HOLD);
        protectShared();
        CompletableFuture<Void> result = new CompletableFuture<>();
        ownership.commands().switchOver(result);
        session.owner().severed("no contact");
        assertTrue(result.isCompletedExceptionally());
        session.owner().lastCommitted(); // was under way
        assertInstanceOf(Protected.class, ownership.role());
        assertFalse(session.sent.contains("handOver"), session.sent.toString());
    }

    @Test
    void onlyAProtectedVmIsSwitchedOver() throws Exception {
        run(true, WhenAlone.HOLD);
        CompletableFuture<Void> result = new CompletableFuture<>();
        ownership.commands().switchOver(result);
        ExecutionException refused = assertThrows(ExecutionException.class, result::get);
        assertTrue(String.valueOf(refused.getMessage()).contains("UNPROTECTED"), refused.getMessage());
        protectShared();
        session.owner().severed("no contact");
        CompletableFuture<Void> degraded = new CompletableFuture<>();
        ownership.commands().switchOver(degraded);
        refused = assertThrows(ExecutionException.class, degraded::get);
        assertTrue(String.valueOf(refused.getMessage()).contains("no contact"), refused.getMessage());
    }

    // ---- pause by command

    private CompletableFuture<Void> pause(boolean still) {
        CompletableFuture<Void> result = new CompletableFuture<>();
        ownership.commands().pause(still, result);
        return result;
    }

    @Test
    void aPausedVmStaysInItsStateAndSaysWhy() throws Exception {
        run(true, WhenAlone.HOLD);
        protectShared();
        pause(true).get(1, TimeUnit.SECONDS);
        pause(true).get(1, TimeUnit.SECONDS);
        assertTrue(guest.still);
        assertEquals(VmState.PROTECTED, status.publish().state());
        assertEquals("paused by command", status.publish().reason());
        session.owner().severed("no contact");
        assertEquals(
                "paused by command; output is held: no contact",
                status.publish().reason());
        pause(false).get(1, TimeUnit.SECONDS);
        pause(false).get(1, TimeUnit.SECONDS);
        assertFalse(guest.still);
    }

    @Test
    void aVmThatIsBeingHandedOverIsNotPaused() throws Exception {
        run(true, WhenAlone.HOLD);
        protectShared();
        CompletableFuture<Void> result = new CompletableFuture<>();
        ownership.commands().switchOver(result);
        assertTrue(pause(true).isCompletedExceptionally());
        session.owner().lastCommitted();
        assertInstanceOf(Waiting.class, ownership.role());
        assertTrue(pause(true).isCompletedExceptionally());
        assertFalse(guest.still);
    }

    // ---- a session that is parting

    /** The session failed before its backup was named: it is signed off, and an operator vouches for the backup. */
    private FakeSession partWithoutArbiter() throws Exception {
        run(false, WhenAlone.HOLD);
        synchronize(false);
        FakeSession parting = session;
        parting.owner().failed("a disk can't be read");
        assertInstanceOf(GoingAlone.class, ownership.role());
        assertTrue(parting.sent.contains("signOff"), parting.sent.toString());
        return parting;
    }

    @Test
    void aSessionThatIsPartingAndNotLetGoHoldsOutput() throws Exception {
        FakeSession parting = partWithoutArbiter();
        parting.channel().signOffUnanswered("no answer within 1 s");
        agent.runPosted();
        assertEquals(VmState.DEGRADED, status.state());
        assertTrue(guest.held);
        ownership.commands().unprotect(true, new CompletableFuture<>());
        await(Alone.class);
        assertFalse(guest.held);
    }

    @Test
    void aSessionThatIsPartingIsLetGoByItsBackup() throws Exception {
        FakeSession parting = partWithoutArbiter();
        parting.channel().signedOff("image dropped");
        await(Alone.class);
        assertFalse(guest.held);
    }

    @Test
    void aSignOffThatIsNotAnsweredChangesNothingOfAVmThatIsAloneByNow() throws Exception {
        FakeSession parting = partWithoutArbiter();
        agent.runPosted();
        ownership.commands().unprotect(true, new CompletableFuture<>());
        await(Alone.class);
        assertEquals(VmState.UNPROTECTED, status.state());
        parting.channel().signOffUnanswered("no answer within 1 s");
        agent.runPosted();
        assertEquals(VmState.UNPROTECTED, status.state(), "its output flows");
    }

    @Test
    void nothingThatASessionSaysOfItselfCountsOnceItIsParting() throws Exception {
        FakeSession parting = partWithoutArbiter();
        parting.channel().verified(FIRST, false);
        parting.channel().acknowledged(FIRST);
        parting.channel().disconnected("gone");
        parting.channel().reconnected(FIRST);
        agent.runPosted();
        assertFalse(host().happened().contains(EventType.VERIFY_FAILED));
        assertInstanceOf(GoingAlone.class, ownership.role());
        assertTrue(guest.held);
    }

    // ---- migration

    /** To a host that is not the backup, whose session is to be {@code destination}. */
    private Migration migrate(FakeSession destination) {
        Migration migration = new Migration(
                new Migration.Order(
                        "shop", QuietHost.NAME, destination.backup(), 0, true, false, MigrationPlan.DEFAULTS),
                host().time);
        CompletableFuture<Void> begun = new CompletableFuture<>();
        ownership.commands().migrate(session.settings, destination, migration, begun);
        agent.runPosted();
        assertTrue(begun.isDone() && !begun.isCompletedExceptionally());
        return migration;
    }

    @Test
    void aProtectedVmGivesUpItsBackupAndMovesToAnotherHost() throws Exception {
        run(false, WhenAlone.HOLD);
        protectAlone();
        FakeSession destination = new FakeSession(WhenAlone.HOLD, agent, host().time);
        Migration migration = migrate(destination);
        assertInstanceOf(Leaving.class, ownership.role());
        session.channel().signedOff("image dropped");
        await(Alone.class);
        ownership.tick(host().time.nanos());
        await(Synchronizing.class);
        destination.owner().firstCheckpointPaused(FIRST);
        assertInstanceOf(Joining.class, ownership.role());
        assertFalse(migration.handedOver().isDone());
        assertTrue(wish.isWanted(), "it is to be protected again where it runs then");
    }

    @Test
    void aBackupThatIsGivenUpBeforeAMoveMayStillTakeOverWhenItIsSilent() throws Exception {
        run(false, WhenAlone.HOLD);
        protectAlone();
        migrate(new FakeSession(WhenAlone.HOLD, agent, host().time));
        session.owner().severed("no contact");
        session.owner().signOffUnanswered("no answer");
        host().time.wallMillis.addAndGet(60_000);
        ownership.tick(host().time.nanos());
        agent.runPosted();
        assertInstanceOf(GoingAlone.class, ownership.role());
        assertTrue(guest.held);
    }

    @Test
    void aMigrationThatIsCancelledBeforeItsSessionCouldBeginNeverBegins() throws Exception {
        run(true, WhenAlone.HOLD);
        FakeSession destination = new FakeSession(WhenAlone.HOLD, agent, host().time);
        Migration migration = new Migration(
                new Migration.Order(
                        "shop", QuietHost.NAME, destination.backup(), 0, false, false, MigrationPlan.DEFAULTS),
                host().time);
        CompletableFuture<Void> begun = new CompletableFuture<>();
        ownership.commands().migrate(session.settings, destination, migration, begun);
        assertInstanceOf(Opening.class, ownership.role(), "the arbiter has not answered yet");
        CompletableFuture<Void> cancelled = new CompletableFuture<>();
        ownership.commands().cancelMigration(cancelled);
        await(Alone.class);
        assertTrue(cancelled.isDone() && !cancelled.isCompletedExceptionally());
        assertTrue(begun.isCompletedExceptionally());
        assertEquals(MigrationStage.FAILED, migration.status().stage());
        assertFalse(guest.held);
    }

    @Test
    void aVmThatItsBackupTakesOverWhileThatIsGivenUpIsNotToldToHaveMoved() throws Exception {
        run(false, WhenAlone.HOLD);
        protectAlone();
        Migration migration = migrate(new FakeSession(WhenAlone.HOLD, agent, host().time));
        session.owner().backupActivated("no sign of the primary for 301 ms");
        await(Waiting.class);
        assertTrue(migration.handedOver().isCompletedExceptionally());
    }

    private QuietHost host() {
        return Objects.requireNonNull(host);
    }

    @Test
    void aSessionThatIsPartingIsHeardNoMoreWhenAnotherOneIsWanted() throws Exception {
        run(true, WhenAlone.HOLD);
        synchronize(true);
        FakeSession parting = session;
        parting.owner().failed("a disk can't be read");
        arbiter.setting().answer().accept(new SetOutcome.Done());
        await(Alone.class);
        session = new FakeSession(WhenAlone.HOLD, agent, host().time);
        protect();
        assertInstanceOf(Opening.class, ownership.role());
        parting.channel().backupActivated("it takes over");
        parting.channel().signedOff("image dropped");
        agent.runPosted();
        arbiter.reading().accept(new ReadOutcome.Found(((Opening) ownership.role()).record()));
        await(Synchronizing.class);
        parting.channel().backupLost("gone");
        parting.channel().backupActivated("it takes over");
        parting.channel().acknowledged(FIRST);
        session.owner().firstCheckpointPaused(FIRST);
        agent.runPosted();
        assertInstanceOf(Joining.class, ownership.role(), "this session's backup has acknowledged nothing");
        session.channel().backupLost("its disk is full");
        await(GoingAlone.class);
    }
}
