package remus.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remus.api.WhenAlone;
import remus.base.EpochId;
import remus.base.Term;

/** When a session's backup counts as lost: by a clock that a test moves, as a running agent sees it. */
@Timeout(60)
class SessionWatchTest {
    /** More often than once in half a detection time, or the host would seem to have slept. */
    private static final long STEP_MILLIS = 100;

    private static final long FIRST_DEADLINE_MILLIS = 60_000;
    private static final long FIRST_CONTACT_DEADLINE_MILLIS = 30_000;

    private final SettableTime time = new SettableTime();
    private final Agent agent = new Agent(() -> {});
    private final List<String> told = new ArrayList<>();
    private final SessionOwner owner = (SessionOwner) Proxy.newProxyInstance(
            SessionOwner.class.getClassLoader(), new Class<?>[] {SessionOwner.class}, (proxy, method, args) -> {
                told.add(method.getName());
                return null;
            });
    private final FakeSession factory = new FakeSession(WhenAlone.HOLD, agent, time);
    private final ProtectionSession session = factory.create(new Term(2), owner);

    private @Nullable ProtectionSession beginning;

    /** The first checkpoint is on its way. */
    @BeforeEach
    void begin() {
        session.begin();
        factory.channel().backupReady(Set.of());
        agent.runPosted();
        takeOne();
        assertEquals(new EpochId(1), session.engine().sealed());
    }

    private void takeOne() {
        while (!session.engine().isPausing()) {
            step();
        }
        session.engine().guestSuspended();
        session.engine().guestSaved(time.nanos());
        session.engine().guestResumed(time.nanos());
    }

    @AfterEach
    void close() {
        ProtectionSession next = beginning;
        if (next != null) {
            next.end();
        }
        session.end();
    }

    private void step() {
        time.wallMillis.addAndGet(STEP_MILLIS);
        session.tick(time.nanos());
        agent.runPosted();
    }

    private void pass(long millis) {
        for (long left = millis; left > 0; left -= STEP_MILLIS) {
            step();
        }
    }

    @Test
    void aBackupThatSaysHelloAgainAndAgainButAcknowledgesNothingIsGivenUp() {
        factory.channel().acknowledged(new EpochId(1));
        takeOne();
        int hellos = 0;
        while (hellos < 10 && !told.contains("givenUp")) {
            pass(1_000);
            factory.channel().disconnected("reset");
            factory.channel().reconnected(new EpochId(1));
            agent.runPosted();
            hellos++;
        }
        assertTrue(hellos > 1 && told.contains("givenUp"), told.toString());
    }

    @Test
    void theFirstCheckpointMayTakeLong() {
        pass(FIRST_DEADLINE_MILLIS / 2);
        assertFalse(told.contains("severed"), "it may be most of memory");
        pass(FIRST_DEADLINE_MILLIS);
        assertTrue(told.contains("severed"));
    }

    @Test
    void aBackupThatOwesNothingIsNotGivenUp() {
        factory.channel().acknowledged(new EpochId(1));
        agent.runPosted();
        assertTrue(told.contains("acknowledged"));
        assertFalse(told.contains("severed") || told.contains("givenUp"), told.toString());
    }

    /** Another session, which has yet to find its backup. */
    private FakeSession connecting() {
        FakeSession next = new FakeSession(WhenAlone.HOLD, agent, time);
        beginning = next.create(new Term(3), owner);
        beginning.begin();
        return next;
    }

    private void passConnecting(long millis) {
        for (long left = millis; left > 0; left -= STEP_MILLIS) {
            agent.runPosted();
            time.wallMillis.addAndGet(STEP_MILLIS);
            Objects.requireNonNull(beginning).tick(time.nanos());
        }
    }

    @Test
    void aConnectionThatIsMadeAgainBeforeTheBackupIsReadyIsContact() {
        FakeSession next = connecting();
        next.channel().disconnected("no answer within 200 ms");
        next.channel().welcomed();
        passConnecting(FIRST_CONTACT_DEADLINE_MILLIS + 1_000); // files are sent
        next.channel().backupReady(Set.of());
        passConnecting(1_000);
        assertFalse(told.contains("givenUp"), told.toString());
    }

    @Test
    void aBackupThatIsNotReadyYetIsGivenTimeAndThenGivenUp() {
        FakeSession next = connecting();
        next.channel().disconnected("busy");
        passConnecting(FIRST_CONTACT_DEADLINE_MILLIS);
        assertFalse(told.contains("givenUp"), told.toString());
        passConnecting(1_000);
        assertTrue(told.contains("givenUp"));
    }

    @Test
    void aBackupThatStaysAwayIsGivenUp() {
        factory.channel().acknowledged(new EpochId(1));
        factory.channel().disconnected("reset");
        pass(1_000);
        assertFalse(told.contains("givenUp"));
        pass(1_000);
        assertTrue(told.contains("givenUp"), "after four detection times");
    }
}
