package remus.zookeeper;

import java.util.function.Consumer;

/**
 * ZooKeeper's nodes as a call of the arbiter needs them. Each request is answered at most once, later, on the arbiter's
 * thread; a connection that breaks may leave one without an answer.
 */
interface VersionedNodes {
    /** Stands for whichever version a node has. */
    int ANY_VERSION = -1;

    /** Version that {@link #create} replaces, for a node begins at the next one, 0. */
    int NOT_CREATED = -1;

    /** Reads from whichever server is connected, which may be behind: Node, Absent, Broken, Denied. */
    void get(String path, Consumer<? super Answer> answer);

    /**
     * Has a majority of the servers confirm that the node is there in that version at this moment: Ok, Absent, Different,
     * Broken, Denied.
     */
    void confirm(String path, int version, Consumer<? super Answer> answer);

    /** Ok, Absent (its parent), Different (it is there already), Broken, Denied. */
    void create(String path, String text, Consumer<? super Answer> answer);

    /** Ok, Absent, Different, Broken, Denied. */
    void set(String path, String text, int version, Consumer<? super Answer> answer);

    /** What came of a request. */
    sealed interface Answer {
        /** The node, as it was at some time, its bytes taken for UTF-8. */
        record Node(String text, int version) implements Answer {}

        /** It is so, or was done. */
        record Ok() implements Answer {}

        /** There is no such node. */
        record Absent() implements Answer {}

        /** The node has another version; what was asked for has not been done, and will not be. */
        record Different() implements Answer {}

        /** The connection broke: what was asked for may have been done, or may yet be. */
        record Broken(String cause) implements Answer {}

        /** Asking again would not help. */
        record Denied(String cause) implements Answer {}
    }
}
