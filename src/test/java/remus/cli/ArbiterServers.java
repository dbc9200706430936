package remus.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import remus.base.CloseStack;
import remus.base.HostAddress;
import remus.zookeeper.TestEnsemble;

/** Three ZooKeeper servers on a machine of their own in the demo's network. */
final class ArbiterServers implements AutoCloseable {
    private static final DemoTopology.Place PLACE = DemoTopology.Place.ARBITER;

    private final CloseStack parts = new CloseStack();
    private final TestEnsemble ensemble;

    ArbiterServers(DemoTopology topology, Path directory) throws Exception {
        try (CloseStack onFailure = new CloseStack()) {
            onFailure.push(parts);
            NamespaceThread thread = parts.push(new NamespaceThread(topology.namespaceFile(PLACE)));
            ensemble = parts.push(new TestEnsemble(directory.resolve("arbiter"), new TestEnsemble.Site() {
                @Override
                public String address() {
                    return PLACE.address();
                }

                @Override
                public List<String> inside(List<String> command) {
                    return topology.inside(PLACE, command);
                }

                @Override
                public <T> T call(Callable<T> work) throws Exception {
                    return thread.call(work);
                }
            }));
            onFailure.release();
        }
    }

    /** What {@code remus host --arbiter} takes. */
    String option() {
        return "zookeeper:"
                + ensemble.addresses().stream().map(HostAddress::toString).collect(Collectors.joining(","));
    }

    TestEnsemble ensemble() {
        return ensemble;
    }

    /** All servers stand still: whoever asks gets no answer. */
    void stopAll() throws Exception {
        for (int server = 0; server < TestEnsemble.SIZE; server++) {
            ensemble.stop(server);
        }
    }

    /** All are killed: whoever asks is refused. */
    void killAll() throws Exception {
        for (int server = 0; server < TestEnsemble.SIZE; server++) {
            ensemble.kill(server);
        }
    }

    /** All run, and serve. */
    void heal() throws Exception {
        ensemble.heal();
    }

    @Override
    public void close() {
        parts.close();
    }
}
