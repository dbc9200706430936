package remus.zookeeper;

/**
 * Whether ZooKeeper can be asked at present. Only transitions ask, so a protected VM goes on while it can't.
 *
 * @param sinceWallMillis when that began, for people: wall-clock time in milliseconds since 1970
 * @param reason in words: which server, or what went wrong
 */
public record ArbiterStatus(State state, long sinceWallMillis, String reason) {
    /** Changes: CONNECTING → CONNECTED ⇄ DISCONNECTED; CLOSED from each of them, and final. */
    public enum State {
        /** Not reached yet since the start. */
        CONNECTING,
        /** There is a session with a server that belongs to a majority. */
        CONNECTED,
        /** The connection was lost and is being made again. */
        DISCONNECTED,
        /** This end was closed. */
        CLOSED
    }
}
