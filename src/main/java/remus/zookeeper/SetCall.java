package remus.zookeeper;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import remus.availability.Arbiter.SetOutcome;
import remus.availability.OwnershipRecord;
import remus.zookeeper.VersionedNodes.Answer;

/**
 * Changes a record, if it is the expected one.
 *
 * <pre>
 * LOOKING     the record carries this request's id            → answered: done
 *             it is the expected one, in version v            → SETTING
 *             it is another one                               → CONFIRMING, then answered: refused, or unknown
 * SETTING     done                                            → answered: done
 *             the node has another version                    → LOOKING: this attempt will never land
 *             the connection broke                            → LOOKING: this attempt may land at any time, while the
 *                                                               node has version v
 * </pre>
 *
 * <p>An attempt names the version in which the record was the expected one, and versions only grow: so at most one of all
 * attempts lands, and only while the record is the expected one, however late. When an attempt broke and another record is
 * found in version v+1, that is what came instead: refused. In a later version nobody can tell any more whether the attempt
 * came in between; then the answer is that it is unknown. Confined to the arbiter's thread.
 */
final class SetCall extends RecordCall<SetOutcome> {
    private static final int NONE = Integer.MAX_VALUE;

    private final @Nullable OwnershipRecord expected;
    private final OwnershipRecord next;
    private final String text;

    /** The version that an attempt would have replaced whose outcome is unknown; {@link #NONE}: there is none. */
    private int unsettled = NONE;

    SetCall(
            Setting setting,
            Place place,
            @Nullable OwnershipRecord expected,
            OwnershipRecord next,
            Consumer<? super SetOutcome> receiver) {
        super(setting, place, receiver);
        this.expected = expected;
        this.next = next;
        text = RecordFormat.encode(place.vm(), next);
    }

    @Override
    void found(OwnershipRecord record, int version) {
        if (record.requestId().equals(next.requestId())) {
            answer(new SetOutcome.Done());
        } else if (record.equals(expected)) {
            nodes().set(path(), text, version, whileOpen(answer -> attempted(answer, version)));
        } else {
            confirm(version, () -> notExpected(record, version));
        }
    }

    private void notExpected(OwnershipRecord record, int version) {
        if (unsettled == NONE || version == unsettled + 1) {
            answer(new SetOutcome.Refused(record));
        } else {
            giveUp("the connection broke, and the record has changed more than once since; now: " + record);
        }
    }

    @Override
    void absent() {
        if (expected == null) {
            nodes().create(path(), text, whileOpen(answer -> {
                if (answer instanceof Answer.Absent) {
                    createParents(path().indexOf('/', 1));
                } else {
                    attempted(answer, VersionedNodes.NOT_CREATED);
                }
            }));
        } else {
            confirmAbsent(() -> {
                if (unsettled == NONE) {
                    answer(new SetOutcome.Refused(null));
                } else {
                    giveUp("node " + path() + " has been deleted: records must never be");
                }
            });
        }
    }

    private void attempted(Answer answer, int replaced) {
        switch (answer) {
            case Answer.Ok() -> answer(new SetOutcome.Done());
            case Answer.Different(), Answer.Absent() -> look();
            case Answer.Node _ -> unexpected(answer);
            case Answer.Broken(String cause) -> {
                unsettled = Math.min(unsettled, replaced);
                tryAgain(cause);
            }
            case Answer.Denied(String cause) -> giveUp(cause);
        }
    }

    /** Creates the nodes above the record's, from {@code path[0, end)} downwards. */
    private void createParents(int end) {
        if (end < 0) {
            look();
            return;
        }
        nodes().create(path().substring(0, end), "", whileOpen(answer -> {
            switch (answer) {
                case Answer.Ok(), Answer.Different() -> createParents(path().indexOf('/', end + 1));
                case Answer.Absent(), Answer.Node _ -> look();
                case Answer.Broken(String cause) -> tryAgain(cause);
                case Answer.Denied(String cause) -> giveUp(cause);
            }
        }));
    }

    @Override
    SetOutcome undecided(String cause) {
        return new SetOutcome.Unknown(cause);
    }
}
