package remus.host;

import remus.base.HostAddress;
import remus.base.Term;

/**
 * What a protection session is to be.
 *
 * @param term its own, under which nothing else is ever sent
 */
record SessionPlan(Term term, HostAddress backup, ProtectionSettings settings) {}
