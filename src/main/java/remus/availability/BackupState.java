package remus.availability;

import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.Term;

/**
 * A host that backs a VM up: where its ownership stands. The transitions are listed in {@link BackupOwnership}, which is
 * the only one to make states.
 */
public record BackupState(Requests requests, Role role) {
    /** A protection session, as the backup knows it. */
    public record Session(Term term, HostId primary) {}

    /** States. */
    public sealed interface Role {
        /** The session whose events are listened to. */
        default @Nullable Session session() {
            return null;
        }
    }

    /** No checkpoint is whole yet: nothing to take over with. */
    public record Receiving(Session session) implements Role {}

    /**
     * Has a whole image and acknowledges what becomes whole.
     *
     * @param lastWhole the last whole checkpoint
     */
    public record Standing(Session session, EpochId lastWhole) implements Role {}

    /**
     * The primary counts as failed, and the record is being looked at. Still acknowledges: nothing was asked for yet.
     *
     * @param byCommand goes on even if the primary returns
     * @param reported that the record is older than the session
     */
    public record Checking(Session session, EpochId lastWhole, boolean byCommand, boolean reported, Inquiry inquiry)
            implements Role {}

    /** Has asked to activate, which may be granted at any time from now on: acknowledges nothing any more. */
    public record Requesting(Session session, Inquiry inquiry) implements Role {}

    /**
     * The record says that this host is taking over, and the image is being loaded.
     *
     * @param inquiry whether that still holds after a failed attempt; null: not asked
     */
    public record Activating(
            OwnershipRecord record,
            Session session,
            @Nullable Inquiry inquiry) implements Role {}

    /** The VM runs here with its output held; asks for the record to say that it is alone. */
    public record Confirming(OwnershipRecord record, Session session, Inquiry inquiry) implements Role {}

    /** The VM runs here and this host owns it. Final: {@link PrimaryOwnership} goes on. */
    public record Taken(OwnershipRecord record) implements Role {}

    /** There is no image here any more. Final. */
    public record Dropped(String reason) implements Role {}
}
