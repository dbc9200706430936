package remus.availability;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remus.availability.Arbiter.ReadOutcome;
import remus.availability.Arbiter.SetOutcome;
import remus.base.Term;
import remus.base.Time;

class OwnershipAgentTest {
    private static final String VM = "shop";
    private static final HostId SELF = new HostId("alpha");
    private static final HostId OTHER = new HostId("beta");
    private static final OwnershipAgent.Pauses PAUSES = new OwnershipAgent.Pauses(100, 1000);

    /** Answers when told to. */
    private static final class SlowArbiter implements Arbiter {
        private final Deque<Consumer<? super ReadOutcome>> reads = new ArrayDeque<>();
        private final Deque<Consumer<? super SetOutcome>> sets = new ArrayDeque<>();

        @Override
        public void read(String vm, Consumer<? super ReadOutcome> answer) {
            assertEquals(VM, vm);
            reads.add(answer);
        }

        @Override
        public void set(
                String vm,
                @Nullable OwnershipRecord expected,
                OwnershipRecord next,
                Consumer<? super SetOutcome> answer) {
            assertEquals(VM, vm);
            sets.add(answer);
        }

        @Override
        public void close() {}
    }

    private static final class SetTime implements Time {
        private long nanos;

        @Override
        public long nanos() {
            return nanos;
        }

        @Override
        public long wallMillis() {
            return 0;
        }
    }

    private final SlowArbiter arbiter = new SlowArbiter();
    private final SetTime time = new SetTime();
    private final Deque<Runnable> posted = new ArrayDeque<>();
    private final List<OwnershipAction> done = new ArrayList<>();
    private Consumer<OwnershipAction> duties = done::add;
    private OwnershipAgent<PrimaryState, PrimaryEvent> primary = newPrimary();

    @BeforeEach
    void start() {
        primary = newPrimary();
        primary.begin(PrimaryOwnership.start(Requests.first(SELF, "1"), false));
    }

    private OwnershipAgent<PrimaryState, PrimaryEvent> newPrimary() {
        return OwnershipAgent.ofPrimary(VM, arbiter, posted::add, time, PAUSES, action -> duties.accept(action));
    }

    @Test
    void nothingIsAskedForAfterADutyThatCouldNotBeDone() {
        claim();
        duties = action -> {
            done.add(action);
            primary.stop();
        };
        int doneBefore = done.size();
        primary.on(new PrimaryEvent.StopRequested("stop"));
        primary.on(new PrimaryEvent.StopRequested("again"));
        assertEquals(doneBefore + 1, done.size(), "what follows the first action, and what comes later, is left out");
        assertTrue(arbiter.reads.isEmpty() && arbiter.sets.isEmpty());
        assertEquals(Long.MAX_VALUE, primary.tick(Long.MAX_VALUE - 1));
    }

    private void runPosted() {
        while (!posted.isEmpty()) {
            posted.remove().run();
        }
    }

    private void claim() {
        arbiter.reads.remove().accept(new ReadOutcome.Absent());
        runPosted();
        arbiter.sets.remove().accept(new SetOutcome.Done());
        runPosted();
    }

    @Test
    void answersAreEventsOnTheAgentsThreadAndWhatFollowsIsDone() {
        arbiter.reads.remove().accept(new ReadOutcome.Absent());
        assertTrue(arbiter.sets.isEmpty(), "not on the arbiter's thread");
        runPosted();
        arbiter.sets.remove().accept(new SetOutcome.Done());
        runPosted();
        assertEquals(List.of(new OwnershipAction.BootGuest(), new OwnershipAction.Flow()), done);
        assertInstanceOf(PrimaryState.Alone.class, primary.state().role());
    }

    @Test
    void whoCanNotBeAskedIsAskedAgainAfterTheRetryPause() {
        arbiter.reads.remove().accept(new ReadOutcome.Unavailable("away"));
        runPosted();
        assertEquals(PAUSES.retryNanos(), primary.tick(time.nanos));
        time.nanos += PAUSES.retryNanos() - 1;
        assertEquals(1, primary.tick(time.nanos));
        assertTrue(arbiter.reads.isEmpty());
        time.nanos++;
        assertEquals(Long.MAX_VALUE, primary.tick(time.nanos));
        assertEquals(1, arbiter.reads.size());
    }

    @Test
    void anEventInTheMidstOfActionsWaitsUntilAllOfThemAreDone() {
        duties = action -> {
            done.add(action);
            if (action instanceof OwnershipAction.BootGuest) {
                primary.on(new PrimaryEvent.GuestDied("could not be booted"));
            }
        };
        claim();
        assertEquals(List.of(new OwnershipAction.BootGuest(), new OwnershipAction.Flow()), done);
        assertInstanceOf(PrimaryState.Gone.class, primary.state().role());
    }

    @Test
    void aFormerOwnerTakesBackWhatIsNotRunningByTheDeadline() {
        claim();
        primary.on(new PrimaryEvent.ProtectRequested(OTHER));
        arbiter.reads.remove().accept(new ReadOutcome.Found(recordOf(primary)));
        runPosted();
        Term session = new Term(2);
        primary.on(new PrimaryEvent.FirstCheckpointPaused(session));
        primary.on(new PrimaryEvent.YieldRequested(session, "the backup takes over"));
        OwnershipRecord taken = OwnershipRecord.activating(new Term(3), OTHER, SELF, RequestId.of(OTHER, "1", 1));
        arbiter.reads.remove().accept(new ReadOutcome.Found(taken));
        runPosted();
        done.clear();
        time.nanos += PAUSES.activationNanos();
        primary.tick(time.nanos);
        while (arbiter.sets.isEmpty()) {
            arbiter.reads.remove().accept(new ReadOutcome.Found(taken));
            runPosted();
        }
        arbiter.sets.remove().accept(new SetOutcome.Done());
        runPosted();
        assertTrue(done.contains(new OwnershipAction.ResumeGuest()), done.toString());
        assertInstanceOf(PrimaryState.Alone.class, primary.state().role());
    }

    private static OwnershipRecord recordOf(OwnershipAgent<PrimaryState, PrimaryEvent> agent) {
        return agent.state().role() instanceof PrimaryState.Opening opening
                ? opening.record()
                : OwnershipRecord.alone(new Term(1), SELF, new RequestId("unknown"));
    }
}
