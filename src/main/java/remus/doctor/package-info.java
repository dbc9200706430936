/** Looks whether this host, and a pair of hosts, can protect VMs, and says what to do where they can't. */
@NullMarked
package remus.doctor;

import org.jspecify.annotations.NullMarked;
