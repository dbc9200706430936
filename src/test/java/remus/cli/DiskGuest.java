package remus.cli;

import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.TimeUnit;
import remus.api.StartRequest;
import remus.api.VmStatus;
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
    static final String ROOT = "root";
    static final String DATA = "data";

    /** A protected VM is quiet when it has had so many more commits without a write to its disks. */
    private static final long QUIET_COMMITS = 5;

    private static final Duration BOOT_LIMIT = Duration.ofMinutes(3);
    private static final Duration COMMAND_LIMIT = Duration.ofMinutes(2);
    private static final Duration POLL = Duration.ofMillis(200);

    /** In the guest: process groups of what runs beside. */
    private static final String BACKGROUND = "/run/background";

    /** A script: files come and go in the journalled file system, each flushed. */
    static final String WRITE_FILES =
            "mkdir -p /srv/files; i=0; while :; do i=$((i+1)); head -c 20000 /dev/urandom > /srv/files/$((i%200)); "
                    + "sync /srv/files/$((i%200)); rm -f /srv/files/$(((i+100)%200)); done";

    private final TwoHosts hosts;
    private final Path root;
    private final Path data;
    private int scripts;

    private DiskGuest(TwoHosts hosts) {
        this.hosts = hosts;
        root = hosts.directory().resolve(ROOT + ".raw");
        data = hosts.directory().resolve(DATA + ".raw");
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

    /** The VM with the images that a host has of it. */
    String definition(DemoHost host) {
        return """
                name: %s
                machine: q35
                memory: 512MiB
                accelerator: tcg
                disks: [{name: root, image: %s}, {name: data, image: %s}]
                nics: [{mac: "%s", bridge: %s}]
                console: console.log
                """.formatted(
                DemoGuest.NAME, image(hosts, host, ROOT), image(hosts, host, DATA), MAC, DemoTopology.HOST_BRIDGE);
    }

    /** A file with that definition, changed, for the command line. */
    String definitionFile(DemoHost host, String what, String by) throws IOException {
        Path file = hosts.directory().resolve("disks.yaml");
        return Files.writeString(file, definition(host).replace(what, by)).toString();
    }

    String definitionFile(DemoHost host) throws IOException {
        return definitionFile(host, "", "");
    }

    void start(DemoHost host, boolean forceStale) throws RemusException {
        host.post(
                "/api/v1/vms",
                new StartRequest(definition(host), hosts.directory().toString(), forceStale ? Boolean.TRUE : null));
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

    /** Runs a shell script in the guest until {@link #endBackground}, which it is not expected to end before. */
    void background(String script) throws RemusException, IOException {
        String encoded = Base64.getEncoder().encodeToString(script.getBytes(StandardCharsets.UTF_8));
        String file = BACKGROUND + "-" + ++scripts;
        // Its process group is there only when setsid has come to it.
        run(("echo %1$s | base64 -d > %2$s; setsid sh %2$s < /dev/null > %2$s.log 2>&1 & group=$!; "
                        + "while kill -0 $group && ! kill -0 -$group; do sleep 0.05; done 2> /dev/null; "
                        + "echo $group >> %3$s")
                .formatted(encoded, file, BACKGROUND));
    }

    /** Ends all that {@link #background} has begun, and brings what was written to the disks. */
    void endBackground() throws RemusException, IOException {
        run("for group in $(cat %1$s 2> /dev/null); do kill -KILL -$group 2> /dev/null; done; rm -f %1$s; sync"
                .formatted(BACKGROUND));
    }

    /** All that {@link #background} has begun still runs; the error says what an ended one and the kernel have said. */
    void expectBackgroundRuns() throws RemusException, IOException {
        run(
                "for group in $(cat %1$s); do kill -0 -$group || { tail -n 5 %1$s-*.log; dmesg | tail -n 20; exit 1; }; done"
                        .formatted(BACKGROUND));
    }

    /**
     * Waits until nothing is written any more and all that was is on both sides, and then until {@code qemu-img compare}
     * finds the two images of each disk identical. The guest's own programs may write at any time, so it is tried again.
     */
    void awaitEqualImages(DemoHost primary, DemoHost backup) throws Exception {
        long deadline = System.nanoTime() + COMMAND_LIMIT.toNanos();
        run("sync");
        while (true) {
            awaitQuiet(primary, backup);
            String difference = "";
            for (String disk : List.of(ROOT, DATA)) {
                difference +=
                        difference(image(hosts, primary, disk), TwoHosts.seenBy(backup, image(hosts, backup, disk)));
            }
            if (difference.isEmpty()) {
                return;
            }
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("the images stay different: " + difference);
            }
        }
    }

    private static void awaitQuiet(DemoHost primary, DemoHost backup) throws Exception {
        VmStatus begun = awaitNothingPending(primary);
        primary.await(
                DemoGuest.NAME,
                status -> status.committedEpoch() >= begun.committedEpoch() + QUIET_COMMITS,
                TwoHosts.LIMIT,
                "committing");
        awaitNothingPending(primary);
        awaitNothingPending(backup);
    }

    private static VmStatus awaitNothingPending(DemoHost host) throws Exception {
        return host.await(
                DemoGuest.NAME,
                status -> status.disk().stream().allMatch(disk -> disk.pendingBytes() == 0),
                TwoHosts.LIMIT,
                "without pending writes");
    }

    private static String difference(Path one, Path other) throws IOException, InterruptedException {
        Process compare = new ProcessBuilder(
                        "qemu-img", "compare", "-U", "-f", "raw", "-F", "raw", one.toString(), other.toString())
                .redirectErrorStream(true)
                .start();
        String said = new String(compare.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return switch (compare.waitFor()) {
            case 0 -> "";
            case 1 -> other + ": " + said;
            default -> throw new IOException("qemu-img compare: " + said);
        };
    }

    /** Where a host has its image of a disk: alpha's are those that the VM was booted with. */
    static Path image(TwoHosts hosts, DemoHost host, String disk) {
        return host == hosts.alpha ? hosts.directory().resolve(disk + ".raw") : copy(host, disk);
    }

    /** Where a host keeps a copy of a disk that it has made as a backup. */
    static Path copy(DemoHost host, String disk) {
        return host.state()
                .resolve("vms")
                .resolve(DemoGuest.NAME)
                .resolve("disks")
                .resolve(disk + ".raw");
    }
}
