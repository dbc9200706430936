package remus.zookeeper;

import java.io.IOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.zookeeper.server.NIOServerCnxnFactory;
import org.apache.zookeeper.server.ServerCnxnFactory;
import org.apache.zookeeper.server.ZooKeeperServer;
import org.apache.zookeeper.server.persistence.FileTxnSnapLog;
import org.apache.zookeeper.util.ServiceUtils;
import remus.base.CloseStack;
import remus.base.HostAddress;

/**
 * One ZooKeeper server in this process, for demo and tests: what it holds survives its restart in the same directory, but
 * while this process is down there is no arbiter. No admin server; of the four-letter commands only {@code srvr}; connections
 * are not encrypted. Its threads are ZooKeeper's own. Closed once, by its owner.
 */
public final class EmbeddedZooKeeper implements AutoCloseable {
    /** Sessions last 2 to 20 of these. */
    private static final int TICK_MILLIS = 1_000;

    /** Connections from one address. */
    private static final int MAX_CONNECTIONS = 100;

    private final CloseStack parts = new CloseStack();
    private final HostAddress address;

    private EmbeddedZooKeeper(Path directory, HostAddress listen) throws IOException, InterruptedException {
        // On a failed disk the server asks for the end of its process, which is the host's daemon here.
        ServiceUtils.setSystemExitProcedure(ServiceUtils.LOG_ONLY);
        try {
            Files.createDirectories(directory);
            FileTxnSnapLog files = new FileTxnSnapLog(directory.toFile(), directory.toFile());
            parts.push(files::close);
            ZooKeeperServer server = new ZooKeeperServer(files, TICK_MILLIS, "");
            ServerCnxnFactory connections = new NIOServerCnxnFactory();
            connections.configure(new InetSocketAddress(listen.host(), listen.port()), MAX_CONNECTIONS);
            // Ends the server, too.
            parts.push(connections::shutdown);
            connections.startup(server);
            address = new HostAddress(listen.host(), connections.getLocalPort());
        } catch (IOException | InterruptedException | RuntimeException e) {
            parts.close();
            throw e;
        }
    }

    /**
     * @param directory made if it is not there
     * @param listen port 0: any free one
     * @throws ArbiterSetUpException when the directory or the address can't be used
     */
    public static EmbeddedZooKeeper start(Path directory, HostAddress listen) throws ArbiterSetUpException {
        try {
            return new EmbeddedZooKeeper(directory, listen);
        } catch (BindException e) {
            throw new ArbiterSetUpException(
                    "the embedded arbiter can't listen on " + listen + ": " + e.getMessage()
                            + "; choose another port, as in embedded:PORT",
                    e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ArbiterSetUpException("interrupted while the embedded arbiter started", e);
        } catch (IOException | RuntimeException e) {
            throw new ArbiterSetUpException("the embedded arbiter can't start in " + directory + ": " + e, e);
        }
    }

    /** Where it listens. */
    public HostAddress address() {
        return address;
    }

    @Override
    public void close() {
        parts.close();
    }
}
