package remus.availability;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import remus.availability.Arbiter.ReadOutcome;
import remus.availability.Arbiter.ReadOutcome.Absent;
import remus.availability.Arbiter.ReadOutcome.Found;
import remus.availability.Arbiter.SetOutcome;
import remus.availability.Arbiter.SetOutcome.Done;
import remus.availability.Arbiter.SetOutcome.Refused;
import remus.base.Term;

/** What each {@link Arbiter} promises that several hosts share, whatever it is made of. */
public abstract class ArbiterContract {
    public static final HostId ALPHA = new HostId("alpha");
    public static final HostId BETA = new HostId("beta");
    public static final String VM = "shop";
    private static final int ANSWER_SECONDS = 20;

    private final List<Arbiter> connected = new ArrayList<>();

    /** One more host's way to the same records; the contract closes it. */
    protected abstract Arbiter connect() throws Exception;

    private Arbiter host() throws Exception {
        Arbiter arbiter = connect();
        connected.add(arbiter);
        return arbiter;
    }

    @AfterEach
    void closeHosts() {
        connected.forEach(Arbiter::close);
    }

    public static ReadOutcome read(Arbiter arbiter, String vm) throws Exception {
        CompletableFuture<ReadOutcome> answer = new CompletableFuture<>();
        arbiter.read(vm, answer::complete);
        return answer.get(ANSWER_SECONDS, TimeUnit.SECONDS);
    }

    public static SetOutcome set(Arbiter arbiter, @Nullable OwnershipRecord expected, OwnershipRecord next)
            throws Exception {
        return asked(arbiter, expected, next).get(ANSWER_SECONDS, TimeUnit.SECONDS);
    }

    public static CompletableFuture<SetOutcome> asked(
            Arbiter arbiter, @Nullable OwnershipRecord expected, OwnershipRecord next) {
        CompletableFuture<SetOutcome> answer = new CompletableFuture<>();
        arbiter.set(VM, expected, next, answer::complete);
        return answer;
    }

    public static OwnershipRecord alone(long term, HostId owner, String request) {
        return OwnershipRecord.alone(new Term(term), owner, new RequestId(request));
    }

    @Test
    void aVmThatNobodyStartedHasNoRecord() throws Exception {
        assertEquals(new Absent(), read(host(), VM));
    }

    @Test
    void eachPhaseIsKeptAndSeenByTheOtherHost() throws Exception {
        Arbiter alpha = host();
        Arbiter beta = host();
        OwnershipRecord started = alone(1, ALPHA, "a.1");
        OwnershipRecord guarded = OwnershipRecord.protectedBy(new Term(2), ALPHA, BETA, new RequestId("a.2"));
        OwnershipRecord taking = OwnershipRecord.activating(new Term(3), BETA, ALPHA, new RequestId("b.1"));
        OwnershipRecord taken = alone(4, BETA, "b.2");
        assertEquals(new Done(), set(alpha, null, started));
        assertEquals(new Found(started), read(beta, VM));
        assertEquals(new Done(), set(alpha, started, guarded));
        assertEquals(new Found(guarded), read(beta, VM));
        assertEquals(new Done(), set(beta, guarded, taking));
        assertEquals(new Found(taking), read(alpha, VM));
        assertEquals(new Done(), set(beta, taking, taken));
        assertEquals(new Found(taken), read(alpha, VM));
        assertEquals(new Refused(taken), set(alpha, guarded, alone(3, ALPHA, "a.3")));
    }

    @Test
    void aSetNeedsTheRecordToBeTheExpectedOneInAllItsFields() throws Exception {
        Arbiter alpha = host();
        OwnershipRecord guarded = OwnershipRecord.protectedBy(new Term(1), ALPHA, BETA, new RequestId("a.1"));
        assertEquals(new Refused(null), set(alpha, guarded, alone(2, ALPHA, "a.2")));
        assertEquals(new Done(), set(alpha, null, guarded));
        HostId gamma = new HostId("gamma");
        for (OwnershipRecord other : List.of(
                OwnershipRecord.protectedBy(new Term(2), ALPHA, BETA, new RequestId("a.1")),
                OwnershipRecord.protectedBy(new Term(1), gamma, BETA, new RequestId("a.1")),
                OwnershipRecord.protectedBy(new Term(1), ALPHA, gamma, new RequestId("a.1")),
                OwnershipRecord.protectedBy(new Term(1), ALPHA, BETA, new RequestId("a.9")),
                OwnershipRecord.activating(new Term(1), ALPHA, BETA, new RequestId("a.1")),
                alone(1, ALPHA, "a.1"))) {
            assertEquals(new Refused(guarded), set(alpha, other, alone(2, ALPHA, "a.2")), other.toString());
        }
        assertEquals(new Refused(guarded), set(alpha, null, alone(1, ALPHA, "a.3")));
        assertEquals(new Found(guarded), read(alpha, VM));
    }

