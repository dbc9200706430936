package remus.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import remus.api.Event;
import remus.api.HostStatus;
import remus.api.MigrateRequest;
import remus.api.MigrationStatus;
import remus.api.VmStatus;
import remus.base.HostAddress;
import remus.base.RemusException;
import remus.host.HostLauncher;

/**
 * A host of the demo: a real daemon, a process of its own in a network namespace of its own, that can be killed and
 * started again. Confined to one thread but for {@link #close}, after which it can't be started any more and nothing of
 * it is left, however it ended.
 */
final class DemoHost implements AutoCloseable {
    private static final Duration START_LIMIT = Duration.ofMinutes(2);
    private static final Duration END_LIMIT = Duration.ofSeconds(20);
    private static final Duration POLL = Duration.ofMillis(20);
    private static final int REPLICATION_PORT = 7420;
    private static final int API_PORT = 7421;

    private final DemoTopology topology;
    private final DemoTopology.Place place;
    private final NamespaceThread client;
    private final Path directory;
    private final Installation installation;
    private final List<String> hostOptions;
    private final ApiClient api;
    private @Nullable Process daemon;
    private boolean started;
    private boolean closed;

    /**
     * @param client a thread in a namespace that reaches the host's API
     * @param directory receives the host's state and log
     * @param installation what its daemon is started by
     */
    DemoHost(
            DemoTopology topology,
            DemoTopology.Place place,
            NamespaceThread client,
            Path directory,
            Installation installation) {
        this(topology, place, client, directory, installation, List.of());
    }

    /** @param hostOptions further options of {@code remus host}, such as {@code --arbiter} with its value */
    DemoHost(
            DemoTopology topology,
            DemoTopology.Place place,
            NamespaceThread client,
            Path directory,
            Installation installation,
            List<String> hostOptions) {
        this.topology = topology;
        this.place = place;
        this.client = client;
        this.directory = directory;
        this.installation = installation;
        this.hostOptions = List.copyOf(hostOptions);
        this.api = new ApiClient(apiAddress());
    }

    String name() {
        return place.toString();
    }

    DemoTopology.Place place() {
        return place;
    }

    HostAddress apiAddress() {
        return new HostAddress(place.address(), API_PORT);
    }

    HostAddress replicationAddress() {
        return new HostAddress(place.address(), REPLICATION_PORT);
    }

    /** The file that stands for its network namespace. */
    Path namespaceFile() {
        return topology.namespaceFile(place);
    }

    /** Its state directory. */
    Path state() {
        return directory.resolve(name());
    }

    Path log() {
        return directory.resolve(name() + ".log");
    }

    /** The daemon's process; it must have been started. */
    long pid() {
        Process running = daemon;
        if (running == null) {
            throw new IllegalStateException("host " + name() + " was not started");
        }
        return running.pid();
    }

    /** Starts the daemon without waiting for it; {@link #awaitUp} does. */
    void start() throws CommandException {
        start(List.of());
    }

    /**
     * Starts it by way of another program.
     *
     * @param wrapper a command that becomes the one given to it as further arguments, such as {@code env PATH=/bin}
     */
    synchronized void start(List<String> wrapper) throws CommandException {
        if (closed) {
            throw new CommandException("host %s is closed".formatted(name()));
        }
        List<String> arguments = new ArrayList<>(List.of(
                "host",
                "--name",
                name(),
                "--listen",
                replicationAddress().toString(),
                "--api",
                apiAddress().toString(),
                "--state",
                state().toString()));
        arguments.addAll(hostOptions);
        List<String> command = new ArrayList<>(wrapper);
        command.addAll(installation.command(arguments));
        started = true;
        try {
            Files.createDirectories(directory);
            daemon = new ProcessBuilder(topology.inside(place, command))
                    .redirectInput(Path.of("/dev/null").toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(log().toFile()))
                    .start();
        } catch (IOException e) {
            throw new CommandException("host %s can't be started: %s".formatted(name(), e.getMessage()), e);
        }
    }

    /** Waits until the daemon answers on its API. */
    void awaitUp() throws RemusException, InterruptedException {
        long deadline = System.nanoTime() + START_LIMIT.toNanos();
        while (true) {
            try {
                call(() -> api.get("/api/v1/status", HostStatus.class));
                return;
            } catch (RemusException e) {
                Process running = daemon;
                if (running == null || !running.isAlive() || System.nanoTime() - deadline > 0) {
                    throw new CommandException(
                            "host %s does not come up: %s; its last words: %s"
                                    .formatted(name(), e.getMessage(), lastLogLine()),
                            e);
                }
                TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
            }
        }
    }

