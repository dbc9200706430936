package remus.host;

import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.base.Invariant.InvariantViolation;

/**
 * The mailbox of an agent thread: other threads post what it is to do, the agent runs it between its other duties. A
 * post wakes the agent by the given signal. After {@link #close}, what is posted is not run, and what was asked for
 * fails.
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

    void post(Runnable task) {
        posted.add(task);
        wakeup.run();
    }

    /** Has the agent compute something; completes exceptionally when it fails or the agent ends before. */
    <T> CompletableFuture<T> ask(Callable<T> question) {
        CompletableFuture<T> answer = new CompletableFuture<>();
        post(() -> {
            if (closed) {
                answer.completeExceptionally(new IllegalStateException("the VM's agent has ended"));
                return;
            }
            try {
                answer.complete(question.call());
            } catch (Exception e) {
                answer.completeExceptionally(e);
            }
        });
        if (closed) {
            runPosted();
        }
        return answer;
    }

    /** Runs what was posted; called on the agent's thread. */
    void runPosted() {
        Runnable task;
        while ((task = posted.poll()) != null) {
            try {
                task.run();
            } catch (InvariantViolation e) {
                throw e;
            } catch (RuntimeException e) {
                LOG.error("a task of the agent failed", e);
            }
        }
    }

    /** Nothing is run any more; questions that still wait fail. */
    void close() {
        closed = true;
        runPosted();
    }
}
