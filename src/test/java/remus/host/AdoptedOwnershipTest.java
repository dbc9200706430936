package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.WhenAlone;
import remus.availability.Arbiter.ReadOutcome;
import remus.availability.Arbiter.SetOutcome;
import remus.availability.HostId;
import remus.availability.OwnershipRecord;
import remus.availability.PrimaryOwnership;
import remus.availability.PrimaryState.Alone;
import remus.availability.PrimaryState.GoingAlone;
import remus.availability.PrimaryState.Gone;
import remus.availability.PrimaryState.Role;
import remus.availability.PrimaryState.Waiting;
import remus.availability.RequestId;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.network.GuestNetwork;
import remus.replication.BackupConnection;
import remus.replication.ReplicationServer;
import remus.replication.SessionFarewell;
import remus.replication.SessionHandler;
import remus.wire.FrameHandler;
import remus.wire.Hello;
import remus.wire.HostAnswer;
import remus.wire.OwnerAnswer;
import remus.wire.OwnerState;
import remus.wire.Welcome;

/** What becomes of a VM that a daemon found running with a backup: nothing leaves before it is clear who owns it. */
@Timeout(60)
@SuppressWarnings("NullAway.Init") // each test begins with find
class AdoptedOwnershipTest {
    private static final HostId SELF = new HostId(QuietHost.NAME);
    private static final HostId BETA = new HostId("beta");
    private static final Term SESSION = new Term(2);
    private static final OwnershipRecord START = OwnershipRecord.alone(new Term(1), SELF, new RequestId("first"));

    @TempDir
    private Path directory;

    private final Semaphore posted = new Semaphore(0);
    private final Agent agent = new Agent(posted::release);
    private final FakeGuest guest = new FakeGuest(QuietHost.definition("shop"));
    private final GuestNetwork network = new GuestNetwork(List.of());
    private final HeldArbiter shared = new HeldArbiter();
    private QuietHost host;
    private ActiveOwnership ownership;
    private RunningNote note;
    private @Nullable ReplicationServer beta;

    /** What the backup says it is to the VM, until it has been signed off. */
    private volatile OwnerState word = OwnerState.UNKNOWN;

    private HostAddress backup() throws Exception {
        ReplicationServer opened =
                ReplicationServer.open(new HostAddress("127.0.0.1", 0), new Backup(), new SettableTime());
        beta = opened;
        return opened.address();
    }

