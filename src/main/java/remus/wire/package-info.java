/** Frames of the replication protocol, their codecs, versions and checksums; no I/O. The format is docs/PROTOCOL.md. */
@NullMarked
package remus.wire;

import org.jspecify.annotations.NullMarked;
