/** The real protocol code on two simulated hosts, with a simulated arbiter, client and network, under one seeded scheduler. */
@NullMarked
package remus.simulation;

import org.jspecify.annotations.NullMarked;
