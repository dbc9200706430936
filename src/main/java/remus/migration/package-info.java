/**
 * Live migration (Clark et al., NSDI 2005): what was asked for, said in sentences, and the rules by which memory is copied
 * while the guest runs; pure decisions without I/O.
 */
@NullMarked
package remus.migration;

import org.jspecify.annotations.NullMarked;
