/** All downcalls: system calls, ptrace, userfaultfd, sockets with a bare descriptor, TAP devices. */
@NullMarked
package remus.linux;

import org.jspecify.annotations.NullMarked;
