package remus.cli;

import org.jspecify.annotations.Nullable;

/**
 * A client of the demo's guest that remembers what the server has acknowledged and checks that the server does too. It
 * runs in a thread of its own, on one TCP connection that is never replaced, one request at a time.
 */
interface ClientLoad extends AutoCloseable {
    /**
     * What came of it so far.
     *
     * @param acknowledged writes that the server acknowledged
     * @param lost acknowledged writes that the server did not know any more
     * @param resets 1 when the connection broke or the server answered with an error
     * @param problem the first thing that was wrong, or null
     */
    record Figures(
            long acknowledged,
            long lost,
            long resets,
            @Nullable String problem) {}

    Figures figures();

    /** When it asked and was answered. */
    AnswerTimes answers();

    /** True while it sends requests: not finished, and the connection stands. */
    boolean isRunning();

    /** Reads everything that was ever acknowledged once more, ends the connection, and tells what came of it all. */
    Figures finish() throws InterruptedException;

    /** Ends the connection at once. */
    @Override
    void close();
}
