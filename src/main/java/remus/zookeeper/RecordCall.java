package remus.zookeeper;

import static remus.zookeeper.ZooKeeperLimits.ANSWER_LIMIT_MILLIS;
import static remus.zookeeper.ZooKeeperLimits.MAX_ATTEMPTS;
import static remus.zookeeper.ZooKeeperLimits.RETRY_PAUSE_MILLIS;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.availability.Arbiter.Outcome;
import remus.availability.OwnershipRecord;
import remus.zookeeper.VersionedNodes.Answer;

/**
 * One call of the arbiter, tried over until it is decided or its time is over.
 *
 * <pre>
 * LOOKING     the node, as some server has it                 → decided by {@link ReadCall} and {@link SetCall}
 *             no node                                         → likewise
 * CONFIRMING  a majority says it is so                        → answered
 *             it is not                                       → LOOKING
 * any state   the connection broke                            → LOOKING, after a pause
 *             denied, unreadable, too many attempts, overdue  → answered: unavailable, or unknown
 * </pre>
 *
 * <p>A plain read may come from a server that is behind, and so may one after {@code sync}: a leader that was cut off or
 * stopped answers that before it notices that it leads nobody. So what was read is confirmed by a write that changes nothing
 * (a check of the node's version, alone in a transaction), which takes a majority like any other.
 *
 * <p>Invariants: answered once, within the answer limit; nothing is asked after that. Confined to the arbiter's thread.
 *
 * @param <T> what the caller is told
 */
abstract class RecordCall<T extends Outcome> {
    /** Does something later, on the arbiter's thread. */
    interface Timer {
        void after(int millis, Runnable task);
    }

    /**
     * What a call works with.
     *
     * @param ended told when the call is answered
     */
    record Setting(VersionedNodes nodes, Timer timer, Consumer<? super RecordCall<?>> ended) {}

    /** The VM and the node that holds its record. */
    record Place(String vm, String path) {}

    private final Setting setting;
    private final Place place;
    private final Consumer<? super T> receiver;
    private @Nullable String trouble;
    private int attempts;
    private boolean answered;

    RecordCall(Setting setting, Place place, Consumer<? super T> receiver) {
        this.setting = setting;
        this.place = place;
        this.receiver = receiver;
    }

    final void begin() {
        setting.timer().after(ANSWER_LIMIT_MILLIS, this::overdue);
        look();
    }

    private void overdue() {
        String why = trouble;
        giveUp("no answer from the arbiter within " + ANSWER_LIMIT_MILLIS / 1000 + " s"
                + (why == null ? "" : ": " + why));
    }

    /** Answers without knowing. */
    final void giveUp(String cause) {
        answer(undecided(cause));
    }

    final void answer(T outcome) {
        if (!answered) {
            answered = true;
            setting.ended().accept(this);
            receiver.accept(outcome);
        }
    }

    final void look() {
        if (answered) {
            return;
        }
        if (++attempts > MAX_ATTEMPTS) {
            giveUp("undecided after " + MAX_ATTEMPTS + " attempts"
                    + (trouble == null ? ", the record of " + vm() + " changes all the time" : ": " + trouble));
            return;
        }
        nodes().get(path(), whileOpen(found -> {
            switch (found) {
                case Answer.Node(String text, int version) -> decode(text, version);
                case Answer.Absent() -> absent();
                case Answer.Ok(), Answer.Different() -> unexpected(found);
                case Answer.Broken(String cause) -> tryAgain(cause);
                case Answer.Denied(String cause) -> giveUp(cause);
            }
        }));
    }

    private void decode(String text, int version) {
        OwnershipRecord record;
        try {
            record = RecordFormat.decode(vm(), text);
        } catch (UnreadableRecordException e) {
            giveUp("node " + path() + ": " + e.getMessage());
            return;
        }
        found(record, version);
    }

    /** The node was that at some time. */
    abstract void found(OwnershipRecord record, int version);

    /** There was no node at some time. */
    abstract void absent();

    abstract T undecided(String cause);

    /** Goes on only if the record is current: it was {@code version} after this was asked. */
    final void confirm(int version, Runnable current) {
        nodes().confirm(path(), version, whileOpen(confirmed -> {
            switch (confirmed) {
                case Answer.Ok() -> current.run();
                case Answer.Different(), Answer.Absent() -> look();
                case Answer.Node _ -> unexpected(confirmed);
                case Answer.Broken(String cause) -> tryAgain(cause);
                case Answer.Denied(String cause) -> giveUp(cause);
            }
        }));
    }

    /** Goes on only if there was no node after this was asked. */
    final void confirmAbsent(Runnable absent) {
        nodes().confirm(path(), VersionedNodes.ANY_VERSION, whileOpen(confirmed -> {
            switch (confirmed) {
                case Answer.Absent() -> absent.run();
                case Answer.Ok(), Answer.Different() -> look();
                case Answer.Node _ -> unexpected(confirmed);
                case Answer.Broken(String cause) -> tryAgain(cause);
                case Answer.Denied(String cause) -> giveUp(cause);
            }
        }));
    }

    final void tryAgain(String cause) {
        trouble = cause;
        setting.timer().after(RETRY_PAUSE_MILLIS, this::look);
    }

    final void unexpected(Answer answer) {
        giveUp("node " + path() + ": an answer to another question: " + answer);
    }

    /** Answers that come too late are nobody's. */
    final Consumer<Answer> whileOpen(Consumer<Answer> then) {
        return answer -> {
            if (!answered) {
                then.accept(answer);
            }
        };
    }

    final VersionedNodes nodes() {
        return setting.nodes();
    }

    final String vm() {
        return place.vm();
    }

    final String path() {
        return place.path();
    }
}
