package remus.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import remus.api.Event;
import remus.api.EventType;
import remus.api.ProtectRequest;
import remus.api.StartRequest;
import remus.api.VmState;
import remus.api.VmStatus;
import remus.api.WhenAlone;
import remus.base.CloseStack;
import remus.base.RemusException;
import remus.qemu.MachineType;

/**
 * Two real daemons in network namespaces of their own, and a client beside them, for system tests. All of it is gone
 * after {@link #close}, whatever a test has done to it: stopped processes are killed, QEMUs that outlived their daemon
 * too.
 */
final class TwoHosts implements AutoCloseable {
    static final Duration LIMIT = Duration.ofSeconds(90);
    /** Of daemons that live for half a minute: what the second compiler would do costs them more than it saves. */
    static final List<String> DAEMON_OPTIONS = List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m");

    /** Of a command, which lives for a second. */
    static final List<String> COMMAND_OPTIONS = List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1");

    /** The detection time of tests that want no take-over, however busy the machine. */
    static final String NO_TAKE_OVER = "10s";

    private static final Duration BOOT_LIMIT = Duration.ofMinutes(2);
    private static final Duration POLL = Duration.ofMillis(20);

    final DemoTopology topology;
    final NamespaceThread inside;
    final DemoHost alpha;
    final DemoHost beta;
    final DemoGuest guest;
    private final Path directory;
    private final @Nullable ArbiterServers servers;
    private final Deque<Long> pids = new ArrayDeque<>();

    private TwoHosts(
            Path directory,
            DemoTopology topology,
            NamespaceThread inside,
            DemoGuest guest,
            List<String> alphaOptions,
            List<String> betaOptions,
            @Nullable ArbiterServers servers) {
        this.directory = directory;
        this.servers = servers;
        this.topology = topology;
        this.inside = inside;
        this.guest = guest;
        alpha = host(DemoTopology.Place.ALPHA, alphaOptions);
        beta = host(DemoTopology.Place.BETA, betaOptions);
    }

    private DemoHost host(DemoTopology.Place place, List<String> jvmOptions) {
        List<String> arbiter = List.of("--arbiter", servers == null ? "none" : servers.option());
        return new DemoHost(
                topology, place, inside, directory, TestInstallation.with(withDefaults(jvmOptions)), arbiter);
    }

    private static List<String> withDefaults(List<String> options) {
        return Stream.concat(DAEMON_OPTIONS.stream(), options.stream()).toList();
    }

    static TwoHosts open(Path directory) throws Exception {
        return open(directory, List.of(), List.of());
    }

    /** @param alphaOptions further JVM options of alpha's daemon */
    static TwoHosts open(Path directory, List<String> alphaOptions, List<String> betaOptions) throws Exception {
        return open(directory, alphaOptions, betaOptions, List.of(), false);
    }

    /** As {@link #open(Path)}, with memory for guests of their own on each host, so that what is left there can be seen. */
    static TwoHosts openApart(Path directory) throws Exception {
        return open(directory, List.of(), List.of(), within("mount -t tmpfs none /dev/shm"), false);
    }

    /** Both ask three ZooKeeper servers of their own who owns a VM. */
    static TwoHosts openWithArbiter(Path directory) throws Exception {
        return openWithArbiter(directory, List.of(), List.of());
    }

    static TwoHosts openWithArbiter(Path directory, List<String> alphaOptions, List<String> betaOptions)
            throws Exception {
        return open(directory, alphaOptions, betaOptions, List.of(), true);
    }

    /** A wrapper (see {@link DemoHost#start(List)}) that first runs shell commands, in the host's own mount namespace. */
    static List<String> within(String commands) {
        return List.of("sh", "-c", commands + " && exec \"$@\"", "sh");
    }

    private static TwoHosts open(
            Path directory,
            List<String> alphaOptions,
            List<String> betaOptions,
            List<String> wrapper,
            boolean withArbiter)
            throws Exception {
        DemoGuest guest = DemoGuest.make();
        try (CloseStack onFailure = new CloseStack()) {
            DemoTopology topology = onFailure.push(DemoTopology.create());
            NamespaceThread inside =
                    onFailure.push(new NamespaceThread(topology.namespaceFile(DemoTopology.Place.CLIENT)));
            ArbiterServers servers = withArbiter ? onFailure.push(new ArbiterServers(topology, directory)) : null;
            TwoHosts hosts = new TwoHosts(directory, topology, inside, guest, alphaOptions, betaOptions, servers);
            onFailure.release();
            onFailure.push(hosts);
            hosts.startDaemon(hosts.alpha, wrapper);
            hosts.startDaemon(hosts.beta, wrapper);
            hosts.alpha.awaitUp();
            hosts.beta.awaitUp();
            onFailure.release();
            return hosts;
        }
    }

