package remus.zookeeper;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooKeeper;
import remus.base.HostAddress;

/** ZooKeeper's own client: an operator who does what no host would. */
final class RawClient implements AutoCloseable {
    private final ZooKeeper client;

    RawClient(HostAddress server) throws IOException, InterruptedException {
        CountDownLatch connected = new CountDownLatch(1);
        client = new ZooKeeper(server.toString(), 10_000, event -> {
            if (event.getState() == KeeperState.SyncConnected) {
                connected.countDown();
            }
        });
        if (!connected.await(ArbiterWatch.WAIT_SECONDS, TimeUnit.SECONDS)) {
            throw new IOException("no connection to " + server);
        }
    }

    void overwrite(String path, String text) throws KeeperException, InterruptedException {
        client.setData(path, text.getBytes(StandardCharsets.UTF_8), -1);
    }

    String read(String path) throws KeeperException, InterruptedException {
        return new String(client.getData(path, false, null), StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        try {
            client.close();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
