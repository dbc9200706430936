/** The TCP connections that carry wire frames between primary and backup. */
@NullMarked
package remus.replication;

import org.jspecify.annotations.NullMarked;
