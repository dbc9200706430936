package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remus.api.WhenAlone;
import remus.availability.Arbiter.ReadOutcome;
import remus.availability.Arbiter.SetOutcome;
import remus.availability.HostId;
import remus.availability.LocalArbiter;
import remus.availability.OwnershipRecord;
import remus.availability.RequestId;
import remus.base.HostAddress;
import remus.base.Term;

/** What a VM's way to its arbiter makes of answers, and when. */
@Timeout(60)
class VmArbiterTest {
    private static final HostId SELF = new HostId(QuietHost.NAME);
    private static final HostId BETA = new HostId("beta");
    private static final OwnershipRecord START = alone(1, "start");

    @TempDir
    private Path directory;

    private final BlockingQueue<Runnable> agent = new LinkedBlockingQueue<>();
    private final HeldArbiter shared = new HeldArbiter();
    private final List<SetOutcome> outcomes = new ArrayList<>();

    private static OwnershipRecord alone(long term, String request) {
        return OwnershipRecord.alone(new Term(term), SELF, new RequestId(request));
    }

    private static OwnershipRecord protectedIn(long term) {
        return OwnershipRecord.protectedBy(new Term(term), SELF, BETA, new RequestId("protect." + term));
    }

    /** The agent does what it was handed next. */
    private void runNext() throws InterruptedException {
        Runnable task = agent.poll(20, TimeUnit.SECONDS);
        assertNotNull(task, "something is handed to the agent");
        task.run();
    }

    private static ProtectionSettings settings(QuietHost host, WhenAlone whenAlone) {
        return new FakeSession(whenAlone, new Agent(() -> {}), host.time).settings;
    }

    /** A host that nobody answers for. */
    private static HostAddress nobody() throws Exception {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return new HostAddress("127.0.0.1", socket.getLocalPort());
        }
    }

    private void protect(VmArbiter arbiter, QuietHost host, OwnershipRecord from) throws Exception {
        arbiter.protecting(from, nobody(), settings(host, WhenAlone.CONTINUE));
        arbiter.begins(from.term().next());
        assertTrue(arbiter.isAloneForCertain(), "no backup has anything yet");
        arbiter.imageMayBeAt(BETA);
    }

    // ---- what proves that no other host will run the VM, so that the marks of its images may go

    @Test
    void marksOfImagesWaitForTheGrant() throws Exception {
        try (QuietHost host = new QuietHost(directory, shared);
                VmArbiter arbiter = new VmArbiter(host.services, "shop", agent::add, START.term())) {
            protect(arbiter, host, START);
            arbiter.set("shop", START, alone(2, "again"), outcomes::add);
            HeldArbiter.Call.Set asked = shared.setting();
            assertFalse(arbiter.isAloneForCertain());
            asked.answer().accept(new SetOutcome.Unknown("connection lost"));
            assertFalse(arbiter.isAloneForCertain(), "it may have been granted, or be so at any time");
            arbiter.set("shop", START, alone(2, "again"), outcomes::add);
            shared.setting().answer().accept(new SetOutcome.Done());
            assertTrue(arbiter.isAloneForCertain());
        }
    }

    @Test
    void marksOfImagesWaitForARecordThatIsLaterThanTheSession() throws Exception {
        try (QuietHost host = new QuietHost(directory, shared);
                VmArbiter arbiter = new VmArbiter(host.services, "shop", agent::add, START.term())) {
            protect(arbiter, host, START);
            arbiter.read("shop", outcome -> {});
            shared.reading().accept(new ReadOutcome.Found(START));
            assertFalse(arbiter.isAloneForCertain(), "that was so before the backup got its image");
            arbiter.read("shop", outcome -> {});
            shared.reading().accept(new ReadOutcome.Found(protectedIn(2)));
            assertFalse(arbiter.isAloneForCertain());
            arbiter.read("shop", outcome -> {});
            shared.reading().accept(new ReadOutcome.Found(alone(3, "granted")));
            assertTrue(arbiter.isAloneForCertain(), "as after a set whose answer was lost");
        }
    }

    @Test
    void aGrantIsNotedOnThisHostBeforeItIsTold() throws Exception {
        try (QuietHost host = new QuietHost(directory, shared);
                VmArbiter arbiter = new VmArbiter(host.services, "shop", agent::add, START.term())) {
            arbiter.set("shop", START, alone(2, "again"), outcomes::add);
            shared.setting().answer().accept(new SetOutcome.Done());
            runNext(); // has it written
            assertEquals(List.of(), outcomes);
            runNext();
            assertEquals(List.of(new SetOutcome.Done()), outcomes);
            assertEquals(2, host.services.state().ownership("shop").term());
        }
    }

    // ---- without an arbiter

    /** Waits for three detection times as who goes on alone then, and has the backup asked; the answer is not taken yet. */
    private Runnable askBackup(VmArbiter arbiter, QuietHost host, OwnershipRecord record, OwnershipRecord next)
            throws InterruptedException {
        for (int i = 0; i <= LocalArbiter.ALONE_AFTER_DETECTION_TIMES; i++) {
            arbiter.set("shop", record, next, outcomes::add);
            host.time.wallMillis.addAndGet(400);
        }
        Runnable answer = agent.poll(20, TimeUnit.SECONDS);
        assertNotNull(answer, "the backup has been asked");
        assertFalse(outcomes.removeIf(outcome -> outcome instanceof SetOutcome.Done));
        outcomes.clear();
        return answer;
    }

    @Test
    void whatAFormerBackupAnswersLateSaysNothingOfThePresentOne() throws Exception {
        try (QuietHost host = new QuietHost(directory, null);
                VmArbiter arbiter = new VmArbiter(host.services, "shop", agent::add, START.term())) {
            protect(arbiter, host, START);
            Runnable late = askBackup(arbiter, host, START, alone(2, "again"));
            OwnershipRecord renewed = alone(5, "renewed");
            protect(arbiter, host, renewed);
            Runnable present = askBackup(arbiter, host, renewed, alone(6, "later"));
            late.run();
            arbiter.set("shop", renewed, alone(6, "later"), outcomes::add);
            assertEquals(List.of(), outcomes, "the backup of now has not answered, so nothing is decided");
            present.run();
            while (outcomes.isEmpty()) {
                runNext(); // the grant is noted; the second question is answered, too
            }
            assertInstanceOf(SetOutcome.Done.class, outcomes.getFirst());
        }
    }
}
