package remus.availability;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Holds one {@link OwnershipRecord} for each VM and changes it by compare-and-set: the one place where it is decided which
 * host owns a VM. Only transitions ask it; a VM that is protected or alone goes on without it.
 *
 * <p>What an implementation promises, and all that the ownership protocol relies on:
 *
 * <ul>
 *   <li>Sets and reads of one VM take effect one after the other, each at some moment after it was asked (linearizable: a
 *       read sees each set that was answered before the read was asked, whichever host made it).
 *   <li>A set takes effect only if the record then equals {@code expected} in all its fields, and at most once.
 *   <li>Each call is answered once, within the implementation's own limit (seconds), on any thread: the receiver hands over
 *       to its agent. No call blocks.
 *   <li>A set that is answered {@link SetOutcome.Unknown} may have taken effect, or may still do so at any later time, or
 *       never. {@link SetOutcome.Done} and {@link SetOutcome.Refused} are certain.
 *   <li>No record is ever removed or goes back: terms of one VM only grow.
 * </ul>
 *
 * Whether time passes, clocks agree or a connection's session expires means nothing to the protocol: no promise of an
 * implementation may rest on that.
 */
public interface Arbiter extends AutoCloseable {
    /** Reads the record of {@code vm}. */
    void read(String vm, Consumer<? super ReadOutcome> answer);

    /**
     * Replaces the record of {@code vm} by {@code next} if it equals {@code expected}.
     *
     * @param expected null: there is none yet
     * @param next its term is {@code expected}'s next one, or 1
     */
    void set(String vm, @Nullable OwnershipRecord expected, OwnershipRecord next, Consumer<? super SetOutcome> answer);

    /** Calls that are not answered yet are answered as unknown or unavailable. */
    @Override
    void close();

    /** What came of a call. */
    sealed interface Outcome {}

    /** What came of {@link #read}. */
    sealed interface ReadOutcome extends Outcome {
        record Found(OwnershipRecord record) implements ReadOutcome {}

        /** The arbiter was asked and has no record of the VM. */
        record Absent() implements ReadOutcome {}

        /** The arbiter could not be asked. */
        record Unavailable(String cause) implements ReadOutcome {}
    }

    /** What came of {@link #set}. */
    sealed interface SetOutcome extends Outcome {
        /** The record was {@code expected} and is {@code next} since. */
        record Done() implements SetOutcome {}

        /**
         * The record was not {@code expected}, and this call changes nothing any more.
         *
         * @param current the record as it was at that moment or later; null: there is none
         */
        record Refused(@Nullable OwnershipRecord current) implements SetOutcome {}

        /** It is not known whether the set took effect, nor whether it still will. */
        record Unknown(String cause) implements SetOutcome {}
    }
}
