package remus.availability;

import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.Term;

/**
 * A host that has the VM, or asks to start it: where its ownership stands. The transitions are listed in
 * {@link PrimaryOwnership}, which is the only one to make states.
 */
public record PrimaryState(Requests requests, Role role) {
    /**
     * A protection session.
     *
     * @param term its own, never used by another one; the record carries it once the VM is protected
     */
    public record Session(Term term, HostId backup) {}

    /** Whether the VM's output may leave. */
    public enum Output {
        /** It leaves at once. */
        FLOWS,
        /** It leaves with the commit of its epoch. */
        BY_COMMITS,
        /** It is held. */
        HELD,
        /** It is dropped. */
        DISCARDED
    }

    /** States. */
    public sealed interface Role {
        Output output();

        /** The session whose events are listened to. */
        default @Nullable Session session() {
            return null;
        }
    }

    public Output output() {
        return role.output();
    }

    /**
     * The VM is to be started here; no guest yet.
     *
     * @param force an operator vouches that no other host runs the VM or should
     */
    public record Claiming(Inquiry inquiry, boolean force) implements Role {
        @Override
        public Output output() {
            return Output.HELD;
        }
    }

    /**
     * The record says that this host owns the VM alone.
     *
     * @param spent a session was begun under the next term and given up: another one needs a new record first
     */
    public record Alone(OwnershipRecord record, boolean spent) implements Role {
        @Override
        public Output output() {
            return Output.FLOWS;
        }
    }

    /** Protection is wanted; the arbiter has to confirm the record first, or renew it. */
    public record Opening(OwnershipRecord record, boolean spent, HostId backup, Inquiry inquiry) implements Role {
        @Override
        public Output output() {
            return Output.FLOWS;
        }
    }

    /** Memory is being copied; the backup has no checkpoint and gets none yet. */
    public record Synchronizing(OwnershipRecord record, Session session) implements Role {
        @Override
        public Output output() {
            return Output.FLOWS;
        }
    }

    /** The first full checkpoint is on its way; the record still says alone. */
    public record Joining(OwnershipRecord record, Session session) implements Role {
        @Override
        public Output output() {
            return Output.HELD;
        }
    }

    /**
     * The backup has the first full checkpoint; the arbiter is asked to name it in the record.
     *
     * @param acknowledged the last epoch the backup holds
     * @param wokeLate this host slept meanwhile, so that a grant may be long past
     */
    public record Entering(
            OwnershipRecord record, Session session, EpochId acknowledged, boolean wokeLate, Inquiry inquiry)
            implements Role {
        @Override
        public Output output() {
            return Output.HELD;
        }
    }

    /** The record names the backup; output leaves by commits. */
    public record Protected(OwnershipRecord record, Session session) implements Role {
        @Override
        public Output output() {
            return Output.BY_COMMITS;
        }
    }

    /**
     * This host was not running for longer than the detection time: it asks whether it still is the owner.
     *
     * @param acknowledged what the backup acknowledged meanwhile, to be released if so
     */
    public record Woken(OwnershipRecord record, Session session, EpochId acknowledged, Inquiry inquiry)
            implements Role {
        @Override
        public Output output() {
            return Output.HELD;
        }
    }

    /**
     * Protection is to end in good order.
     *
     * @param ending the VM is to end, too
     * @param inquiry finds out whether the arbiter answers, before anything is given up; null: the backup is signed off
     */
    public record Leaving(
            OwnershipRecord record,
            Session session,
            boolean ending,
            @Nullable Inquiry inquiry) implements Role {
        @Override
        public Output output() {
            return Output.BY_COMMITS;
        }
    }

    /**
     * Asks to own the VM alone.
     *
     * @param former the session that protected the VM; null: there was none, or its checkpoints were never protected
     * @param contact the backup has said hello since it was lost, so that what it acknowledges may leave
     * @param ending the VM is to end as soon as the record is in order
     */
    public record GoingAlone(Inquiry inquiry, @Nullable Session former, boolean contact, boolean ending)
            implements Role {
        @Override
        public Output output() {
            return contact ? Output.BY_COMMITS : Output.HELD;
        }

        @Override
        public @Nullable Session session() {
            return former;
        }
    }

    /** The VM died before the record named the backup that has it whole: the record is made to name it all the same. */
    public record Bequeathing(Inquiry inquiry, Session session) implements Role {
        @Override
        public Output output() {
            return Output.DISCARDED;
        }
    }

    /**
     * Another host takes the VM over, or may be doing so; it is kept here, paused.
     *
     * @param seen the record that is waited on; null: none was read yet
     * @param overdue it has stood for longer than the activation deadline
     */
    public record Waiting(@Nullable OwnershipRecord seen, boolean overdue, Inquiry inquiry) implements Role {
        @Override
        public Output output() {
            return Output.DISCARDED;
        }
    }

    /** The VM is not here any more, or was never allowed to start. Final. */
    public record Gone(String reason) implements Role {
        @Override
        public Output output() {
            return Output.DISCARDED;
        }
    }
}