    /** There are some only after {@link #openWithArbiter}. */
    ArbiterServers servers() {
        return Objects.requireNonNull(servers, "this test has no arbiter");
    }

    void startDaemon(DemoHost host) throws CommandException {
        startDaemon(host, List.of());
    }

    void startDaemon(DemoHost host, List<String> wrapper) throws CommandException {
        host.start(wrapper);
        pids.add(host.pid());
    }

    /** Ends a daemon and starts it again in a changed environment; see {@link DemoHost#start(List)}. */
    void restartDaemon(DemoHost host, List<String> wrapper) throws Exception {
        host.end();
        startDaemon(host, wrapper);
        host.awaitUp();
    }

    /** Waits until a daemon has ended by itself, or by a fault of the test's; it may be started again then. */
    void awaitEnd(DemoHost host) throws Exception {
        ProcessHandle daemon = ProcessHandle.of(host.pid()).orElse(null);
        if (daemon != null) {
            daemon.onExit().get(LIMIT.toNanos(), TimeUnit.NANOSECONDS);
        }
        host.kill(null);
    }

    /** What a command has printed, and its exit code. */
    record Outcome(int exitCode, String out, String err) {}

    /** Runs the command line in a process of its own on a host, asking that host's daemon. */
    Outcome remus(DemoHost on, String... arguments) throws Exception {
        return remus(on, List.of(), arguments);
    }

    /**
     * As the other one.
     *
     * @param wrapper as for {@link DemoHost#start(List)}
     */
    Outcome remus(DemoHost on, List<String> wrapper, String... arguments) throws Exception {
        return remus(topology, directory, on, wrapper, arguments);
    }

    static Outcome remus(DemoTopology topology, Path directory, DemoHost on, List<String> wrapper, String... arguments)
            throws Exception {
        List<String> command = new ArrayList<>(List.of("env", "REMUS_API=" + on.apiAddress()));
        command.addAll(wrapper);
        command.addAll(Installation.own(COMMAND_OPTIONS).command(List.of(arguments)));
        Path out = Files.createTempFile(directory, "command", ".out");
        Path err = Files.createTempFile(directory, "command", ".err");
        Process process = new ProcessBuilder(topology.inside(on.place(), command))
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectOutput(out.toFile())
                .redirectError(err.toFile())
                .start();
        if (!process.waitFor(LIMIT.toNanos(), TimeUnit.NANOSECONDS)) {
            process.destroyForcibly();
            throw new AssertionError(List.of(arguments) + " does not end: " + Files.readString(err));
        }
        return new Outcome(process.exitValue(), Files.readString(out), Files.readString(err));
    }

    /** What runs in a host's network namespace: its daemon, and the QEMUs of that. */
    List<Long> processesOn(DemoHost host) throws Exception {
        return ip("netns", "pids", topology.namespace(host.place()))
                .lines()
                .map(Long::valueOf)
                .toList();
    }

    /** The TAPs of a host. */
    List<String> tapsOn(DemoHost host) throws Exception {
        return ip("-brief", "-netns", topology.namespace(host.place()), "link", "show", "type", "tun")
                .lines()
                .map(line -> line.split("\\s", 2)[0])
                .toList();
    }

    /** Directories of QEMUs in the memory that a daemon sees; see {@link #openApart}. */
    List<String> memoryOn(DemoHost host) throws IOException {
        Path memory = Path.of("/proc/" + host.pid() + "/root/dev/shm");
        try (Stream<Path> files = Files.walk(memory, 2)) {
            return files.filter(file -> memory.relativize(file).getNameCount() == 2)
                    .map(file -> String.valueOf(file.getFileName()))
                    .toList();
        }
    }

    /** A path as the daemon's own mounts have it. */
    static Path seenBy(DemoHost host, Path path) {
        return Path.of("/proc/" + host.pid() + "/root" + path);
    }

