package remus.host;

import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The mailbox of an agent thread: other threads post what it is to do, the agent runs it between its other duties. A
 * post wakes the agent by the given signal. Once closed nothing is run any more: {@link #post} says so, and what was
 * asked for fails.
 */
final class Agent {
    private static final Logger LOG = LoggerFactory.getLogger(Agent.class);

    private final Queue<Runnable> posted = new ConcurrentLinkedQueue<>();
    private final Runnable wakeup;
    private volatile boolean closed;

    /** @param wakeup makes the agent's thread look into its mailbox; may be called from any thread at any time */
    Agent(Runnable wakeup) {
        this.wakeup = wakeup;
    }

    /**
     * Starts the thread that an agent's life is. Where the system has none for it, nothing has begun.
     *
     * @param unlessBegun then undoes what was done for it, before the error is thrown
     */
    static void begin(ThreadFactory threads, String name, Runnable life, Runnable unlessBegun) {
        boolean begun = false;
        try {
            Thread thread = threads.newThread(life);
            thread.setName(name);
            thread.start();
            begun = true;
        } finally {
            if (!begun) {
                unlessBegun.run();
            }
        }
    }

    /** Returns false when the agent has ended, so that {@code task} never runs. */
    boolean post(Runnable task) {
        posted.add(task);
        if (closed && posted.remove(task)) {
            return false;
        }
        wakeup.run();
        return true;
    }

    /** Has the agent compute something; completes exceptionally when it fails or the agent has ended. */
    <T> CompletableFuture<T> ask(Callable<T> question) {
        CompletableFuture<T> answer = new CompletableFuture<>();
        boolean accepted = post(() -> {
            try {
                answer.complete(question.call());
            } catch (Exception e) {
                answer.completeExceptionally(e);
            }
        });
        if (!accepted) {
            answer.completeExceptionally(new IllegalStateException("the VM's agent has ended"));
        }
        return answer;
    }

    /** As {@link #ask}, but with {@code otherwise} where the agent has ended, fails or is busy for longer than {@code limit}. */
    <T> T ask(Callable<T> question, Duration limit, T otherwise) {
        try {
            return ask(question).get(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            LOG.debug("an agent does not answer: {}", e.toString());
        }
        return otherwise;
    }

    /** Runs what was posted, and returns whether there was anything; called on the agent's thread. */
    boolean runPosted() {
        boolean ran = false;
        Runnable task;
        while ((task = posted.poll()) != null) {
            ran = true;
            try {
                task.run();
            } catch (RuntimeException e) {
                LOG.error("a task of the agent failed", e);
            }
        }
        return ran;
    }

    /** Runs what was posted until now, and nothing after it; called on the agent's thread at its end. */
    void close() {
        closed = true;
        runPosted();
    }
}
