/** The epoch engine on both sides, its phases and ports, and the pure queues per epoch; no threads, clock or I/O. */
@NullMarked
package remus.checkpoint;

import org.jspecify.annotations.NullMarked;
