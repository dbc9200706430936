package remus.replication;

import remus.wire.OwnerAnswer;

/** What came of asking another host about a VM. */
public sealed interface PeerAnswer {
    /** The host answered. */
    record Answered(OwnerAnswer answer) implements PeerAnswer {}

    /** The host is there, but nobody listens on the port: its daemon is gone. */
    record Refused(String cause) implements PeerAnswer {}

    /** No answer within the limit, or none that makes sense: nothing is known about the host. */
    record Unreachable(String cause) implements PeerAnswer {}
}
