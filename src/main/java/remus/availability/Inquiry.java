package remus.availability;

import java.util.Objects;
import org.jspecify.annotations.Nullable;
import remus.availability.OwnershipAction.AskAgainLater;
import remus.availability.OwnershipAction.Question;
import remus.base.Invariant;

/**
 * One matter that a host has with the arbiter: to see the record, or to have it changed. It is pursued until the arbiter
 * has decided, however often the connection breaks meanwhile.
 *
 * <pre>
 * READING  the record is there (or is known not to be)
 *            nothing is to be changed                       → Seen
 *            it carries the id of this request              → Granted
 *            it is unchanged: the request may still land    → SETTING, the same request again
 *            it is another one                              → Seen
 *          the arbiter can't be asked                       → RESTING
 * SETTING  done                                             → Granted
 *          refused: as in READING, but unchanged            → RESTING (NotNow: this attempt can't land any more)
 *          unknown outcome                                  → RESTING
 * RESTING  RetryDue                                         → READING
 * </pre>
 *
 * <p>Only a record that differs from the expected one ends it without a grant: an unchanged record proves nothing. Whoever
 * gives a request up before has to supersede it by another one with the same {@code expected}; of the two one can land.
 *
 * @param change null: only to see the record
 * @param mayLand an attempt ended with unknown outcome, so that the change may come at any later time
 */
public record Inquiry(@Nullable Change change, boolean mayLand, Step step) {
    /**
     * The change that is asked for.
     *
     * @param expected null: that there is no record yet
     */
    public record Change(@Nullable OwnershipRecord expected, OwnershipRecord next) {}

    /** States, see the class header. */
    public sealed interface Step {
        record Reading(long ask) implements Step {}

        record Setting(long ask) implements Step {}

        /** @param notNow the last attempt was refused although nothing had changed */
        record Resting(boolean notNow) implements Step {}
    }

    /** What an answer means. */
    sealed interface Finding {
        /** Not decided yet. */
        record Pending(Inquiry inquiry) implements Finding {}

        /** Refused without a reason in the record; the inquiry rests. */
        record NotNow(Inquiry inquiry) implements Finding {}

        /** The record, which is not the one that was asked for; null: there is none. */
        record Seen(@Nullable OwnershipRecord record) implements Finding {}

        /** The change was made; the record is or was the one asked for. */
        record Granted(OwnershipRecord record) implements Finding {}
    }

    /** Asks for the record. */
    static Inquiry look(Turn turn) {
        return new Inquiry(null, false, new Step.Reading(turn.ask(new Question.Read())));
    }

    /** Asks for a change. */
    static Inquiry change(Turn turn, @Nullable OwnershipRecord expected, OwnershipRecord next) {
        return new Inquiry(
                new Change(expected, next), false, new Step.Setting(turn.ask(new Question.Set(expected, next))));
    }

    /** Asks for the record after the retry pause. */
    static Inquiry lookLater(Turn turn) {
        turn.act(new AskAgainLater());
        return new Inquiry(null, false, new Step.Resting(false));
    }

    /** The retry pause is over. */
    Inquiry retry(Turn turn) {
        return switch (step) {
            case Step.Reading _, Step.Setting _ -> this;
            case Step.Resting _ -> new Inquiry(change, mayLand, new Step.Reading(turn.ask(new Question.Read())));
        };
    }

    boolean isResting() {
        return step instanceof Step.Resting;
    }

    /** Whether the record certainly still is the expected one as far as this host is concerned: no attempt can land. */
    boolean isRefusedForNow() {
        return !mayLand && step instanceof Step.Resting(boolean notNow) && notNow;
    }

    Finding answered(Turn turn, long ask, Arbiter.Outcome outcome) {
        return switch (step) {
            case Step.Reading(long current) when current == ask -> read(turn, outcome);
            case Step.Setting(long current) when current == ask -> set(turn, outcome);
            case Step.Reading _, Step.Setting _, Step.Resting _ -> new Finding.Pending(this); // too late
        };
    }

    private Finding read(Turn turn, Arbiter.Outcome outcome) {
        return switch (outcome) {
            case Arbiter.ReadOutcome.Found(OwnershipRecord found) -> found(turn, found);
            case Arbiter.ReadOutcome.Absent() -> found(turn, null);
            case Arbiter.ReadOutcome.Unavailable _ -> new Finding.Pending(rest(turn, mayLand, false));
            case Arbiter.SetOutcome _ -> throw mismatch(outcome);
        };
    }

    private Finding found(Turn turn, @Nullable OwnershipRecord found) {
        Change wanted = change;
        if (wanted == null || !Objects.equals(found, wanted.expected())) {
            return seen(found);
        }
        return new Finding.Pending(new Inquiry(
                wanted, mayLand, new Step.Setting(turn.ask(new Question.Set(wanted.expected(), wanted.next())))));
    }

    private Finding set(Turn turn, Arbiter.Outcome outcome) {
        Change wanted = Invariant.present(change, "the change that was asked for");
        return switch (outcome) {
            case Arbiter.SetOutcome.Done() -> new Finding.Granted(wanted.next());
            case Arbiter.SetOutcome.Refused(OwnershipRecord current) ->
                Objects.equals(current, wanted.expected())
                        ? new Finding.NotNow(rest(turn, mayLand, true))
                        : seen(current);
            case Arbiter.SetOutcome.Unknown _ -> new Finding.Pending(rest(turn, true, false));
            case Arbiter.ReadOutcome _ -> throw mismatch(outcome);
        };
    }

    private Finding seen(@Nullable OwnershipRecord found) {
        Change wanted = change;
        return wanted != null
                        && found != null
                        && found.requestId().equals(wanted.next().requestId())
                ? new Finding.Granted(found)
                : new Finding.Seen(found);
    }

    private Inquiry rest(Turn turn, boolean landing, boolean notNow) {
        turn.act(new AskAgainLater());
        return new Inquiry(change, landing, new Step.Resting(notNow));
    }

    private static IllegalArgumentException mismatch(Arbiter.Outcome outcome) {
        return new IllegalArgumentException(outcome + " answers another question");
    }
}
