/** Measurements that anyone can run: what protection costs, on this machine, against what QEMU costs anyway. */
@NullMarked
package remus.bench;

import org.jspecify.annotations.NullMarked;
