/** The guest's network: TAP, QEMU's NIC socket, held output and mirrored input. */
@NullMarked
package remus.network;

import org.jspecify.annotations.NullMarked;