    private String lastLogLine() {
        try {
            List<String> lines = Files.readAllLines(log());
            return lines.isEmpty() ? "(none)" : lines.getLast();
        } catch (IOException e) {
            return "(its log can't be read: " + e.getMessage() + ")";
        }
    }

    /** The VM as this host sees it. */
    VmStatus status(String vm) throws RemusException {
        return call(() -> api.get(VmPath.of(vm), VmStatus.class));
    }

    HostStatus status() throws RemusException {
        return call(() -> api.get("/api/v1/status", HostStatus.class));
    }

    /** Sends a document and returns what the host says of the VM then. */
    VmStatus post(String path, Object request) throws RemusException {
        return call(() -> api.post(path, request, VmStatus.class));
    }

    /** A verb that needs no document. */
    VmStatus post(String path) throws RemusException {
        return call(() -> api.post(path, VmStatus.class));
    }

    /** Begins to move the VM to another host; {@link #migration} tells how far that is. */
    MigrationStatus migrate(String vm, MigrateRequest request) throws RemusException {
        return call(() -> api.post(VmPath.verb(vm, "migrate"), request, MigrationStatus.class));
    }

    /** The last migration of the VM from here, also when the VM is gone with it. */
    MigrationStatus migration(String vm) throws RemusException {
        return call(() -> api.get(VmPath.verb(vm, "migration"), MigrationStatus.class));
    }

    /** Gives the VM's migration up, which may be too late. */
    MigrationStatus cancelMigration(String vm) throws RemusException {
        return call(() -> api.delete(VmPath.verb(vm, "migration"), MigrationStatus.class));
    }

    /** What has happened on this host since it was started, oldest first. */
    List<Event> events() throws RemusException {
        List<Event> events = new ArrayList<>();
        call(() -> api.events(false, events::add));
        return events;
    }

    /** Waits until the host's status of the VM is as wanted. */
    VmStatus await(String vm, Predicate<VmStatus> wanted, Duration limit, String what)
            throws RemusException, InterruptedException {
        long deadline = System.nanoTime() + limit.toNanos();
        while (true) {
            VmStatus status = status(vm);
            if (wanted.test(status)) {
                return status;
            }
            if (System.nanoTime() - deadline > 0) {
                throw new CommandException("host %s: VM %s is not %s after %d s but %s: %s"
                        .formatted(name(), vm, what, limit.toSeconds(), status.state(), status.reason()));
            }
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        }
    }

    private <T> T call(Callable<T> question) throws RemusException {
        return client.call(question);
    }

    /** Kills daemon and QEMU at one instant (SIGKILL). */
    void kill(@Nullable Long qemuPid) throws InterruptedException {
        strike(qemuPid == null ? List.of() : List.of(qemuPid));
        awaitDead();
    }

    /**
     * Dies as a host does, all of it at one instant, and does not wait for the end; {@link #awaitDead} does.
     *
     * @param qemus processes of the QEMUs here
     * @return the instant
     */
    Moment die(KillKind kind, List<Long> qemus) throws CommandException {
        Moment killed = kind == KillKind.POWER ? topology.pullCable(place) : Moment.now();
        strike(qemus);
        return killed;
    }

    private synchronized void strike(List<Long> qemus) {
        Process running = daemon;
        if (running != null) {
            running.destroyForcibly();
            qemus.forEach(qemu -> ProcessHandle.of(qemu).ifPresent(ProcessHandle::destroyForcibly));
        }
    }

    /** Waits until the daemon that was killed is gone; it may be started again then. */
    synchronized void awaitDead() throws InterruptedException {
        Process running = daemon;
        if (running != null) {
            running.waitFor();
            daemon = null;
        }
    }

    /** After {@link #die} and {@link #awaitDead}: it is switched on again, with what is on its disk and nothing else. */
    void revive(KillKind kind) throws RemusException, InterruptedException {
        if (kind == KillKind.POWER) {
            topology.plugCable(place);
        }
        start();
        awaitUp();
    }

    /** Ends the daemon in good order (SIGTERM), or kills it when it does not; it may be started again. */
    synchronized void end() {
        Process running = daemon;
        if (running == null) {
            return;
        }
        daemon = null;
        running.destroy();
        try {
            if (!running.waitFor(END_LIMIT.toNanos(), TimeUnit.NANOSECONDS)) {
                running.destroyForcibly().waitFor();
            }
        } catch (InterruptedException e) {
            running.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }

    /** Ends the daemon, and clears away what a killed one has left. */
    @Override
    public synchronized void close() throws RemusException {
        closed = true;
        end();
        if (started) {
            started = false;
            HostLauncher.clearLeftovers(state());
        }
    }
}
