package remus.memory;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;

import java.io.File;
import java.io.IOException;
import java.io.Writer;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** A QEMU with one of the {@link TestGuest}s, and as much QMP as these tests need. */
final class TestVm implements AutoCloseable {
    private static final long LIMIT_NANOS = 30_000_000_000L;

    private final Path directory;
    private final SharedRamFile ram;
    private final Process process;
    private final StringBuilder received = new StringBuilder();
    private final ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
    private final SocketChannel monitor;

    /** @param accelerator {@code tcg} or {@code kvm} */
    TestVm(Path directory, TestGuest guest, String accelerator, long memoryBytes, int spin) throws Exception {
        this(directory, guest, accelerator, memoryBytes, spin, List.of());
    }

    /** A VM whose QEMU belongs to nobody and has no privilege. */
    static TestVm unprivileged(Path directory, TestGuest guest, int spin) throws Exception {
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxrwxrwx"));
        List<String> wrapper = List.of("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--");
        return new TestVm(directory, guest, "tcg", TestGuest.MEMORY_BYTES, spin, wrapper);
    }

    private TestVm(
            Path directory, TestGuest guest, String accelerator, long memoryBytes, int spin, List<String> wrapper)
            throws Exception {
        this.directory = directory;
        Path disk = guest.disk(directory, spin);
        ram = SharedRamFile.create(
                Path.of("/dev/shm/remus-test-" + ProcessHandle.current().pid() + "-" + System.nanoTime()), memoryBytes);
        if (!wrapper.isEmpty()) {
            Files.setPosixFilePermissions(ram.path(), PosixFilePermissions.fromString("rw-rw-rw-"));
            Files.setPosixFilePermissions(disk, PosixFilePermissions.fromString("rw-rw-rw-"));
        }
        Path socket = directory.resolve("qmp");
        Files.deleteIfExists(socket);
        @Nullable Process started = null;
        boolean ready = false;
        try {
            List<String> command = new ArrayList<>(wrapper);
            command.addAll(arguments(accelerator, disk, socket));
            started = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(directory.resolve("qemu.log").toFile())
                    .redirectInput(new File("/dev/null"))
                    .start();
            process = started;
            monitor = connect(socket);
            line();
            execute("qmp_capabilities");
            ready = true;
        } finally {
            if (!ready) {
                if (started != null) {
                    started.destroyForcibly();
                }
                ram.delete();
            }
        }
    }

    /** Whether QEMU can use KVM here: it is asked to start with nothing in it. */
    static boolean kvmIsUsable() throws IOException, InterruptedException {
        Process probe = new ProcessBuilder(
                        "qemu-system-x86_64",
                        "-M",
                        "none",
                        "-accel",
                        "kvm",
                        "-nodefaults",
                        "-display",
                        "none",
                        "-S",
                        "-monitor",
                        "stdio")
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        try (Writer commands = probe.outputWriter()) {
            commands.write("quit\n");
        } catch (IOException e) {
            // It has ended already, for want of KVM.
        }
        boolean ended = probe.waitFor(10, TimeUnit.SECONDS);
        probe.destroyForcibly();
        return ended && probe.exitValue() == 0;
    }

    private List<String> arguments(String accelerator, Path disk, Path socket) {
        List<String> arguments = new ArrayList<>(List.of("qemu-system-x86_64", "-nodefaults", "-display", "none"));
        arguments.addAll(List.of("-M", "pc-q35-7.2,memory-backend=ram", "-accel", accelerator));
        arguments.addAll(List.of("-m", ram.bytes() / (1 << 20) + "M"));
        arguments.add("-object");
        arguments.add("memory-backend-file,id=ram,share=on,size=" + ram.bytes() + ",mem-path=" + ram.path());
        arguments.addAll(List.of("-drive", "if=none,id=d,format=raw,file=" + disk));
        // The KVM guest boots where firmware runs slowly: the plainest disk there is.
        arguments.addAll(List.of(
                "-device", accelerator.equals("kvm") ? "ide-hd,drive=d" : "virtio-blk-pci,drive=d,bootindex=0"));
        arguments.addAll(List.of("-qmp", "unix:" + socket + ",server=on,wait=off"));
        return arguments;
    }

    private SocketChannel connect(Path socket) throws IOException {
        long deadline = System.nanoTime() + LIMIT_NANOS;
        while (true) {
            SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
            try {
                channel.connect(UnixDomainSocketAddress.of(socket));
                return channel;
            } catch (IOException e) {
                channel.close();
                if (!process.isAlive() || System.nanoTime() > deadline) {
                    throw new IOException("no QMP: " + Files.readString(directory.resolve("qemu.log")), e);
                }
                LockSupport.parkNanos(5_000_000);
            }
        }
    }

    String execute(String command) throws IOException {
        return send("{\"execute\":\"" + command + "\"}");
    }

    /** Saves the devices to a file nobody reads, as a checkpoint does. */
    void saveDevices() throws IOException {
        Path file = Path.of("/dev/shm", ram.path().getFileName() + ".state");
        try {
            send("{\"execute\":\"xen-save-devices-state\",\"arguments\":{\"filename\":\"" + file
                    + "\",\"live\":false}}");
        } finally {
            Files.deleteIfExists(file);
        }
    }

    private String send(String request) throws IOException {
        monitor.write(ByteBuffer.wrap((request + "\n").getBytes(StandardCharsets.UTF_8)));
        while (true) {
            String answer = line();
            if (answer.contains("\"error\"")) {
                throw new IOException(request + ": " + answer);
            }
            if (!answer.contains("\"event\"")) {
                return answer;
            }
        }
    }

    private String line() throws IOException {
        int end;
        while ((end = received.indexOf("\n")) < 0) {
            buffer.clear();
            if (monitor.read(buffer) < 0) {
                throw new IOException("QEMU has closed QMP: " + Files.readString(directory.resolve("qemu.log")));
            }
            received.append(new String(buffer.array(), 0, buffer.position(), StandardCharsets.UTF_8));
        }
        String line = received.substring(0, end);
        received.delete(0, end + 1);
        return line;
    }

    /** Waits until the guest has counted {@code loops} further loops. */
    void awaitLoops(GuestMemory memory, int loops) throws IOException {
        long target = counter(memory) + (long) loops;
        long deadline = System.nanoTime() + LIMIT_NANOS;
        while (counter(memory) < target) {
            if (!process.isAlive() || System.nanoTime() > deadline) {
                throw new IOException("the guest does not count: " + counter(memory) + " of " + target);
            }
            LockSupport.parkNanos(200_000);
        }
    }

    static int counter(GuestMemory memory) {
        return memory.segment().get(JAVA_INT_UNALIGNED, TestGuest.COUNTER_OFFSET);
    }

    Process process() {
        return process;
    }

    long pid() {
        return process.pid();
    }

    SharedRamFile ram() {
        return ram;
    }

    @Override
    public void close() throws IOException, GuestMemoryException {
        process.destroyForcibly().onExit().join();
        monitor.close();
        ram.delete();
    }
}
