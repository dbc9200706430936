package remus.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * What a demo has set up: closed in reverse order, with its directory, by whichever thread ends the demo, also one that was
 * interrupted. Idempotent.
 */
final class DemoStage implements AutoCloseable {
    private static final List<String> DAEMON_OPTIONS = List.of("-XX:+UseSerialGC", "-Xmx512m");

    private final Terminal terminal;
    private final Path directory;
    private final List<AutoCloseable> open = new ArrayList<>();

    DemoStage(Terminal terminal) throws CommandException {
        this(terminal, "remus-demo");
    }

    /** @param prefix what the directory's name begins with */
    DemoStage(Terminal terminal, String prefix) throws CommandException {
        this.terminal = terminal;
        try {
            directory = Files.createTempDirectory(prefix);
        } catch (IOException e) {
            throw new CommandException("no temporary directory can be made: " + e.getMessage(), e);
        }
    }

    /** For state, logs and consoles. */
    Path directory() {
        return directory;
    }

    synchronized <T extends AutoCloseable> T own(T resource) {
        open.add(resource);
        return resource;
    }

    /**
     * Starts a daemon without waiting for it.
     *
     * @param options further ones of {@code remus host}
     */
    DemoHost startHost(DemoTopology topology, DemoTopology.Place place, NamespaceThread inside, List<String> options)
            throws CommandException {
        DemoHost host =
                own(new DemoHost(topology, place, inside, directory, Installation.own(DAEMON_OPTIONS), options));
        host.start();
        return host;
    }

    /** The same with a daemon that a {@link HostCensus} can count. */
    DemoHost startCountedHost(
            DemoTopology topology, DemoTopology.Place place, NamespaceThread inside, List<String> options)
            throws CommandException {
        List<String> jvmOptions = Stream.concat(DAEMON_OPTIONS.stream(), HostCensus.DAEMON_OPTIONS.stream())
                .toList();
        DemoHost host = own(new DemoHost(topology, place, inside, directory, Installation.own(jvmOptions), options));
        host.start();
        return host;
    }

    @Override
    public synchronized void close() {
        boolean interrupted = Thread.interrupted();
        closeAll();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void closeAll() {
        for (int i = open.size() - 1; i >= 0; i--) {
            try {
                open.get(i).close();
            } catch (Exception e) {
                terminal.err().println("remus: demo: not cleaned up: " + e.getMessage());
            }
        }
        open.clear();
        if (Files.isDirectory(directory)) {
            try (Stream<Path> files = Files.walk(directory)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(file);
                }
            } catch (IOException e) {
                terminal.err().println("remus: demo: " + directory + " can't be removed: " + e.getMessage());
            }
        }
    }
}
