package remus.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.jar.JarFile;
import org.jspecify.annotations.Nullable;
import remus.api.HostStatus;
import remus.api.VmRole;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.base.HostAddress;
import remus.base.RemusException;

/**
 * What {@code scripts/class-cache} has the JVM watch, to make the cache that daemons start with: two hosts in this
 * process and the life of a VM on them, with a switchover and a failover. What has run here is there at once in each
 * daemon; an activation, which a daemon does once in a long while and for which a client waits, is not the first to load
 * its classes. The guest has no system and only its firmware runs, so nothing is needed but QEMU.
 *
 * <p>Before that, all classes of this program are loaded. So where VMs can't run, for want of QEMU or of a right, less is
 * warm, and nothing is missing. Whatever fails here is told on stderr, and is no failure.
 *
 * <p>Limits: the play ends after {@link #LIMIT} wherever it is; the hosts end their VMs as this process ends. Leaves nothing
 * but what is in the directory that it is given.
 */
final class Rehearsal {
    private static final Duration LIMIT = Duration.ofSeconds(40);
    private static final Duration POLL = Duration.ofMillis(20);
    private static final String VM = "rehearsal";
    private static final long DISK_BYTES = 1 << 20;

    private final Path directory;
    private final @Nullable String bridge;
    private final Host alpha;
    private final Host beta;

    private record Host(String name, HostAddress replication, HostAddress api) {
        static Host named(String name) throws IOException {
            return new Host(name, freeAddress(), freeAddress());
        }

        /** Should another process be quicker to take it, there is no play. */
        private static HostAddress freeAddress() throws IOException {
            InetAddress loopback = InetAddress.getLoopbackAddress();
            try (ServerSocket socket = new ServerSocket(0, 1, loopback)) {
                return new HostAddress(loopback.getHostAddress(), socket.getLocalPort());
            }
        }
    }

    private Rehearsal(Path directory, @Nullable String bridge) throws IOException {
        this.directory = directory;
        this.bridge = bridge;
        alpha = Host.named("alpha");
        beta = Host.named("beta");
    }

    /** Arguments: an empty directory; optionally a bridge for the VM's network interface. */
    public static void main(String[] arguments) throws Exception {
        System.err.println("rehearsal: " + loadAll() + " classes");
        Rehearsal rehearsal = new Rehearsal(Path.of(arguments[0]), arguments.length > 1 ? arguments[1] : null);
        Thread play = Thread.ofPlatform().daemon().start(rehearsal::play);
        play.join(LIMIT);
        // Has the hosts end their VMs and themselves.
        System.exit(0);
    }

    /** Loads the classes of this program's jar without running any, and returns how many they are. */
    private static int loadAll() throws IOException, URISyntaxException, ClassNotFoundException {
        Path jar = Path.of(Rehearsal.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .toURI());
        List<String> names;
        try (JarFile file = new JarFile(jar.toFile())) {
            names = file.stream()
                    .map(entry -> entry.getName())
                    .filter(name -> name.startsWith("remus/") && name.endsWith(".class"))
                    .filter(name -> !name.endsWith("/package-info.class"))
                    .map(name ->
                            name.substring(0, name.length() - ".class".length()).replace('/', '.'))
                    .toList();
        }
        for (String name : names) {
            Class.forName(name, false, Rehearsal.class.getClassLoader());
        }
        return names.size();
    }

    private void play() {
        try {
            run(alpha);
            run(beta);
            awaitUp(alpha);
            awaitUp(beta);
            command(alpha, "start", definition().toString());
            command(
                    alpha,
                    "protect",
                    VM,
                    "--backup",
                    beta.replication().toString(),
                    "--interval",
                    "25ms",
                    "--detect",
                    "5s");
            command(alpha, "switchover", VM);
            // Its former primary is its backup now, without being asked.
            VmStatus there = await(beta, VmState.PROTECTED);
            await(alpha, VmState.STANDBY);
            kill(there);
            await(alpha, status -> status.role() == VmRole.PRIMARY && status.state() == VmState.PROTECTED);
            command(alpha, "status", VM);
            command(alpha, "stop", VM);
            System.err.println("rehearsal: done");
        } catch (RemusException | IOException e) {
            System.err.println("rehearsal: ended early: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void run(Host host) {
        String[] arguments = {
            "host",
            "--name",
            host.name(),
            "--listen",
            host.replication().toString(),
            "--api",
            host.api().toString(),
            "--state",
            directory.resolve(host.name()).toString()
        };
        Thread.ofPlatform().daemon().name(host.name()).start(() -> Remus.run(terminal(), arguments));
    }

    private Path definition() throws IOException {
        try (RandomAccessFile image =
                new RandomAccessFile(directory.resolve("disk.raw").toFile(), "rw")) {
            image.setLength(DISK_BYTES);
        }
        String nics = bridge == null ? "" : "nics: [{mac: \"52:54:00:12:34:57\", bridge: %s}]%n".formatted(bridge);
        return Files.writeString(directory.resolve("vm.yaml"), """
                name: %s
                memory: 32MiB
                accelerator: tcg
                disks: [{name: root, image: disk.raw}]
                %s""".formatted(VM, nics));
    }

    private static void command(Host host, String verb, String... rest) throws CommandException {
        String[] arguments = new String[rest.length + 3];
        arguments[0] = verb;
        System.arraycopy(rest, 0, arguments, 1, rest.length);
        arguments[rest.length + 1] = "--api";
        arguments[rest.length + 2] = host.api().toString();
        if (Remus.run(terminal(), arguments) != 0) {
            throw new CommandException(verb + " failed, see above");
        }
    }

    /** Of nobody who waits for results. */
    private static Terminal terminal() {
        return new Terminal(
                new PrintWriter(OutputStream.nullOutputStream(), false, UTF_8),
                new PrintWriter(System.err, true, UTF_8),
                false,
                false);
    }

    private static void awaitUp(Host host) throws InterruptedException {
        ApiClient api = new ApiClient(host.api());
        while (true) {
            try {
                api.get("/api/v1/status", HostStatus.class);
                return;
            } catch (CommandException e) {
                TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
            }
        }
    }

    private static VmStatus await(Host host, VmState state) throws CommandException, InterruptedException {
        return await(host, status -> status.state() == state);
    }

    /** However long it takes; the play as a whole has its limit. */
    private static VmStatus await(Host host, Predicate<VmStatus> wanted) throws CommandException, InterruptedException {
        ApiClient api = new ApiClient(host.api());
        while (true) {
            VmStatus status = api.get(VmPath.of(VM), VmStatus.class);
            if (wanted.test(status)) {
                return status;
            }
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        }
    }

    private static void kill(VmStatus vm) {
        Long pid = vm.qemuPid();
        if (pid != null) {
            ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
        }
    }
}
