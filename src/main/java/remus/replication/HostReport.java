package remus.replication;

import remus.wire.HostAnswer;

/**
 * A host's answer about itself, and how its clock differs from ours.
 *
 * @param clockAheadMillis how far its wall clock is ahead of ours; negative: behind
 * @param uncertaintyMillis by how much that may be wrong, for the way there and back took so long
 */
public record HostReport(HostAnswer answer, long clockAheadMillis, long uncertaintyMillis) {}
