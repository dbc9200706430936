/** Ids, time, units, invariants and error categories: what every other package may use. */
@NullMarked
package remus.base;

import org.jspecify.annotations.NullMarked;
