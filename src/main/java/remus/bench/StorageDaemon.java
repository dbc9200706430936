package remus.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import remus.qemu.VmDefinition;

/**
 * QEMU's own NBD server, with the exports that ours would have: what it costs a guest to reach its disks by NBD at all.
 * Owns the process, its socket, its pid file and its log.
 */
final class StorageDaemon implements AutoCloseable {
    /** Comes with every QEMU, in Debian in {@code qemu-system-common}. */
    private static final String PROGRAM = "qemu-storage-daemon";

    private static final Duration START_LIMIT = Duration.ofSeconds(10);
    private static final Duration KILL_LIMIT = Duration.ofSeconds(10);
    private static final Duration POLL = Duration.ofMillis(5);

    private final Process process;
    private final Path socket;

    private StorageDaemon(Process process, Path socket) {
        this.process = process;
        this.socket = socket;
    }

    /**
     * Serves the disks' images at {@code socket}, each by its disk's name. A write is answered when it is in the host's
     * page cache, a flush when the image is synchronized.
     *
     * @throws BenchException when it isn't there, or doesn't come up within 10 s
     */
    static StorageDaemon start(List<VmDefinition.Disk> disks, Path socket) throws BenchException, InterruptedException {
        try {
            Process process = new ProcessBuilder(command(disks, socket))
                    .redirectInput(
                            ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                    .redirectErrorStream(true)
                    .redirectOutput(beside(socket, ".log").toFile())
                    .start();
            StorageDaemon daemon = new StorageDaemon(process, socket);
            boolean started = false;
            try {
                daemon.awaitUp();
                started = true;
                return daemon;
            } finally {
                if (!started) {
                    daemon.close();
                }
            }
        } catch (IOException e) {
            throw new BenchException(PROGRAM + " can't be started: " + e.getMessage(), e);
        }
    }

    /** The socket comes before its exports: a QEMU that connects too early would be told that there is none. */
    static List<String> command(List<VmDefinition.Disk> disks, Path socket) {
        List<String> command = new ArrayList<>(List.of(PROGRAM));
        for (VmDefinition.Disk disk : disks) {
            command.addAll(List.of(
                    "--blockdev",
                    "driver=file,node-name=" + disk.name() + ",discard=unmap,aio=threads,filename="
                            + disk.image().toString().replace(",", ",,")));
        }
        command.addAll(List.of(
                "--nbd-server", "addr.type=unix,addr.path=" + socket.toString().replace(",", ",,")));
        for (VmDefinition.Disk disk : disks) {
            command.addAll(List.of(
                    "--export",
                    "type=nbd,writable=on,id=export-%s,node-name=%s,name=%s"
                            .formatted(disk.name(), disk.name(), disk.name())));
        }
        command.addAll(List.of("--pidfile", pidFile(socket).toString()));
        return command;
    }

    /** Written when all options have been carried out. */
    private static Path pidFile(Path socket) {
        return beside(socket, ".pid");
    }

    private static Path beside(Path socket, String ending) {
        return socket.resolveSibling(socket.getFileName() + ending);
    }

    private void awaitUp() throws BenchException, IOException, InterruptedException {
        long deadline = System.nanoTime() + START_LIMIT.toNanos();
        while (!Files.exists(pidFile(socket))) {
            if (process.waitFor(POLL.toNanos(), TimeUnit.NANOSECONDS)) {
                throw new BenchException(
                        PROGRAM + " has ended: "
                                + Files.readString(beside(socket, ".log")).strip(),
                        null);
            }
            if (System.nanoTime() - deadline > 0) {
                throw new BenchException(PROGRAM + " does not come up within " + START_LIMIT.toSeconds() + " s", null);
            }
        }
    }

    /** Kills it and removes its files. */
    @Override
    public void close() throws IOException {
        process.destroyForcibly();
        boolean interrupted = false;
        long deadline = System.nanoTime() + KILL_LIMIT.toNanos();
        while (process.isAlive() && System.nanoTime() - deadline < 0) {
            try {
                process.waitFor(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        Files.deleteIfExists(socket);
        Files.deleteIfExists(pidFile(socket));
        Files.deleteIfExists(beside(socket, ".log"));
    }
}
