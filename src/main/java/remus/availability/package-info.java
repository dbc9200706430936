/** Failure detection, terms, and who may own a VM; pure decisions without I/O. */
@NullMarked
package remus.availability;

import org.jspecify.annotations.NullMarked;
