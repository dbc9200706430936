package remus.availability;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.Executor;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import remus.availability.OwnershipAction.AskAgainLater;
import remus.availability.OwnershipAction.AskArbiter;
import remus.availability.OwnershipAction.AwaitActivation;
import remus.availability.OwnershipAction.Question;
import remus.base.Invariant;
import remus.base.Term;
import remus.base.Time;

/**
 * One host's ownership of one VM in motion: keeps the state of {@link PrimaryOwnership} or {@link BackupOwnership}, gives
 * it one event after the other, asks the arbiter, keeps the two timers, and hands all other actions to whoever can do them.
 *
 * <p>An event that comes while the actions of another one are being done waits until they are. Answers of the arbiter and
 * timers come as events like all others. Confined to the VM's agent thread; {@link #tick} is called at least when it said.
 *
 * @param <S> the state
 * @param <E> the events
 */
public final class OwnershipAgent<S, E> {
    /**
     * How long to wait; only availability depends on it.
     *
     * @param retryNanos pause before the arbiter is asked again
     * @param activationNanos how long a new owner may take to make the VM run before the former one may take it back
     */
    public record Pauses(long retryNanos, long activationNanos) {
        public Pauses {
            if (retryNanos <= 0 || activationNanos <= 0) {
                throw new IllegalArgumentException("pauses are longer than 0: " + retryNanos + ", " + activationNanos);
            }
        }
    }

    /**
     * One of the two state machines, and how it is told what comes from here.
     *
     * @param activationOverdue null: it never waits for that
     */
    private record Side<S, E>(
            BiFunction<S, E, Step<S>> on,
            BiFunction<Long, Arbiter.Outcome, E> answered,
            Supplier<E> retryDue,
            @Nullable Function<Term, E> activationOverdue) {}

    private static final long NEVER = Long.MAX_VALUE;

    private final Side<S, E> side;
    private final String vm;
    private final Arbiter arbiter;
    private final Executor agent;
    private final Time time;
    private final Pauses pauses;
    private final Consumer<? super OwnershipAction> duties;
    private final Deque<E> waiting = new ArrayDeque<>();
    private BiConsumer<? super S, ? super S> observer = (before, after) -> {};
    private boolean busy;
    private boolean stopped;
    private @Nullable S state;
    private long retryAtNanos = NEVER;
    private long overdueAtNanos = NEVER;
    private @Nullable Term activating;

    private OwnershipAgent(
            Side<S, E> side,
            String vm,
            Arbiter arbiter,
            Executor agent,
            Time time,
            Pauses pauses,
            Consumer<? super OwnershipAction> duties) {
        this.side = side;
        this.vm = vm;
        this.arbiter = arbiter;
        this.agent = agent;
        this.time = time;
        this.pauses = pauses;
        this.duties = duties;
    }

    /**
     * For a host that has the VM.
     *
     * @param agent runs what the arbiter answers on the agent's thread
     * @param duties does all actions but those that ask the arbiter or wait
     */
    public static OwnershipAgent<PrimaryState, PrimaryEvent> ofPrimary(
            String vm,
            Arbiter arbiter,
            Executor agent,
            Time time,
            Pauses pauses,
            Consumer<? super OwnershipAction> duties) {
        return new OwnershipAgent<>(
                new Side<>(
                        PrimaryOwnership::on,
                        PrimaryEvent.Answered::new,
                        PrimaryEvent.RetryDue::new,
                        PrimaryEvent.ActivationOverdue::new),
                vm,
                arbiter,
                agent,
                time,
                pauses,
                duties);
    }

    /** For a host that backs the VM up; as {@link #ofPrimary}. */
    public static OwnershipAgent<BackupState, BackupEvent> ofBackup(
            String vm,
            Arbiter arbiter,
            Executor agent,
            Time time,
            Pauses pauses,
            Consumer<? super OwnershipAction> duties) {
        return new OwnershipAgent<>(
                new Side<>(BackupOwnership::on, BackupEvent.Answered::new, BackupEvent.RetryDue::new, null),
                vm,
                arbiter,
                agent,
                time,
                pauses,
                duties);
    }

    /** {@code told} gets the state before and after each step, when its actions are done. */
    public void whenChanged(BiConsumer<? super S, ? super S> told) {
        observer = told;
    }

    /** Begins, or goes on from a state that another side has left, with what that says is to be done. */
    public void begin(Step<S> first) {
        Invariant.check(state == null, "the ownership of %s has begun already", vm);
        take(first);
        takeWaiting();
    }

    public S state() {
        return Invariant.present(state, "the state, which there is once it has begun");
    }

    /**
     * Nothing is decided or asked for any more, from the next action on: one could not be done, and what would follow
     * from it must not. A question that is under way may still be granted; its answer is not looked at.
     */
    public void stop() {
        stopped = true;
        waiting.clear();
    }

    /** Something has happened; what follows from it has been done on return, unless this was called in the midst of that. */
    public void on(E event) {
        if (stopped) {
            return;
        }
        waiting.add(event);
        if (!busy) {
            takeWaiting();
        }
    }

    /**
     * Does what is due.
     *
     * @return nanoseconds until it wants to be called again
     */
    public long tick(long nowNanos) {
        if (stopped) {
            return NEVER;
        }
        if (nowNanos >= retryAtNanos) {
            retryAtNanos = NEVER;
            on(side.retryDue().get());
        }
        Term term = activating;
        if (term != null && nowNanos >= overdueAtNanos) {
            activating = null;
            overdueAtNanos = NEVER;
            Function<Term, E> overdue = side.activationOverdue();
            if (overdue != null) {
                on(overdue.apply(term));
            }
        }
        long next = Math.min(retryAtNanos, overdueAtNanos);
        return next == NEVER ? NEVER : Math.max(0, next - nowNanos);
    }

    private void takeWaiting() {
        while (!waiting.isEmpty()) {
            take(side.on().apply(state(), waiting.remove()));
        }
    }

    private void take(Step<S> step) {
        S before = state;
        state = step.state();
        busy = true;
        try {
            for (OwnershipAction action : step.actions()) {
                act(action);
                if (stopped) {
                    return;
                }
            }
            if (before != null) {
                observer.accept(before, step.state());
            }
        } finally {
            busy = false;
        }
    }

    private void act(OwnershipAction action) {
        switch (action) {
            case AskArbiter(long ask, Question question) -> ask(ask, question);
            case AskAgainLater() -> retryAtNanos = time.nanos() + pauses.retryNanos();
            case AwaitActivation(Term term) -> {
                activating = term;
                overdueAtNanos = time.nanos() + pauses.activationNanos();
            }
            default -> duties.accept(action);
        }
    }

    private void ask(long ask, Question question) {
        Consumer<Arbiter.Outcome> answer =
                outcome -> agent.execute(() -> on(side.answered().apply(ask, outcome)));
        switch (question) {
            case Question.Read() -> arbiter.read(vm, answer);
            case Question.Set(OwnershipRecord expected, OwnershipRecord next) ->
                arbiter.set(vm, expected, next, answer);
        }
    }
}
