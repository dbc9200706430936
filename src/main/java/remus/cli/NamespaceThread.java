package remus.cli;

import java.net.Socket;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadFactory;
import remus.base.RemusException;
import remus.linux.NetworkNamespace;

/**
 * A thread that lives in another network namespace and does there what it is given, one thing after the other: what
 * opens a socket must run in it, the socket itself may then be used anywhere.
 */
final class NamespaceThread implements AutoCloseable {
    private final ExecutorService executor;

    /**
     * Enters the namespace.
     *
     * @param namespace such as {@code /run/netns/client}
     */
    NamespaceThread(Path namespace) throws RemusException {
        ThreadFactory threads = Thread.ofPlatform()
                .name("in-" + namespace.getFileName())
                .daemon()
                .factory();
        this.executor = Executors.newSingleThreadExecutor(threads);
        try {
            call(() -> {
                NetworkNamespace.enter(namespace);
                return true;
            });
        } catch (RemusException e) {
            close();
            throw e;
        }
    }

    /** Runs {@code work} in the namespace and waits for its result. */
    <T> T call(Callable<T> work) throws RemusException {
        try {
            return executor.submit(work).get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RemusException known) {
                throw known;
            }
            throw new CommandException(String.valueOf(e.getCause()), e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandException("interrupted", e);
        }
    }

    /** A TCP connection that begins in the namespace. */
    Socket connect(String address, int port) throws RemusException {
        return call(() -> new Socket(address, port));
    }

    @Override
    public void close() {
        executor.shutdownNow();
    }
}
