package remus.cli;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/** What a {@link ClientLoad} counts and measures. Its thread counts, others ask. */
final class LoadTally {
    /** Keeps a server that answers at once from being asked without end. */
    static final Duration REQUEST_EVERY = Duration.ofMillis(1);

    private volatile Duration every = REQUEST_EVERY;
    private final AnswerTimes answers = new AnswerTimes();
    private volatile ClientLoad.Figures figures = new ClientLoad.Figures(0, 0, 0, null);

    AnswerTimes answers() {
        return answers;
    }

    ClientLoad.Figures figures() {
        return figures;
    }

    /** From now on a request is sent at most once in such a time. */
    void pace(Duration once) {
        every = once;
    }

    /** Waits until the next request is due; returns the time at which it is sent. */
    long begin() {
        answers.last().ifPresent(last -> {
            long wait = every.toNanos() - (System.nanoTime() - last.nanos());
            if (wait > 0) {
                LockSupport.parkNanos(wait);
            }
        });
        return System.nanoTime();
    }

    /** The request that was sent at that time has its answer. */
    void end(long sent) {
        answers.add(sent, Moment.now());
    }

    /** The server has acknowledged a write. */
    synchronized void acknowledge() {
        figures =
                new ClientLoad.Figures(figures.acknowledged() + 1, figures.lost(), figures.resets(), figures.problem());
    }

    /** Acknowledged writes are lost. */
    synchronized void lose(long writes, String problem) {
        figures = new ClientLoad.Figures(
                figures.acknowledged(), figures.lost() + writes, figures.resets(), first(problem));
    }

    /** The client can't go on. */
    synchronized void fail(String problem) {
        figures = new ClientLoad.Figures(figures.acknowledged(), figures.lost(), 1, first(problem));
    }

    private String first(String problem) {
        String earlier = figures.problem();
        return earlier == null ? problem : earlier;
    }

    /** The innermost reason of an exception. */
    static String rootMessage(Throwable e) {
        Throwable root = e;
        for (Throwable cause = e.getCause(); cause != null; cause = cause.getCause()) {
            root = cause;
        }
        return root.toString();
    }
}
