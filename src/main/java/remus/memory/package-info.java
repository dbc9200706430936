/** Guest memory: the shared RAM file, dirty tracking and copying into staging. */
@NullMarked
package remus.memory;

import org.jspecify.annotations.NullMarked;
