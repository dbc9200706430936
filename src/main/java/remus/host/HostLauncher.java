package remus.host;

import java.util.concurrent.CountDownLatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.bridge.SLF4JBridgeHandler;

/** Starts the host daemon; the one way in from the command line. */
public final class HostLauncher {
    private static final Logger LOG = LoggerFactory.getLogger(HostLauncher.class);

    private HostLauncher() {}

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
            LOG.info("host {} ends: its VMs are stopped in good order", configuration.name());
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
