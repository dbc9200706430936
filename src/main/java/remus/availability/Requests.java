package remus.availability;

/**
 * Who asks, and how often it has: makes each question to the arbiter and each request of one host's daemon about one VM
 * distinct from all others. It goes on from one role of the host to the next: whoever begins a new state machine passes the
 * latest one of that VM, and {@link #first} only once after the daemon has started.
 *
 * @param incarnation differs each time the daemon starts; part of every {@link RequestId}
 * @param asked questions so far; an answer to any but the last one is too late to mean anything
 * @param requested requests so far; a repeated one counts once
 */
public record Requests(HostId self, String incarnation, long asked, long requested) {
    public static Requests first(HostId self, String incarnation) {
        return new Requests(self, incarnation, 0, 0);
    }
}
