package remus.cli;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import remus.bench.DiskGuestImage;

/** The disk guest in a plain QEMU, without Remus, reached through ports of the loopback interface. */
final class DiskGuestVm implements AutoCloseable {
    private static final Duration BOOT_LIMIT = Duration.ofMinutes(3);
    private static final Duration POLL = Duration.ofMillis(50);

    /** What QEMU's user network expects its guest to be: 10.0.2.15. */
    private static final String MAC = "52:54:00:00:02:0f";

    private final Process qemu;
    private final int databasePort;
    private final int controlPort;

    private DiskGuestVm(Process qemu, int databasePort, int controlPort) {
        this.qemu = qemu;
        this.databasePort = databasePort;
        this.controlPort = controlPort;
    }

    /** Boots from the image and waits until PostgreSQL takes queries. */
    static DiskGuestVm boot(Path image, Path directory, String machine) throws IOException, InterruptedException {
        int databasePort = freePort();
        int controlPort = freePort();
        Path console = directory.resolve("console.log");
        Files.deleteIfExists(console); // of a boot before, which said the same
        Process qemu = new ProcessBuilder(
                        "qemu-system-x86_64",
                        "-nodefaults",
                        "-machine",
                        machine,
                        "-accel",
                        "tcg",
                        "-m",
                        "512",
                        "-display",
                        "none",
                        "-serial",
                        "file:" + console,
                        "-drive",
                        "file=%s,format=raw,if=virtio".formatted(image),
                        "-netdev",
                        "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:%d-:%d,hostfwd=tcp:127.0.0.1:%d-:%d"
                                .formatted(
                                        databasePort,
                                        DiskGuestImage.DATABASE_PORT,
                                        controlPort,
                                        DiskGuestImage.CONTROL_PORT),
                        "-device",
                        "virtio-net-pci,netdev=net,mac=" + MAC)
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("qemu.log").toFile())
                .start();
        DiskGuestVm vm = new DiskGuestVm(qemu, databasePort, controlPort);
        try {
            long deadline = System.nanoTime() + BOOT_LIMIT.toNanos();
            while (!said(console).contains(DiskGuestImage.READY)) {
                if (!qemu.isAlive() || System.nanoTime() - deadline > 0) {
                    throw new IOException("the guest did not boot: " + said(console)
                            + Files.readString(directory.resolve("qemu.log"), ISO_8859_1));
                }
                TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
            }
            return vm;
        } catch (IOException | InterruptedException e) {
            vm.close();
            throw e;
        }
    }

    private static String said(Path console) throws IOException {
        return Files.exists(console) ? Files.readString(console, ISO_8859_1) : "";
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    Connection connect(String user) throws SQLException {
        return PostgresClientLoad.open("127.0.0.1", databasePort, user);
    }

    GuestControl.Answer control(String line) throws IOException {
        return GuestControl.run(new Socket(InetAddress.getLoopbackAddress(), controlPort), line, Duration.ofMinutes(2));
    }

    boolean awaitEnd(Duration limit) throws InterruptedException {
        return qemu.waitFor(limit.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** Like a power cut. */
    void kill() throws InterruptedException {
        qemu.destroyForcibly().waitFor();
    }

    @Override
    public void close() {
        qemu.destroyForcibly();
        qemu.onExit().join();
    }
}
