package remus.zookeeper;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.server.quorum.QuorumPeerMain;
import org.jspecify.annotations.Nullable;
import remus.base.CloseStack;
import remus.base.HostAddress;

/** A real ensemble: three JVMs on one address, each killed, stopped and started again by its process id. */
public final class TestEnsemble implements AutoCloseable {
    public static final int SIZE = 3;
    private static final long WAIT_SECONDS = 90;
    private static final long POLL_MILLIS = 50;

    /** Where the servers run. */
    public interface Site {
        /** Loopback, here. */
        Site HERE = new Site() {
            @Override
            public String address() {
                return "127.0.0.1";
            }

            @Override
            public List<String> inside(List<String> command) {
                return command;
            }

            @Override
            public <T> T call(Callable<T> work) throws Exception {
                return work.call();
            }
        };

        String address();

        /** The command that becomes {@code command} there. */
        List<String> inside(List<String> command);

        /** Runs what opens sockets there. */
        <T> T call(Callable<T> work) throws Exception;
    }

    private final Path directory;
    private final Site site;
    private final List<Integer> ports;
    private final @Nullable Process[] servers = new Process[SIZE];

    TestEnsemble(Path directory) throws Exception {
        this(directory, Site.HERE);
    }

    public TestEnsemble(Path directory, Site site) throws Exception {
        this.directory = directory;
        this.site = site;
        ports = site.call(() -> freePorts(3 * SIZE, site.address()));
        try {
            for (int server = 0; server < SIZE; server++) {
                start(server);
            }
            awaitLeader();
        } catch (Exception | AssertionError e) {
            close();
            throw e;
        }
    }

    private static List<Integer> freePorts(int count, String address) throws IOException {
        List<Integer> ports = new ArrayList<>();
        try (CloseStack sockets = new CloseStack()) {
            for (int port = 0; port < count; port++) {
                ports.add(sockets.push(new ServerSocket(0, 1, InetAddress.getByName(address)))
                        .getLocalPort());
            }
        }
        return ports;
    }

    HostAddress address(int server) {
        return new HostAddress(site.address(), ports.get(server));
    }

    public List<HostAddress> addresses() {
        return List.of(address(0), address(1), address(2));
    }

    public void start(int server) throws IOException {
        Path home = Files.createDirectories(directory.resolve("server" + server));
        Files.writeString(home.resolve("myid"), server + 1 + "\n");
        StringBuilder config = new StringBuilder("""
                tickTime=500
                initLimit=20
                syncLimit=6
                standaloneEnabled=false
                admin.enableServer=false
                4lw.commands.whitelist=srvr,dump
                """);
        config.append("clientPortAddress=")
                .append(site.address())
                .append("\ndataDir=")
                .append(home)
                .append("\nclientPort=")
                .append(ports.get(server))
                .append('\n');
        for (int peer = 0; peer < SIZE; peer++) {
            config.append("server.%d=%s:%d:%d%n"
                    .formatted(peer + 1, site.address(), ports.get(SIZE + peer), ports.get(2 * SIZE + peer)));
        }
        Path file = Files.writeString(home.resolve("zoo.cfg"), config);
        servers[server] = new ProcessBuilder(site.inside(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx96m",
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "-XX:-UsePerfData",
                        "-cp",
                        System.getProperty("java.class.path"),
                        QuorumPeerMain.class.getName(),
                        file.toString())))
                .redirectErrorStream(true)
                .redirectOutput(
                        ProcessBuilder.Redirect.appendTo(home.resolve("log").toFile()))
                .start();
    }

    /** As by SIGKILL; returns when it is gone. */
    public void kill(int server) throws InterruptedException {
        Process process = servers[server];
        if (process != null) {
            process.destroyForcibly().waitFor();
            servers[server] = null;
        }
    }

    public void stop(int server) throws Exception {
        signal(server, "STOP");
    }

    public void wake(int server) throws Exception {
        signal(server, "CONT");
    }

    private void signal(int server, String name) throws Exception {
        Process process = servers[server];
        if (process == null
                || new ProcessBuilder("kill", "-" + name, Long.toString(process.pid()))
                                .start()
                                .waitFor()
                        != 0) {
            throw new AssertionError("server " + server + " did not get SIG" + name);
        }
    }

    /** The leader, once there is one with a follower. */
    public int awaitLeader() throws InterruptedException {
        return awaitLeaderOtherThan(-1);
    }

    int awaitLeaderOtherThan(int former) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_SECONDS);
        while (System.nanoTime() < deadline) {
            for (int server = 0; server < SIZE; server++) {
                if (server != former
                        && servers[server] != null
                        && said(server, "srvr").contains("Mode: leader")) {
                    return server;
                }
            }
            TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
        }
        throw new AssertionError("no leader after " + WAIT_SECONDS + " s; logs in " + directory);
    }

    /** Waits until no session is left at the leader. */
    void awaitNoSession() throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_SECONDS);
        int leader = awaitLeader();
        while (System.nanoTime() < deadline) {
            if (said(leader, "dump").contains("Session Sets (0)/(0)")) {
                return;
            }
            TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
        }
        throw new AssertionError("sessions live on: " + said(leader, "dump"));
    }

    private Socket connected(int server) throws IOException {
        Socket socket = new Socket();
        try {
            socket.connect(new InetSocketAddress(site.address(), ports.get(server)), 1_000);
            return socket;
        } catch (IOException e) {
            socket.close();
            throw e;
        }
    }

    private String said(int server, String command) {
        try (Socket socket = site.call(() -> connected(server))) {
            socket.setSoTimeout(1_000);
            socket.getOutputStream().write(command.getBytes(StandardCharsets.US_ASCII));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
        } catch (Exception e) {
            return e.toString();
        }
    }

    /** All run, and serve. */
    public void heal() throws Exception {
        for (int server = 0; server < SIZE; server++) {
            if (servers[server] == null) {
                start(server);
            } else {
                wake(server);
            }
        }
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_SECONDS);
        for (int server = 0; server < SIZE; server++) {
            while (!said(server, "srvr").contains("Mode: ")) {
                if (System.nanoTime() > deadline) {
                    throw new AssertionError("server " + server + " does not serve; logs in " + directory);
                }
                TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
            }
        }
    }

    @Override
    public void close() {
        for (Process process : servers) {
            if (process != null) {
                process.destroyForcibly();
            }
        }
        for (Process process : servers) {
            if (process != null) {
                try {
                    process.waitFor();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
        }
    }
}
