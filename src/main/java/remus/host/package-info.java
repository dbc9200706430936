/** Composition root: the host daemon, its configuration, HTTP server and the agents of its VMs. */
@NullMarked
package remus.host;

import org.jspecify.annotations.NullMarked;
