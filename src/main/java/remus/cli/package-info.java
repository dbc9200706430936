/** The command line: commands over HTTP, and the demo. */
@NullMarked
package remus.cli;

import org.jspecify.annotations.NullMarked;
