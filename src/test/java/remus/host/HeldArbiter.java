package remus.host;

import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.availability.Arbiter;
import remus.availability.OwnershipRecord;

/** An arbiter that answers when and what a test wants. */
final class HeldArbiter implements Arbiter {
    /** A question that waits for its answer. */
    sealed interface Call {
        /** Of the record. */
        record Read(Consumer<? super ReadOutcome> answer) implements Call {}

        /** Of a change to {@code next}. */
        record Set(@Nullable OwnershipRecord expected, OwnershipRecord next, Consumer<? super SetOutcome> answer)
                implements Call {}
    }

    private static final long LIMIT_SECONDS = 20;

    private final BlockingQueue<Call> calls = new LinkedBlockingQueue<>();

    /** The next question is one for the record. */
    Consumer<? super ReadOutcome> reading() throws InterruptedException {
        if (next() instanceof Call.Read(var answer)) {
            return answer;
        }
        throw new AssertionError("a change is asked for");
    }

    /** The next question is one for a change. */
    Call.Set setting() throws InterruptedException {
        if (next() instanceof Call.Set set) {
            return set;
        }
        throw new AssertionError("the record is asked for");
    }

    private Call next() throws InterruptedException {
        Call call = calls.poll(LIMIT_SECONDS, TimeUnit.SECONDS);
        assertNotNull(call, "the arbiter is asked");
        return call;
    }

    boolean isAsked() {
        return !calls.isEmpty();
    }

    void assertIdle() {
        assertNull(calls.peek());
    }

    @Override
    public void read(String vm, Consumer<? super ReadOutcome> answer) {
        calls.add(new Call.Read(answer));
    }

    @Override
    public void set(
            String vm, @Nullable OwnershipRecord expected, OwnershipRecord next, Consumer<? super SetOutcome> answer) {
        calls.add(new Call.Set(expected, next, answer));
    }

    @Override
    public void close() {}
}