    private static HostAddress nobody() throws Exception {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return new HostAddress("127.0.0.1", socket.getLocalPort());
        }
    }

    private void find(boolean isShared, WhenAlone whenAlone, HostAddress backup) throws Exception {
        host = new QuietHost(directory, isShared ? shared : null);
        RunningVm.Session session = new RunningVm.Session(
                SESSION.value(), BETA.name(), backup, Duration.ofMillis(25), Duration.ofMillis(300), whenAlone);
        ProtectionSettings wanted = ProtectionSettings.DEFAULTS.withLast(backup.toString());
        note = RunningNote.begin(directory, RunningVm.alone(guest.definition(), START, wanted));
        note.session(session);
        Hello hello = new Hello(
                Hello.Mode.RESUME,
                "shop",
                QuietHost.NAME,
                new HostAddress("127.0.0.1", 7420),
                "pc-q35-7.2",
                "7.2.22",
                2 << 20,
                4096,
                session.interval(),
                session.detect(),
                0,
                new byte[0],
                List.of(),
                List.of());
        VmArbiter arbiter = new VmArbiter(host.services, "shop", agent::post, SESSION);
        arbiter.inherits(session, new SessionFarewell(backup, hello, SESSION, host.time));
        VmProtection protection = new VmProtection(network, SESSION);
        ActiveStatus status = new ActiveStatus(guest, protection, host.services.events(), QuietHost.NAME);
        ProtectionWish wish = new ProtectionWish("shop", host.services.keeper(), status, note);
        ownership = new ActiveOwnership(
                host.services,
                new ActiveOwnership.Vm(guest, protection, status, wish, note),
                arbiter,
                PrimaryOwnership.restarted(host.services.newRequests()),
                agent);
        assertTrue(guest.held, "nothing leaves before it is clear who owns the VM");
    }

    @AfterEach
    void close() {
        ownership.ending();
        network.close();
        ReplicationServer server = beta;
        if (server != null) {
            server.close();
        }
        host.close();
    }

    private void await(Class<? extends Role> role) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!role.isInstance(ownership.role())) {
            assertTrue(System.nanoTime() < deadline, "no " + role.getSimpleName() + ": " + ownership.role());
            if (!posted.tryAcquire(10, TimeUnit.MILLISECONDS)) {
                host.time.wallMillis.addAndGet(100);
                ownership.tick(host.time.nanos());
            }
            agent.runPosted();
        }
    }

    private void expectAlone() throws Exception {
        await(Alone.class);
        assertFalse(guest.held);
        assertFalse(guest.discarded);
        assertFalse(guest.gone);
        RunningVm left = RunningNote.read(directory);
        assertNull(left.session(), "the next daemon asks nobody any more");
        assertTrue(left.record(SELF).term().isAfter(SESSION));
    }

    private void expectFenced() throws Exception {
        await(Gone.class);
        assertTrue(guest.discarded && guest.gone);
    }

    // ---- the record decides

    @Test
    void theVmGoesOnByANewRecord() throws Exception {
        find(true, WhenAlone.HOLD, nobody());
        OwnershipRecord seen = OwnershipRecord.protectedBy(SESSION, SELF, BETA, new RequestId("protect"));
        shared.reading().accept(new ReadOutcome.Found(seen));
        agent.runPosted();
        HeldArbiter.Call.Set asked = shared.setting();
        assertEquals(OwnershipRecord.Phase.ALONE, asked.next().phase());
        assertTrue(guest.held);
        asked.answer().accept(new SetOutcome.Done());
        expectAlone();
    }

    @Test
    void theVmIsKeptPausedWhileItsBackupTakesOverAndKilledWhenItRunsThere() throws Exception {
        find(true, WhenAlone.HOLD, nobody());
        shared.reading()
                .accept(new ReadOutcome.Found(
                        OwnershipRecord.activating(new Term(3), BETA, SELF, new RequestId("take"))));
        await(Waiting.class);
        assertTrue(guest.paused && guest.discarded);
        assertFalse(guest.gone);
        while (!shared.isAsked()) {
            host.time.wallMillis.addAndGet(100);
            ownership.tick(host.time.nanos());
        }
        shared.reading().accept(new ReadOutcome.Found(OwnershipRecord.alone(new Term(4), BETA, new RequestId("mine"))));
        expectFenced();
    }

    // ---- without an arbiter: the backup's word

    @Test
    void aBackupThatStandsByIsSignedOffAndTheVmGoesOn() throws Exception {
        word = OwnerState.STANDBY;
        find(false, WhenAlone.HOLD, backup());
        expectAlone();
        assertEquals(OwnerState.UNKNOWN, word, "the backup was signed off");
    }

    @Test
    void aBackupThatRunsTheVmFencesIt() throws Exception {
        word = OwnerState.RUNNING_ALONE;
        find(false, WhenAlone.CONTINUE, backup());
        expectFenced();
    }

    @Test
    void aBackupThatKnowsNothingLetsTheVmGoOn() throws Exception {
        word = OwnerState.UNKNOWN;
        find(false, WhenAlone.HOLD, backup());
        expectAlone();
    }

    @Test
    void aBackupThatDoesNotAnswerHoldsTheOutput() throws Exception {
        find(false, WhenAlone.HOLD, nobody());
        for (int i = 0; i < 50; i++) {
            host.time.wallMillis.addAndGet(100);
            ownership.tick(host.time.nanos());
            posted.tryAcquire(10, TimeUnit.MILLISECONDS);
            agent.runPosted();
        }
        assertInstanceOf(GoingAlone.class, ownership.role());
        assertTrue(guest.held);
        assertFalse(guest.gone);
        assertTrue(Files.readString(directory.resolve("vm.json")).contains("beta"), "as does the next daemon");
    }

    @Test
    void aBackupThatDoesNotAnswerIsGivenUpWhereTheVmMayContinue() throws Exception {
        find(false, WhenAlone.CONTINUE, nobody());
        expectAlone();
    }

    @SuppressWarnings("unchecked") // of the many calls only one is of interest
    private static void awaitSignOff(BackupConnection connection) {
        AtomicBoolean signedOff = new AtomicBoolean();
        FrameHandler<RuntimeException> frames = (FrameHandler<RuntimeException>) Proxy.newProxyInstance(
                FrameHandler.class.getClassLoader(),
                new Class<?>[] {FrameHandler.class},
                (proxy, method, arguments) -> {
                    signedOff.compareAndSet(false, method.getName().equals("signOff"));
                    return null;
                });
        while (!signedOff.get() && connection.isOpen()) {
            connection.await(TimeUnit.MILLISECONDS.toNanos(100));
            connection.poll(frames);
        }
        assertTrue(signedOff.get());
    }

    /** Beta: answers who owns the VM, and lets itself be signed off. */
    private final class Backup implements SessionHandler {
        @Override
        public void session(Hello hello, BackupConnection connection) {
            assertEquals(SESSION, connection.term());
            connection.welcome(new EpochId(5), new Welcome(BETA.name(), "7.2.22", List.of(), List.of()));
            awaitSignOff(connection);
            word = OwnerState.UNKNOWN;
            connection.signedOff("dropped");
            connection.close();
        }

        @Override
        public OwnerAnswer answer(String vm) {
            return new OwnerAnswer(vm, BETA.name(), word, SESSION, "asked");
        }

        @Override
        public OwnerAnswer fence(String vm, Term term) {
            return answer(vm);
        }

        @Override
        public HostAnswer host() {
            throw new AssertionError("nobody asks what host this is");
        }
    }
}
