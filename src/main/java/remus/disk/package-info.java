/** Guests' disks: raw images, and the NBD server that offers them to QEMU. */
@NullMarked
package remus.disk;

import org.jspecify.annotations.NullMarked;
