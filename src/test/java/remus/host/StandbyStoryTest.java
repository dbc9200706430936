package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import remus.api.Event;
import remus.api.StandbyMode;
import remus.api.VmState;
import remus.availability.Arbiter.ReadOutcome;
import remus.availability.Arbiter.SetOutcome;
import remus.availability.BackupEvent;
import remus.availability.BackupOwnership;
import remus.availability.BackupState;
import remus.availability.HostId;
import remus.availability.OwnershipAction;
import remus.availability.OwnershipAction.AskArbiter;
import remus.availability.OwnershipRecord;
import remus.availability.RequestId;
import remus.availability.Requests;
import remus.availability.Step;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;
import remus.wire.Hello;

/** Whoever follows the events of a VM that is backed up here knows its state; the decisions are the real ones. */
class StandbyStoryTest {
    private static final Term SESSION = new Term(2);
    private static final HostId ALPHA = new HostId("alpha");
    private static final HostId BETA = new HostId("beta");
    private static final OwnershipRecord PROTECTED =
            OwnershipRecord.protectedBy(SESSION, ALPHA, BETA, new RequestId("alpha.1"));

    @TempDir
    private Path directory;

    private final List<Event> told = new ArrayList<>();
    private QuietHost host;
    private StandbyStatus status;
    private StandbyStory story;
    private BackupState state;
    private long ask;

    @BeforeEach
    void begin() throws Exception {
        begin(StandbyMode.WARM);
    }

    private void begin(StandbyMode standby) throws Exception {
        host = new QuietHost(directory, null);
        Hello hello = new Hello(
                Hello.Mode.NEW,
                "shop",
                "alpha",
                new HostAddress("192.0.2.1", 7420),
                "pc-q35-7.2",
                "7.2.22",
                2 << 20,
                4096,
                Duration.ofMillis(25),
                Duration.ofMillis(300),
                0,
                new byte[0],
                List.of(),
                List.of());
        HostAddress primary = new HostAddress("192.0.2.1", 7420);
        status = new StandbyStatus(
                host.services,
                hello,
                SESSION,
                primary,
                new StandbyCopy(host.services, hello, SharedDefinitionTest.shop(standby), SESSION, primary));
        story = new StandbyStory(status);
        state = take(BackupOwnership.offered(Requests.first(BETA, "7"), SESSION, ALPHA));
    }

    @AfterEach
    void close() {
        host.close();
    }

    private BackupState take(Step<BackupState> step) {
        for (OwnershipAction action : step.actions()) {
            switch (action) {
                case OwnershipAction.Report(String reason) -> story.report(reason);
                case AskArbiter(long number, var _) -> ask = number;
                default -> {}
            }
        }
        return step.state();
    }

    private void on(BackupEvent event) {
        BackupState before = state;
        state = take(BackupOwnership.on(before, event));
        if (before.role().getClass() != state.role().getClass()) {
            story.changed(before.role(), state.role());
        }
        status.stepIsOver();
    }

    private void lost(String why, boolean byCommand) {
        story.because(why, byCommand);
        on(new BackupEvent.PrimaryLost(why, byCommand));
    }

    private void expect(VmState after, String... lines) {
        List<Event> events = host.services.events().recent();
        List<Event> news = events.subList(told.size(), events.size());
        assertEquals(
                List.of(lines),
                news.stream()
                        .map(event -> "%s %s (term %d)".formatted(event.event(), event.reason(), event.term()))
                        .toList());
        assertEquals(after, status.state());
        told.addAll(news);
    }

    private void stand() {
        expect(VmState.SYNCHRONIZING);
        on(new BackupEvent.CheckpointWhole(SESSION, new EpochId(1)));
        expect(VmState.STANDBY, "STANDBY_READY the first checkpoint is whole; ready to take over (term 2)");
    }

