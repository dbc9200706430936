package remus.zookeeper;

import remus.base.Invariant;

/** Times and sizes of the talk with ZooKeeper. */
public final class ZooKeeperLimits {
    /** Each call of the arbiter is answered within this time. */
    public static final int ANSWER_LIMIT_MILLIS = 6_000;

    /**
     * Asked of the servers, which round it up to twice their tick. A client leaves a server that was silent for two thirds of
     * it. It is short because nothing is lost with a session.
     */
    public static final int SESSION_TIMEOUT_MILLIS = 4_000;

    /** A request that finds no connection is given back after this time. */
    public static final int CONNECTION_TIMEOUT_MILLIS = 2_000;

    /** Between two attempts of one call when the connection broke. */
    public static final int RETRY_PAUSE_MILLIS = 100;

    /** Attempts of one call; what ends it first is the answer limit, unless a node changes all the time. */
    public static final int MAX_ATTEMPTS = 100;

    /** Longest record of a VM. */
    public static final int MAX_RECORD_CHARS = 4 << 10;

    /** Longest line of a credential's file. */
    public static final int MAX_CREDENTIAL_CHARS = 1_000;

    static {
        Invariant.check(
                SESSION_TIMEOUT_MILLIS * 2 / 3 + CONNECTION_TIMEOUT_MILLIS < ANSWER_LIMIT_MILLIS,
                "a call outlives the silence of one server");
        Invariant.check(
                (long) MAX_ATTEMPTS * RETRY_PAUSE_MILLIS > ANSWER_LIMIT_MILLIS, "attempts last until the answer limit");
    }

    private ZooKeeperLimits() {}
}
