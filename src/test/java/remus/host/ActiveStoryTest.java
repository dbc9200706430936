package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.Event;
import remus.api.EventType;
import remus.api.VmState;
import remus.api.WhenAlone;
import remus.availability.Arbiter.ReadOutcome;
import remus.availability.Arbiter.SetOutcome;
import remus.availability.HostId;
import remus.availability.OwnershipRecord;
import remus.availability.PrimaryState;
import remus.availability.RequestId;
import remus.availability.Step;
import remus.base.EpochId;
import remus.base.Term;
import remus.network.GuestNetwork;

/**
 * Whoever follows the events of a VM that runs here knows its state: each change is told once, by the event that names it,
 * with its reason. After each step all new events and the state are compared with what is expected.
 */
@Timeout(60)
@SuppressWarnings("NullAway.Init") // each test begins with run
class ActiveStoryTest {
    private static final EpochId FIRST = new EpochId(1);
    private static final HostId SELF = new HostId(QuietHost.NAME);
    private static final HostId BETA = new HostId("beta");
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
    private final List<String> all = new ArrayList<>();
    private @Nullable QuietHost host;
    private ActiveStatus status;
    private ActiveOwnership ownership;
    private FakeSession session;

    private void run(boolean isShared, WhenAlone whenAlone) throws Exception {
        QuietHost opened = new QuietHost(directory, isShared ? arbiter : null);
        host = opened;
        status = new ActiveStatus(guest, protection, opened.services.events(), QuietHost.NAME);
        RunningNote note =
                RunningNote.begin(directory, RunningVm.alone(guest.definition(), START, ProtectionSettings.DEFAULTS));
        ProtectionWish wish = new ProtectionWish("shop", opened.services.keeper(), status, note);
        ownership = new ActiveOwnership(
                opened.services,
                new ActiveOwnership.Vm(guest, protection, status, wish, note),
                new VmArbiter(opened.services, "shop", agent::post, START.term()),
                new Step<>(
                        new PrimaryState(opened.services.newRequests(), new PrimaryState.Alone(START, false)),
                        List.of()),
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

    // ---- what is told

    /** Each line is an event's type, a blank, and a pattern of its reason; the state is the one after them. */
    private void expect(VmState state, String... lines) throws InterruptedException {
        Pattern wanted = Pattern.compile(String.join("\n", lines), Pattern.DOTALL);
        List<String> told = news();
        while (told.size() < lines.length && posted.tryAcquire(5, TimeUnit.SECONDS)) {
            agent.runPosted();
            told = news();
        }
        assertTrue(wanted.matcher(String.join("\n", told)).matches(), () -> wanted + " is not what is told: " + news());
        assertEquals(state, status.state());
        assertEquals(state, status.published().state());
        all.addAll(told);
    }

    private List<String> news() {
        agent.runPosted();
        List<Event> events = Objects.requireNonNull(host).services.events().recent();
        return events.stream()
                .skip(all.size())
                .map(event -> event.event() + " " + event.reason())
                .toList();
    }

    private void protect() throws Exception {
        ownership.commands().protect(session.settings, session, new CompletableFuture<>());
        expect(VmState.SYNCHRONIZING, "PROTECTING to 127.0.0.1:9, every 25 ms: by command");
    }

    private void synchronize(boolean isShared) throws Exception {
        protect();
        if (isShared) {
            arbiter.reading().accept(new ReadOutcome.Found(START));
            agent.runPosted();
        }
        session.owner().progress("round 1: 10% of 100 pages");
        session.owner().firstCheckpointPaused(FIRST);
        expect(VmState.SYNCHRONIZING);
    }

    private OwnershipRecord protectShared() throws Exception {
        synchronize(true);
        session.owner().acknowledged(FIRST);
        expect(VmState.SYNCHRONIZING);
        HeldArbiter.Call.Set asked = arbiter.setting();
        asked.answer().accept(new SetOutcome.Done());
        expect(VmState.PROTECTED, "PROTECTED by beta, which has the first full checkpoint; output waits .*");
        return asked.next();
    }

    private void protectAlone() throws Exception {
        synchronize(false);
        session.owner().acknowledged(FIRST);
        expect(VmState.PROTECTED, "PROTECTED by beta, which has .*");
    }

    // ---- protection

    @Test
    void aBackupThatReturnsIsToldAsOneLossAndOneReturn() throws Exception {
        run(true, WhenAlone.HOLD);
        protectShared();
        session.owner().severed("the connection to the backup broke: reset");
        expect(VmState.DEGRADED, "BACKUP_LOST output is held: the connection to the backup broke: reset");
        session.owner().severed("the backup has not acknowledged epoch 2");
        expect(VmState.DEGRADED);
        session.owner().reconnected(FIRST);
        expect(VmState.PROTECTED, "RECONNECTED the backup stands by at epoch .*");
    }

    @Test
    void aBackupThatDoesNotReturnIsToldAsLossQuestionAndDecision() throws Exception {
        run(true, WhenAlone.HOLD);
        protectShared();
        session.owner().severed("reset");
        expect(VmState.DEGRADED, "BACKUP_LOST output is held: reset");
        session.owner().givenUp("no contact");
        expect(VmState.DEGRADED, "OWNERSHIP output is held, asking to go on alone: no contact");
        arbiter.setting().answer().accept(new SetOutcome.Done());
        expect(VmState.DEGRADED, "DEGRADED goes on alone: reset");
    }

    @Test
    void aBackupThatSaysThatItIsGoneIsToldAsOneLoss() throws Exception {
        run(true, WhenAlone.HOLD);
        protectShared();
        session.owner().backupGone("the daemon of host beta ends");
        expect(VmState.DEGRADED, "BACKUP_LOST output is held, asking to go on alone: the daemon of host beta ends");
        arbiter.setting().answer().accept(new SetOutcome.Done());
        expect(VmState.DEGRADED, "DEGRADED goes on alone: the daemon of host beta ends");
    }

    @Test
    void whoGoesOnWithoutAnArbiterTellsOfTheLossOnce() throws Exception {
        run(false, WhenAlone.CONTINUE);
        protectAlone();
        session.owner().severed("reset");
        expect(VmState.DEGRADED, "BACKUP_LOST output is held, asking to go on alone: reset");
    }

    @Test
    void anEndThatWasAskedForIsToldWithThatReason() throws Exception {
        run(true, WhenAlone.HOLD);
        OwnershipRecord record = protectShared();
        ownership.commands().unprotect(false, new CompletableFuture<>());
        arbiter.reading().accept(new ReadOutcome.Found(record));
        expect(VmState.PROTECTED);
        session.owner().backupGone("image dropped by beta");
        expect(VmState.PROTECTED, "OWNERSHIP output is held, asking to go on alone: image dropped by beta");
        arbiter.setting().answer().accept(new SetOutcome.Done());
        expect(VmState.UNPROTECTED, "UNPROTECTED protection ended by command");
    }

    @Test
    void aBackupThatStaysThoughItWantedToBeLetGoIsNoReasonForWhatComes() throws Exception {
        run(true, WhenAlone.HOLD);
        OwnershipRecord record = protectShared();
        session.owner().reliefWanted("host beta is being drained");
        arbiter.reading().accept(new ReadOutcome.Found(record));
        expect(VmState.PROTECTED);
        session.owner().givenUp("no contact");
        expect(VmState.PROTECTED, "OWNERSHIP output is held, asking to go on alone: no contact");
        session.owner().reconnected(FIRST);
        arbiter.setting().answer().accept(new SetOutcome.Refused(record));
        expect(VmState.PROTECTED, "RECONNECTED the backup stands by at epoch .*");
        session.owner().backupGone("reset");
        expect(VmState.DEGRADED, "BACKUP_LOST output is held, asking to go on alone: reset");
        arbiter.setting().answer().accept(new SetOutcome.Done());
        expect(VmState.DEGRADED, "DEGRADED goes on alone: reset");
    }

    @Test
    void anEndThatTheArbiterCantNoteIsToldAsStandingProtection() throws Exception {
        run(true, WhenAlone.HOLD);
        protectShared();
        ownership.commands().unprotect(false, new CompletableFuture<>());
        arbiter.reading().accept(new ReadOutcome.Unavailable("no connection"));
        expect(VmState.PROTECTED, "OWNERSHIP protection goes on, for the arbiter can't be asked now: try again");
        session.owner().severed("reset");
        expect(VmState.DEGRADED, "BACKUP_LOST output is held: reset");
    }

    @Test
    void aProtectionThatDoesNotComeAboutIsToldWithItsReason() throws Exception {
        refuseProtection();
    }

    private void refuseProtection() throws Exception {
        run(true, WhenAlone.HOLD);
        protect();
        arbiter.reading().accept(new ReadOutcome.Found(START));
        agent.runPosted();
        session.owner().backupGone("too little memory");
        expect(VmState.UNPROTECTED, "FAILED not protected: too little memory");
    }

    @Test
    void aReasonIsNotCarriedOverToTheNextLoss() throws Exception {
        refuseProtection();
        session = new FakeSession(WhenAlone.HOLD, agent, Objects.requireNonNull(host).time);
        protect();
        arbiter.setting().answer().accept(new SetOutcome.Done()); // its next term was spent
        while (!(ownership.role() instanceof PrimaryState.Synchronizing)) {
            assertTrue(posted.tryAcquire(20, TimeUnit.SECONDS));
            agent.runPosted();
        }
        session.owner().givenUp("no contact with the backup");
        expect(VmState.UNPROTECTED, "FAILED not protected: no contact with the backup");
    }

    @Test
    void memoryThatDiffersIsToldWithWhatFollows() throws Exception {
        run(true, WhenAlone.HOLD);
        OwnershipRecord record = protectShared();
        session.owner().verified(FIRST, false);
        expect(VmState.PROTECTED, "VERIFY_FAILED memory differs between both sides at epoch 1: protection ends");
        arbiter.reading().accept(new ReadOutcome.Found(record));
        agent.runPosted();
        session.owner().backupGone("image dropped by beta");
        arbiter.setting().answer().accept(new SetOutcome.Done());
        expect(
                VmState.UNPROTECTED,
                "OWNERSHIP output is held, asking to go on alone: image dropped by beta",
                "UNPROTECTED memory digests differ at epoch 1");
    }

    @Test
    void aHostThatWokeLateTellsThatItAsks() throws Exception {
        run(true, WhenAlone.HOLD);
        OwnershipRecord record = protectShared();
        session.owner().wokeLate();
        expect(VmState.DEGRADED, "BACKUP_LOST output is held: this host was not running for longer .*");
        arbiter.reading().accept(new ReadOutcome.Found(record));
        expect(VmState.PROTECTED, "RECONNECTED .*");
    }

    @Test
    void outputThatStaysHeldIsTold() throws Exception {
        run(false, WhenAlone.HOLD);
        synchronize(false);
        session.owner().failed("a disk can't be read");
        expect(
                VmState.SYNCHRONIZING,
                "FAILED protection ends: a disk can't be read",
                "OWNERSHIP protection is given up, output is held, asking to go on alone: a disk can't be read");
        session.channel().signOffUnanswered("no answer within 1 s");
        expect(VmState.DEGRADED, "BACKUP_LOST output is held: no answer within 1 s");
    }

    // ---- the other host

    @Test
    void aTakeOverIsToldAsFencingAndItsEnd() throws Exception {
        run(true, WhenAlone.HOLD);
        OwnershipRecord record = protectShared();
        ownership.fence(record.term().next());
        expect(
                VmState.FENCED,
                "FENCED the guest is kept paused and its output dropped: the backup takes over: by command, in term 3"
                        + "; committed here up to epoch 0");
        OwnershipRecord alone = OwnershipRecord.alone(new Term(4), BETA, new RequestId("beta.2"));
        arbiter.reading().accept(new ReadOutcome.Found(alone));
        expect(VmState.FENCED, "OWNERSHIP the guest is ended here, the record says: term 4, beta alone");
    }

    @Test
    void whatIsTakenBackIsTold() throws Exception {
        run(true, WhenAlone.HOLD);
        OwnershipRecord record = protectShared();
        session.owner().backupActivated("no sign of the primary for 301 ms");
        expect(VmState.FENCED, "FENCED the guest .*: the backup takes over: no sign of the primary for 301 ms; .*");
        arbiter.reading()
                .accept(new ReadOutcome.Found(
                        OwnershipRecord.alone(record.term().next(), SELF, new RequestId(SELF + ".earlier.1"))));
        agent.runPosted();
        arbiter.setting().answer().accept(new SetOutcome.Done());
        expect(VmState.DEGRADED, "DEGRADED taken back, goes on alone in term 4: the other host could not make it run");
    }

    @Test
    void aSwitchoverThatIsCancelledIsToldBesideTheLossThatCancelsIt() throws Exception {
        run(true, WhenAlone.HOLD);
        protectShared();
        ownership.commands().switchOver(new CompletableFuture<>());
        expect(VmState.PROTECTED, "SWITCHING_OVER to 127.0.0.1:9: the guest's last checkpoint here");
        session.owner().severed("reset");
        expect(
                VmState.DEGRADED,
                "FAILED not switched over: no contact with the backup: reset",
                "BACKUP_LOST output is held: reset");
    }

    // ---- the guest

    @Test
    void aGuestWithoutABackupDiesOnce() throws Exception {
        run(false, WhenAlone.HOLD);
        ownership.guestDied("QEMU was killed by SIGKILL");
        ownership.guestDied("its network is gone");
        expect(VmState.STOPPED, "GUEST_DEAD QEMU was killed by SIGKILL");
        assertTrue(status.hasEnded());
    }

    @Test
    void aGuestWithABackupDiesAndTheBackupTakesOver() throws Exception {
        run(true, WhenAlone.HOLD);
        protectShared();
        ownership.guestDied("QEMU was killed by SIGKILL");
        expect(VmState.DEGRADED, "GUEST_DEAD QEMU was killed by SIGKILL; the backup is to take over");
        session.owner().backupActivated("the primary reports that its QEMU is dead");
        expect(VmState.FENCED, "FENCED the backup takes over: the primary reports that its QEMU is dead");
    }

    @Test
    void aGuestThatDiesWithItsBackupHasStopped() throws Exception {
        run(true, WhenAlone.HOLD);
        protectShared();
        ownership.guestDied("QEMU was killed by SIGKILL");
        expect(VmState.DEGRADED, "GUEST_DEAD .*");
        session.owner().backupGone("its disk is full");
        expect(VmState.STOPPED, "STOPPED QEMU died here and the backup has no whole checkpoint: its disk is full");
    }

    @Test
    void aGuestThatDiesBeforeItsBackupIsNamedHasStopped() throws Exception {
        run(true, WhenAlone.HOLD);
        synchronize(true);
        session.owner().acknowledged(FIRST);
        ownership.guestDied("QEMU was killed by SIGKILL");
        expect(VmState.DEGRADED, "GUEST_DEAD QEMU died while the backup was being entered in the record: .*");
        OwnershipRecord other = OwnershipRecord.alone(new Term(2), SELF, new RequestId(SELF + ".other.1"));
        arbiter.setting().answer().accept(new SetOutcome.Refused(other));
        expect(VmState.STOPPED, "STOPPED QEMU died, and the record does not name the backup: term 2, .*");
    }

    @Test
    void aVmThatIsStoppedSaysWhy() throws Exception {
        run(false, WhenAlone.HOLD);
        ownership.commands().stop("stopped by command", new CompletableFuture<>());
        expect(VmState.STOPPED, "STOPPED stopped by command");
    }

    @Test
    void aGuestThatPowersItselfOffIsToldAsThat() throws Exception {
        run(false, WhenAlone.HOLD);
        ownership.guestShutDown("guest-shutdown", true);
        expect(VmState.STOPPED, "GUEST_SHUTDOWN the guest powered itself off", "STOPPED the guest powered itself off");
    }

    @Test
    void aDutyThatFailsEndsTheStory() throws Exception {
        run(false, WhenAlone.HOLD);
        guest.failure = new IllegalStateException("no buffer");
        protect();
        session.owner().firstCheckpointPaused(FIRST);
        expect(VmState.STOPPED, "FAILED its agent failed: Hold.* could not be done: no buffer");
        status.become(VmState.PROTECTED, null, EventType.PROTECTED, "never");
        expect(VmState.STOPPED);
    }
}