    /** Runs a shell command among the mounts of a living daemon. */
    static String amongMountsOf(DemoHost host, String command) throws Exception {
        return run(List.of("nsenter", "-t", Long.toString(host.pid()), "-m", "--", "sh", "-c", command));
    }

    private static String ip(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of("ip"));
        command.addAll(List.of(arguments));
        return run(command);
    }

    private static String run(List<String> command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException(command + ": " + text);
        }
        return text;
    }

    /** Boots the guest with Redis on alpha, and waits until it answers. */
    void bootRedis() throws Exception {
        startRedis(guest.definition("remus.run=redis"));
    }

    /** Boots a guest of this definition, which has Redis, on alpha, and waits until it answers. */
    void startRedis(String definition) throws Exception {
        start(definition);
        DemoGuest.awaitRedis(inside, BOOT_LIMIT);
    }

    VmStatus boot(String work) throws RemusException {
        return boot(MachineType.Q35, work);
    }

    VmStatus boot(MachineType machine, String work) throws RemusException {
        return start(guest.definition(machine, work));
    }

    /** Boots a VM of this definition on alpha. */
    VmStatus start(String definition) throws RemusException {
        VmStatus status = alpha.post("/api/v1/vms", new StartRequest(definition, directory.toString(), null));
        note(status);
        return status;
    }

    /** Protects the VM on {@code primary} by the other host, and waits until it is. */
    void protect(DemoHost primary, DemoHost backup, String detect, WhenAlone whenAlone) throws Exception {
        protect(
                primary,
                backup,
                new ProtectRequest(null, "25ms", null, detect, null, null, whenAlone, null, null, null));
    }

    void protect(DemoHost primary, DemoHost backup, ProtectRequest request) throws Exception {
        ask(
                primary,
                new ProtectRequest(
                        backup.replicationAddress().toString(),
                        request.interval(),
                        request.maxPauseShare(),
                        request.detect(),
                        request.outputCommit(),
                        request.verifyEvery(),
                        request.whenAlone(),
                        request.syncRate(),
                        request.standby(),
                        request.compress()));
        note(await(primary, VmState.PROTECTED));
        note(await(backup, VmState.STANDBY));
    }

    /** Asks again where the VM is only busy, as it may be while it is being protected again by itself. */
    private static void ask(DemoHost primary, ProtectRequest request) throws Exception {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (true) {
            try {
                primary.post(VmPath.verb(DemoGuest.NAME, "protect"), request);
                return;
            } catch (CommandException e) {
                if (!String.valueOf(e.getMessage()).contains("try again") || System.nanoTime() - deadline > 0) {
                    throw e;
                }
            }
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        }
    }

    RedisClientLoad load() throws CommandException {
        return DemoGuest.connect(inside, 1);
    }

    /** Waits until the client has had further answers. */
    void awaitAnswers(RedisClientLoad load, long more) throws InterruptedException {
        long target = load.figures().acknowledged() + more;
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (load.figures().acknowledged() < target) {
            if (System.nanoTime() - deadline > 0 || !load.isRunning()) {
                throw new AssertionError("no further answers: " + load.figures());
            }
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        }
    }

    VmStatus await(DemoHost host, VmState state) throws Exception {
        try {
            return host.await(DemoGuest.NAME, status -> status.state() == state, LIMIT, state.toString());
        } catch (CommandException e) {
            throw new AssertionError(e.getMessage() + story(), e);
        }
    }

    /** What the hosts tell of themselves, a line each, for whoever has to find out why a test failed. */
    String story() {
        return storyOf(alpha) + storyOf(beta);
    }

    private static String storyOf(DemoHost host) {
        StringBuilder story = new StringBuilder("\n" + host.name() + ":");
        try {
            host.events().forEach(event -> story.append("\n  ").append(event));
        } catch (RemusException e) {
            story.append(' ').append(e.getMessage());
        }
        return story.toString();
    }

    /** Waits until the host has reported an event of this type, and returns the last one. */
    Event awaitEvent(DemoHost host, EventType type) throws Exception {
        return awaitEvent(host, event -> event.event() == type, type.toString());
    }

    /** Waits until the host has reported such an event, and returns the last one. */
    Event awaitEvent(DemoHost host, Predicate<Event> wanted, String what) throws Exception {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (true) {
            List<Event> events = host.events();
            for (Event event : events.reversed()) {
                if (wanted.test(event)) {
                    return event;
                }
            }
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("no " + what + " on " + host.name() + ": " + events);
            }
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        }
    }

    static boolean happened(DemoHost host, EventType type) throws RemusException {
        return host.events().stream().anyMatch(event -> event.event() == type);
    }

    /** Waits until the host knows no VM any more. */
    void awaitNoVm(DemoHost host) throws Exception {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (!host.status().vms().isEmpty()) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError(host.name() + " still has " + host.status());
            }
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        }
    }

    /** Waits until nothing but its daemon runs on the host. */
    void awaitNoQemu(DemoHost host) throws Exception {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (!processesOn(host).equals(List.of(host.pid()))) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("on " + host.name() + " there still run " + processesOn(host) + story());
            }
            TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
        }
    }

    /** Pid of the VM's QEMU on that host. */
    long qemuPid(DemoHost host) throws RemusException {
        return qemuPid(host, host.status(DemoGuest.NAME));
    }

    static long qemuPid(DemoHost host, VmStatus status) {
        Long pid = status.qemuPid();
        if (pid == null) {
            throw new AssertionError("no QEMU on " + host.name());
        }
        return pid;
    }

    private void note(VmStatus status) {
        Long pid = status.qemuPid();
        if (pid != null) {
            pids.add(pid);
        }
    }

    /** Sends a signal by its name, such as STOP. */
    static void signal(String name, long... targets) throws IOException, InterruptedException {
        for (long pid : targets) {
            Process kill = new ProcessBuilder("kill", "-" + name, Long.toString(pid))
                    .inheritIO()
                    .start();
            if (kill.waitFor() != 0) {
                throw new IOException("kill -" + name + " " + pid + " failed");
            }
        }
    }

    String log(DemoHost host) throws IOException {
        return Files.readString(host.log());
    }

    Path directory() {
        return directory;
    }

    /** Counts Ethernet frames that come from a host with the VM's address, at the switch; see {@link #framesFrom}. */
    void countFrames(DemoHost host) throws Exception {
        nft("""
                table netdev %1$s {
                  counter vm {}
                  chain from {
                    type filter hook ingress device "%1$s" priority 0
                    ether saddr 52:54:00:12:34:56 counter name "vm"
                  }
                }
                """.formatted(host.name()));
    }

    /** Frames with the VM's address that the switch has had from the host since {@link #countFrames}. */
    long framesFrom(DemoHost host) throws Exception {
        Process nft = new ProcessBuilder(topology.inside(
                        DemoTopology.Place.CLIENT, List.of("nft", "list", "counter", "netdev", host.name(), "vm")))
                .redirectErrorStream(true)
                .start();
        String text = new String(nft.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        Matcher matcher = Pattern.compile("packets (\\d+)").matcher(text);
        if (nft.waitFor() != 0 || !matcher.find()) {
            throw new IOException("nft: " + text);
        }
        return Long.parseLong(matcher.group(1));
    }

    private void nft(String rules) throws Exception {
        nft(DemoTopology.Place.CLIENT, rules);
    }

    /** Loads packet filter rules in a namespace. */
    void nft(DemoTopology.Place place, String rules) throws Exception {
        Path file = Files.writeString(directory.resolve("rules.nft"), rules);
        Process nft = new ProcessBuilder(topology.inside(place, List.of("nft", "-f", file.toString())))
                .inheritIO()
                .start();
        if (nft.waitFor() != 0) {
            throw new IOException("nft refuses " + rules);
        }
    }

    @Override
    public void close() {
        // A stopped process can't end in good order.
        for (long pid : pids) {
            if (ProcessHandle.of(pid).isPresent()) {
                wake(pid);
            }
        }
        try (CloseStack all = new CloseStack()) {
            all.push(topology);
            all.push(inside);
            if (servers != null) {
                all.push(servers);
            }
            all.push(this::killQemus);
            all.push(beta);
            all.push(alpha);
        }
    }

    private void killQemus() {
        for (long pid : pids) {
            ProcessHandle.of(pid)
                    .filter(process -> process.info().command().orElse("").contains("qemu"))
                    .ifPresent(ProcessHandle::destroyForcibly);
        }
    }

    private static void wake(long pid) {
        try {
            signal("CONT", pid);
        } catch (IOException e) {
            // It has ended in between, which is what is wanted.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
