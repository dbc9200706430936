package remus.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.RandomAccessFile;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
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
import remus.host.HostLauncher;

/**
 * What {@code scripts/class-cache} has the JVM watch, to make the cache that daemons start with: a host in this process,
 * another one as its partner, and the life of a VM on them, with switchovers in both directions and a failover to this
 * one. What has run here is there at once in each daemon; an activation, which a daemon does once in a long while and for
 * which a client waits, is not the first to load its classes. The guest has no system and only its firmware runs, so
 * nothing is needed but QEMU.
 *
 * <p>Before that, all classes of this program are loaded. So where VMs can't run, for want of QEMU or of a right, less is
 * warm, and nothing is missing. Whatever fails here is told on stderr, and is no failure.
 *
 * <p>Limits: the play ends after {@link #LIMIT} wherever it is; this host ends its VMs as this process ends. Leaves nothing
 * but what is in the directory that it is given.
 */
final class Rehearsal {
    private static final Duration LIMIT = Duration.ofSeconds(40);
    private static final Duration POLL = Duration.ofMillis(20);
    private static final String VM = "rehearsal";
    private static final long DISK_BYTES = 1 << 20;

    /** So often a frame comes in, that some have to be replayed when the partner dies. */
    private static final Duration KNOCK_EVERY = Duration.ofMillis(2);

    /** Where nobody listens. */
    private static final int KNOCK_PORT = 9;

    /** The partner lives for seconds, and nobody watches it. */
    private static final List<String> PARTNER_OPTIONS = List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1");

    private final Path directory;
    private final @Nullable Link link;
    private final Host partner;
    private final Host here;
    private @Nullable Process partnersDaemon;

    /**
     * What connects the VM with the world, which is this process.
     *
     * @param broadcast its address for all who are there
     */
    private record Link(String bridge, String broadcast) {}

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

        List<String> command(Path state) {
            return List.of(
                    "host",
                    "--name",
                    name,
                    "--listen",
                    replication.toString(),
                    "--api",
                    api.toString(),
                    "--state",
                    state.toString());
        }
    }

    private Rehearsal(Path directory, @Nullable Link link) throws IOException {
        this.directory = directory;
        this.link = link;
        partner = Host.named("partner");
        here = Host.named("here");
    }

    /** Arguments: an empty directory; where the VM may have a network interface, a bridge and its broadcast address. */
    public static void main(String[] arguments) throws Exception {
        System.err.println("rehearsal: " + loadAll() + " classes");
        Rehearsal rehearsal = new Rehearsal(
                Path.of(arguments[0]), arguments.length > 2 ? new Link(arguments[1], arguments[2]) : null);
        Thread play = Thread.ofPlatform().daemon().start(rehearsal::play);
        play.join(LIMIT);
        rehearsal.endPartner();
        // Has this host end its VMs and itself.
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
            startHosts();
            if (link != null) {
                knock(link.broadcast());
            }
            command(partner, "start", definition().toString());
            String backup = here.replication().toString();
            command(partner, "protect", VM, "--backup", backup, "--interval", "25ms", "--detect", "5s");
            switchOver(partner, here);
            switchOver(here, partner);
            kill(await(partner, VmState.PROTECTED));
            // An unannounced end: nothing listens at its port any more.
            endPartner();
            await(here, status -> status.role() == VmRole.PRIMARY && status.state() != VmState.ACTIVATING);
            command(here, "status", VM);
            command(here, "events");
            command(here, "stop", VM);
            System.err.println("rehearsal: done");
        } catch (RemusException | IOException e) {
            System.err.println("rehearsal: ended early: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void startHosts() throws IOException, InterruptedException {
        Path log = directory.resolve("partner.log");
        startPartner(new ProcessBuilder(Installation.own(PARTNER_OPTIONS).command(partner.command(state(partner))))
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile()));
        String[] arguments = here.command(state(here)).toArray(String[]::new);
        Thread.ofPlatform().daemon().name("host").start(() -> Remus.run(terminal(), arguments));
        awaitUp(partner);
        awaitUp(here);
    }

    private static void knock(String broadcast) throws IOException {
        InetSocketAddress all = new InetSocketAddress(broadcast, KNOCK_PORT);
        DatagramSocket socket = new DatagramSocket();
        Thread.ofPlatform().daemon().name("knock").start(() -> {
            try (socket) {
                while (true) {
                    socket.send(new DatagramPacket(new byte[1], 1, all));
                    TimeUnit.NANOSECONDS.sleep(KNOCK_EVERY.toNanos());
                }
            } catch (IOException e) {
                System.err.println("rehearsal: no more inbound frames: " + e.getMessage());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
    }

    private synchronized void startPartner(ProcessBuilder daemon) throws IOException {
        partnersDaemon = daemon.start();
    }

    private Path state(Host host) {
        return directory.resolve(host.name());
    }

    /** Kills it, and clears away what it has left. */
    private synchronized void endPartner() throws InterruptedException, RemusException {
        Process daemon = partnersDaemon;
        if (daemon != null) {
            partnersDaemon = null;
            daemon.destroyForcibly().waitFor();
            HostLauncher.clearLeftovers(state(partner));
        }
    }

    /** Returns when the former primary is the backup, without being asked. */
    private static void switchOver(Host from, Host to) throws RemusException, InterruptedException {
        command(from, "switchover", VM);
        await(to, VmState.PROTECTED);
        await(from, VmState.STANDBY);
    }

    private Path definition() throws IOException {
        try (RandomAccessFile image =
                new RandomAccessFile(directory.resolve("disk.raw").toFile(), "rw")) {
            image.setLength(DISK_BYTES);
        }
        String nics = link == null ? "" : "nics: [{mac: \"52:54:00:12:34:57\", bridge: %s}]".formatted(link.bridge());
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