    /** Done, or refused with a record that carries its id: either says that it was granted, once. */
    @Test
    void aRepeatedRequestChangesNothingAndIsRecognised() throws Exception {
        Arbiter alpha = host();
        OwnershipRecord first = alone(1, ALPHA, "a.1");
        OwnershipRecord second = alone(2, ALPHA, "a.2");
        assertEquals(new Done(), set(alpha, null, first));
        assertRecognised(first, set(alpha, null, first));
        assertEquals(new Done(), set(alpha, first, second));
        assertRecognised(second, set(alpha, first, second));
        assertEquals(new Found(second), read(alpha, VM));
        assertEquals(new Done(), set(alpha, second, alone(3, ALPHA, "a.3")), "it took effect once only");
    }

    private static void assertRecognised(OwnershipRecord next, SetOutcome outcome) {
        if (!(outcome instanceof Done)) {
            assertEquals(new Refused(next), outcome);
        }
    }

    @Test
    void recordsOfDifferentVmsAreIndependent() throws Exception {
        Arbiter alpha = host();
        assertEquals(new Done(), set(alpha, null, alone(1, ALPHA, "a.1")));
        assertEquals(new Absent(), read(alpha, "other"));
    }

    @Test
    void ofAllContendersForATermExactlyOneWins() throws Exception {
        int contenders = 6;
        List<Arbiter> hosts = new ArrayList<>();
        for (int host = 0; host < contenders; host++) {
            hosts.add(host());
        }
        OwnershipRecord current = null;
        for (int term = 1; term <= 30; term++) {
            List<OwnershipRecord> wanted = new ArrayList<>();
            List<CompletableFuture<SetOutcome>> answers = new ArrayList<>();
            for (int host = 0; host < contenders; host++) {
                wanted.add(alone(term, new HostId("host" + host), "h" + host + "." + term));
                answers.add(asked(hosts.get(host), current, wanted.get(host)));
            }
            OwnershipRecord winner = null;
            List<SetOutcome> lost = new ArrayList<>();
            for (int host = 0; host < contenders; host++) {
                SetOutcome outcome = answers.get(host).get(ANSWER_SECONDS, TimeUnit.SECONDS);
                if (outcome instanceof Done) {
                    assertEquals(null, winner, "two winners of term " + term);
                    winner = wanted.get(host);
                } else {
                    lost.add(outcome);
                }
            }
            assertTrue(winner != null, "nobody won term " + term + ": " + lost);
            for (SetOutcome outcome : lost) {
                assertEquals(new Refused(winner), outcome);
            }
            current = winner;
        }
        assertEquals(new Found(alone(30, current == null ? ALPHA : current.owner(), id(current))), read(host(), VM));
    }

    private static String id(@Nullable OwnershipRecord record) {
        return record == null ? "" : record.requestId().value();
    }

    @Test
    void afterItsEndEachCallIsStillAnswered() throws Exception {
        Arbiter alpha = host();
        assertEquals(new Done(), set(alpha, null, alone(1, ALPHA, "a.1")));
        List<CompletableFuture<SetOutcome>> under = new ArrayList<>();
        for (int call = 0; call < 20; call++) {
            under.add(asked(alpha, alone(1, ALPHA, "a.1"), alone(2, ALPHA, "a.2." + call)));
        }
        alpha.close();
        int done = 0;
        for (CompletableFuture<SetOutcome> answer : under) {
            done += answer.get(ANSWER_SECONDS, TimeUnit.SECONDS) instanceof Done ? 1 : 0;
        }
        assertTrue(done <= 1, done + " won one term");
        assertInstanceOf(ReadOutcome.Unavailable.class, read(alpha, VM));
        assertInstanceOf(SetOutcome.Unknown.class, set(alpha, null, alone(1, ALPHA, "a.3")));
        alpha.close();
    }

    @Test
    void anAnswerComesOnce() throws Exception {
        Arbiter alpha = host();
        CompletableFuture<SetOutcome> second = new CompletableFuture<>();
        CompletableFuture<SetOutcome> first = new CompletableFuture<>();
        alpha.set(VM, null, alone(1, ALPHA, "a.1"), outcome -> {
            if (!first.complete(outcome)) {
                second.complete(outcome);
            }
        });
        assertEquals(new Done(), first.get(ANSWER_SECONDS, TimeUnit.SECONDS));
        assertEquals(new Found(alone(1, ALPHA, "a.1")), read(alpha, VM));
        assertThrows(TimeoutException.class, () -> second.get(50, TimeUnit.MILLISECONDS));
        assertFalse(second.isDone());
    }
}
