package remus.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import remus.base.CloseStack;
import remus.base.RemusException;

/**
 * What benches with whole hosts run on: a directory, the demo's network and, once {@link #start started}, two hosts in it.
 * All of it is gone when this is closed, also in a thread that was interrupted, with what others {@link #own have added}.
 * Confined to one thread.
 */
final class BenchHosts implements AutoCloseable {
    private final CloseStack owned = new CloseStack();
    private final Path directory;
    private final DemoTopology topology;
    private final NamespaceThread inside;
    private @Nullable DemoHost alpha;
    private @Nullable DemoHost beta;

    /**
     * Makes directory and network.
     *
     * @param bench its name
     * @param parent where the directory is to lie
     */
    BenchHosts(String bench, Path parent) throws RemusException {
        boolean made = false;
        try {
            directory = makeDirectory(bench, parent);
            topology = owned.push(DemoTopology.create());
            inside = owned.push(new NamespaceThread(topology.namespaceFile(DemoTopology.Place.CLIENT)));
            made = true;
        } finally {
            if (!made) {
                owned.close();
            }
        }
    }

    /** The same in the directory for temporary files. */
    BenchHosts(String bench) throws RemusException {
        this(bench, Path.of(System.getProperty("java.io.tmpdir")));
    }

    private Path makeDirectory(String bench, Path parent) throws CommandException {
        try {
            Path made = Files.createTempDirectory(parent, "remus-bench-" + bench + "-");
            owned.push(() -> {
                try (Stream<Path> files = Files.walk(made)) {
                    for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                        Files.deleteIfExists(file);
                    }
                }
            });
            return made;
        } catch (IOException e) {
            throw new CommandException("%s can't hold the bench's files: %s".formatted(parent, e.getMessage()), e);
        }
    }

    /** Starts both hosts and waits until they answer. */
    void start() throws RemusException, InterruptedException {
        DemoHost first = host(DemoTopology.Place.ALPHA);
        DemoHost second = host(DemoTopology.Place.BETA);
        alpha = first;
        beta = second;
        first.awaitUp();
        second.awaitUp();
    }

    private DemoHost host(DemoTopology.Place place) throws CommandException {
        DemoHost host = own(new DemoHost(topology, place, inside, directory, Installation.own(List.of())));
        host.start();
        return host;
    }

    /** Closes it before all that was made earlier. */
    <T extends AutoCloseable> T own(T resource) {
        return owned.push(resource);
    }

    Path directory() {
        return directory;
    }

    DemoTopology topology() {
        return topology;
    }

    /** A thread in the client's namespace. */
    NamespaceThread inside() {
        return inside;
    }

    DemoHost alpha() {
        return started(alpha);
    }

    DemoHost beta() {
        return started(beta);
    }

    private static DemoHost started(@Nullable DemoHost host) {
        if (host == null) {
            throw new IllegalStateException("the hosts were not started");
        }
        return host;
    }

    @Override
    public void close() {
        boolean interrupted = Thread.interrupted();
        try {
            owned.close();
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
