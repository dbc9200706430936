package remus.host;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.bridge.SLF4JBridgeHandler;

/** Starts the host daemon; the one way in from the command line. */
public final class HostLauncher {
    private static final Logger LOG = LoggerFactory.getLogger(HostLauncher.class);

    private HostLauncher() {}

    /**
     * Ends the QEMUs that a killed daemon with this state directory has left, and removes their memory: what the next
     * daemon would do, where none is to come. Does nothing when there is nothing.
     *
     * @throws OperationException when a daemon uses the directory, or something can't be removed
     */
    public static void clearLeftovers(Path state) throws OperationException {
        Path root = state.toAbsolutePath().normalize();
        try (StateDirectory locked = StateDirectory.open(root)) {
            RuntimeDirectory.clearFor(locked.root());
        } catch (IOException e) {
            throw new OperationException(
                    OperationException.Kind.FAILED,
                    "what the daemon with state in %s has left can't be cleared away: %s".formatted(root, e),
                    "see what is in /dev/shm",
                    e);
        }
    }

    /** Where the daemon with this state directory keeps its QEMUs' memory and sockets; it exists while that daemon runs. */
    public static Path guestMemory(Path state) {
        return RuntimeDirectory.pathFor(state);
    }

    /**
     * Runs the daemon until SIGTERM or SIGINT ends it in order.
     *
     * @throws OperationException when it can't start: a port in use, a directory that can't be written, a tool that
     *     is missing
     */
    public static void run(HostConfiguration configuration) throws OperationException {
        SLF4JBridgeHandler.removeHandlersForRootLogger();
        SLF4JBridgeHandler.install();
        HostDaemon daemon = HostDaemon.open(configuration);
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            LOG.info(
                    "host {} ends: its VMs are {}",
                    configuration.name(),
                    configuration.keepVms() ? "left running" : "stopped in good order");
            daemon.close();
            ended.countDown();
        }));
        LOG.info(
                "host {} is up: replication on {}, API on {}, state in {}",
                configuration.name(),
                configuration.listen(),
                configuration.api(),
                configuration.state());
        try {
            ended.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
