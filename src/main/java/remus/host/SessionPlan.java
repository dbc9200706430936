package remus.host;

import org.jspecify.annotations.Nullable;
import remus.base.HostAddress;
import remus.base.Term;

/**
 * What a protection session is to be.
 *
 * @param term its own, under which nothing else is ever sent
 * @param migration the backup is to take the VM over with the first checkpoint; null: it is to protect it
 */
record SessionPlan(
        Term term,
        HostAddress backup,
        ProtectionSettings settings,
        @Nullable Migration migration) {}
