/** The QEMU process, its arguments, QMP, device state and the standby. */
@NullMarked
package remus.qemu;

import org.jspecify.annotations.NullMarked;