    @Test
    void aTakeOverIsToldAsLossActivationAndNothingElse() {
        stand();
        lost("no sign of the primary for 301 ms", false);
        expect(VmState.STANDBY, "PRIMARY_LOST asking to take over: no sign of the primary for 301 ms (term 2)");
        on(new BackupEvent.Answered(ask, new ReadOutcome.Found(PROTECTED)));
        expect(VmState.STANDBY);
        on(new BackupEvent.Answered(ask, new SetOutcome.Done()));
        expect(VmState.ACTIVATING, "ACTIVATING taking over in term 3: no sign of the primary for 301 ms (term 3)");
        on(new BackupEvent.StandbyRuns());
        on(new BackupEvent.Answered(ask, new SetOutcome.Done()));
        expect(VmState.ACTIVATING); // ACTIVATED follows with the hand-over
    }

    @Test
    void aColdStandbySaysSoWhenItIsReadyAndAsLongAsItWaits() throws Exception {
        host.close();
        begin(StandbyMode.COLD);
        on(new BackupEvent.CheckpointWhole(SESSION, new EpochId(1)));
        expect(
                VmState.STANDBY,
                "STANDBY_READY the first checkpoint is whole; ready to take over, with a cold standby: QEMU is started"
                        + " then (term 2)");
        String waiting = "cold: QEMU is started when it takes over";
        assertEquals(waiting, status.publish().reason());
        assertEquals(StandbyMode.COLD, status.published().standby());
        story.disconnected("reset");
        story.reconnected(new EpochId(7));
        assertEquals(waiting, status.publish().reason());
    }

    @Test
    void aLossThatWasToldIsNotToldAgain() {
        stand();
        story.disconnected("reset");
        expect(
                VmState.STANDBY,
                "PRIMARY_LOST connection lost (reset); waiting for it until the detection time (term 2)");
        lost("the primary's port refuses", false);
        expect(VmState.STANDBY, "OWNERSHIP asking to take over: the primary's port refuses (term 2)");
    }

    @Test
    void aPrimaryThatIsHeardAgainIsTold() {
        stand();
        lost("no sign of the primary for 301 ms", false);
        expect(VmState.STANDBY, "PRIMARY_LOST asking to take over: no sign of the primary for 301 ms (term 2)");
        on(new BackupEvent.PrimaryReturned(SESSION));
        expect(VmState.STANDBY, "RECONNECTED the primary is heard again, nothing was taken over (term 2)");
        lost("no sign of the primary for 302 ms", false);
        expect(VmState.STANDBY, "PRIMARY_LOST asking to take over: no sign of the primary for 302 ms (term 2)");
    }

    @Test
    void aPrimaryThatReturnsOnANewConnectionIsToldOnce() {
        stand();
        lost("no sign of the primary for 301 ms", false);
        expect(VmState.STANDBY, "PRIMARY_LOST asking to take over: no sign of the primary for 301 ms (term 2)");
        story.reconnected(new EpochId(7)); // the welcome, which comes before the step is over
        on(new BackupEvent.PrimaryReturned(SESSION));
        expect(VmState.STANDBY, "RECONNECTED the session goes on after epoch 7 (term 2)");
    }

    @Test
    void aCommandIsNoLoss() {
        stand();
        lost("by command, without asking the primary", true);
        expect(VmState.STANDBY, "OWNERSHIP asking to take over: by command, without asking the primary (term 2)");
    }

    @Test
    void anEndIsToldOnce() {
        stand();
        on(new BackupEvent.SignOffReceived(SESSION, "protection ended by command"));
        expect(
                VmState.STANDBY,
                "UNPROTECTED not a backup any more: signed off by the primary: protection ended by command (term 2)");
    }

    @Test
    void aTakeOverThatIsLostIsAFailure() {
        stand();
        lost("no sign", false);
        on(new BackupEvent.Answered(ask, new ReadOutcome.Found(PROTECTED)));
        on(new BackupEvent.Answered(ask, new SetOutcome.Done()));
        on(new BackupEvent.ImageLost("its disk is gone"));
        expect(
                VmState.ACTIVATING,
                "PRIMARY_LOST asking to take over: no sign (term 2)",
                "ACTIVATING taking over in term 3: no sign (term 3)",
                "FAILED not a backup any more: its disk is gone (term 3)");
    }
}
