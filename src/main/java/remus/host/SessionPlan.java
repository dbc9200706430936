package remus.host;

import org.jspecify.annotations.Nullable;
import remus.base.EpochId;
import remus.base.HostAddress;
import remus.base.Term;

/**
 * What a protection session is to be.
 *
 * @param term its own, under which nothing else is ever sent
 * @param migration the backup is to take the VM over as soon as it has all of it; null: it is to protect it
 */
record SessionPlan(
        Term term,
        HostAddress backup,
        ProtectionSettings settings,
        @Nullable Migration migration) {
    /** Whether the checkpoint of {@code epoch}, about to be sealed, carries a digest of all memory. */
    boolean wantsDigest(EpochId epoch) {
        Migration moves = migration;
        if (moves != null) {
            return moves.wantsDigest();
        }
        return settings.verifyEvery() > 0 && epoch.value() % settings.verifyEvery() == 0;
    }

    /** Whether the images of the disks go with the VM as they are, for its destination sees the same ones. */
    boolean sharesDisks() {
        return migration != null && migration.order().plan().sharedDisks();
    }
}
