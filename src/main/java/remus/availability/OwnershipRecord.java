package remus.availability;

import org.jspecify.annotations.Nullable;
import remus.base.Term;

/**
 * What the arbiter holds of one VM: who owns it, in which term. Changed only as a whole and by compare-and-set, each change
 * with the next term, so that every term is granted once.
 *
 * <pre>
 * (absent)                       start          → {1,   A, –, –, ALONE}
 * {t, A, –, –, ALONE}            protect        → {t+1, A, B, –, PROTECTED}    its term is the session's
 *                                start, restart, a session given up
 *                                               → {t+1, A, –, –, ALONE}
 * {t, A, B, –, PROTECTED}        backup lost, unprotect, restart
 *                                               → {t+1, A, –, –, ALONE}
 *                                B activates    → {t+1, B, –, A, ACTIVATING}
 * {t, B, –, A, ACTIVATING}       the VM runs    → {t+1, B, –, –, ALONE}
 *                                A takes it back, after the activation deadline
 *                                               → {t+1, A, –, –, ALONE}
 * </pre>
 *
 * @param term of this record; at least 1
 * @param owner may run the VM; releases its output freely in {@link Phase#ALONE}, by commits in {@link Phase#PROTECTED}, and
 *     not at all in {@link Phase#ACTIVATING}
 * @param backup may ask for the next term in order to activate; there in PROTECTED only, and then not the owner
 * @param formerOwner may take the VM back; there in ACTIVATING only, and then not the owner
 * @param requestId of the request that wrote this record
 */
public record OwnershipRecord(
        Term term,
        HostId owner,
        @Nullable HostId backup,
        @Nullable HostId formerOwner,
        Phase phase,
        RequestId requestId) {
    /** How the owner has the VM. */
    public enum Phase {
        /** The owner runs the VM without a backup that could take over. */
        ALONE,
        /** The owner runs the VM and the backup holds checkpoints of it. */
        PROTECTED,
        /** The owner, which was the backup, is about to run the VM; nothing of it leaves before it is ALONE. */
        ACTIVATING
    }

    public OwnershipRecord {
        if (term.equals(Term.NONE)) {
            throw new IllegalArgumentException("term=0 is nobody's");
        }
        if ((backup != null) != (phase == Phase.PROTECTED) || (formerOwner != null) != (phase == Phase.ACTIVATING)) {
            throw new IllegalArgumentException(
                    "phase=%s backup=%s formerOwner=%s do not go together".formatted(phase, backup, formerOwner));
        }
        if (owner.equals(backup) || owner.equals(formerOwner)) {
            throw new IllegalArgumentException("owner=" + owner + " is also its own backup or former owner");
        }
    }

    public static OwnershipRecord alone(Term term, HostId owner, RequestId requestId) {
        return new OwnershipRecord(term, owner, null, null, Phase.ALONE, requestId);
    }

    public static OwnershipRecord protectedBy(Term term, HostId owner, HostId backup, RequestId requestId) {
        return new OwnershipRecord(term, owner, backup, null, Phase.PROTECTED, requestId);
    }

    public static OwnershipRecord activating(Term term, HostId owner, HostId formerOwner, RequestId requestId) {
        return new OwnershipRecord(term, owner, null, formerOwner, Phase.ACTIVATING, requestId);
    }

    public boolean isOwnedBy(HostId host) {
        return owner.equals(host);
    }

    /** For people: {@code term 3, alpha, backed up by beta}. */
    @Override
    public String toString() {
        return switch (phase) {
            case ALONE -> "term %s, %s alone".formatted(term, owner);
            case PROTECTED -> "term %s, %s, backed up by %s".formatted(term, owner, backup);
            case ACTIVATING -> "term %s, %s taking over from %s".formatted(term, owner, formerOwner);
        };
    }
}
