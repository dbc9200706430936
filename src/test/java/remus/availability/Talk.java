package remus.availability;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import java.util.List;
import org.jspecify.annotations.Nullable;
import remus.availability.Arbiter.ReadOutcome;
import remus.availability.Arbiter.SetOutcome;
import remus.availability.OwnershipAction.AskArbiter;
import remus.availability.OwnershipAction.Question;

/** One state machine in a test: gives it events and remembers what came of the last one. */
abstract class Talk {
    static final HostId ALPHA = new HostId("alpha");
    static final HostId BETA = new HostId("beta");
    static final RequestId OTHERS_REQUEST = new RequestId("somebody.else.1");

    List<OwnershipAction> actions = List.of();
    private @Nullable AskArbiter asked;

    /** Keeps the actions of a step. */
    void took(List<OwnershipAction> done) {
        actions = done;
        for (OwnershipAction action : done) {
            if (action instanceof AskArbiter ask) {
                asked = ask;
            }
        }
    }

    abstract void answered(long ask, Arbiter.Outcome outcome);

    abstract void retry();

    long ask() {
        AskArbiter last = asked;
        if (last == null) {
            throw new AssertionError("nothing was asked");
        }
        return last.ask();
    }

    Question question() {
        AskArbiter last = asked;
        if (last == null) {
            throw new AssertionError("nothing was asked");
        }
        return last.question();
    }

    /** The set that was asked for last. */
    Question.Set set() {
        return assertInstanceOf(Question.Set.class, question());
    }

    void found(OwnershipRecord record) {
        assertInstanceOf(Question.Read.class, question());
        answered(ask(), new ReadOutcome.Found(record));
    }

    void unavailable() {
        answered(ask(), new ReadOutcome.Unavailable("no connection"));
    }

    /** Grants what was asked for and returns the record that is in force now. */
    OwnershipRecord granted() {
        OwnershipRecord next = set().next();
        answered(ask(), new SetOutcome.Done());
        return next;
    }

    void refused(@Nullable OwnershipRecord current) {
        set();
        answered(ask(), new SetOutcome.Refused(current));
    }

    void unknown() {
        set();
        answered(ask(), new SetOutcome.Unknown("connection lost"));
    }

    boolean did(Class<? extends OwnershipAction> kind) {
        return actions.stream().anyMatch(kind::isInstance);
    }

    boolean did(OwnershipAction action) {
        return actions.contains(action);
    }

    void assertDidNothing() {
        assertEquals(List.of(), actions);
    }
}
