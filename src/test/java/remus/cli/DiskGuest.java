package remus.cli;

import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import remus.api.StartRequest;
import remus.base.RemusException;
import remus.bench.DiskGuestImage;
import remus.disk.RawImage;

/**
 * A VM with a Debian on its disk {@code root} and an empty disk {@code data}, for system tests. Commands run in it over
 * its control port, each on a connection of its own.
 */
final class DiskGuest {
    static final String MAC = "52:54:00:4d:00:02";
    static final String ADDRESS = DiskGuestImage.addressOfMac(MAC);
    static final long DATA_BYTES = 256L << 20;

    private static final Duration BOOT_LIMIT = Duration.ofMinutes(3);
    private static final Duration COMMAND_LIMIT = Duration.ofMinutes(2);
    private static final Duration POLL = Duration.ofMillis(200);

    private final TwoHosts hosts;
    private final Path root;
    private final Path data;

    private DiskGuest(TwoHosts hosts) {
        this.hosts = hosts;
        root = hosts.directory().resolve("root.raw");
        data = hosts.directory().resolve("data.raw");
    }

    /** Makes both images for a VM that {@link #start} boots. */
    static DiskGuest prepare(TwoHosts hosts) throws Exception {
        DiskGuest guest = new DiskGuest(hosts);
        DiskGuestImage.copy(DiskGuestImage.make().disk(), guest.root);
        RawImage.create(guest.data, DATA_BYTES).close();
        return guest;
    }

    /** Boots it on alpha and waits until it takes commands and its database takes queries. */
    static DiskGuest boot(TwoHosts hosts) throws Exception {
        DiskGuest guest = prepare(hosts);
        guest.start(hosts.alpha, false);
        guest.awaitReady();
        return guest;
    }

    String definition() {
        return """
                name: %s
                machine: q35
                memory: 512MiB
                accelerator: tcg
                disks: [{name: root, image: %s}, {name: data, image: %s}]
                nics: [{mac: "%s", bridge: %s}]
                console: console.log
                """.formatted(DemoGuest.NAME, root, data, MAC, DemoTopology.HOST_BRIDGE);
    }

    void start(DemoHost host, boolean forceStale) throws RemusException {
        host.post(
                "/api/v1/vms",
                new StartRequest(definition(), hosts.directory().toString(), forceStale ? Boolean.TRUE : null));
    }

    void awaitReady() throws Exception {
        long deadline = System.nanoTime() + BOOT_LIMIT.toNanos();
        while (true) {
            try {
                run("setpriv --reuid=postgres --clear-groups psql -qtc 'select 1' demo");
                return;
            } catch (RemusException | IOException e) {
                if (System.nanoTime() - deadline > 0) {
                    throw new AssertionError("the guest is not ready", e);
                }
                TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
            }
        }
    }

    /** What a command in the guest has said; an exit code other than 0 is an {@link IOException}. */
    String run(String command) throws RemusException, IOException {
        try (Socket socket = hosts.inside.connect(ADDRESS, DiskGuestImage.CONTROL_PORT)) {
            socket.setSoTimeout((int) COMMAND_LIMIT.toMillis());
            socket.getOutputStream().write((command + "\n").getBytes(StandardCharsets.UTF_8));
            String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            int end = answer.lastIndexOf("\nexit=");
            if (end < 0 || !answer.substring(end).strip().equals("exit=0")) {
                throw new IOException(command + ": " + answer);
            }
            return answer.substring(0, end).strip();
        }
    }

    /** Where a host has its image of a disk: alpha's are those that the VM was booted with. */
    static Path image(TwoHosts hosts, DemoHost host, String disk) {
        return host == hosts.alpha
                ? hosts.directory().resolve(disk + ".raw")
                : host.state()
                        .resolve("vms")
                        .resolve(DemoGuest.NAME)
                        .resolve("disks")
                        .resolve(disk + ".raw");
    }
}
