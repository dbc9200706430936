package remus.host;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.base.ByteSize;
import remus.host.OperationException.Kind;
import remus.linux.LinuxException;
import remus.linux.ProcessIdentity;

/**
 * Where this daemon's QEMUs keep their RAM and sockets: a directory on tmpfs named after the state directory, with one
 * directory for each QEMU and, in it, that process' identity. It is all that a killed daemon leaves behind, so the next
 * one finds everything there and clears it away. Owned by whoever holds the state directory's lock.
 */
final class RuntimeDirectory implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(RuntimeDirectory.class);
    private static final String IDENTITY = "qemu.pid";

    private final Path root;

    private RuntimeDirectory(Path root) {
        this.root = root;
    }

    /** Opens the directory and ends what an earlier daemon with the same state directory has left. */
    static RuntimeDirectory open(Path stateRoot) throws OperationException {
        RuntimeDirectory directory = new RuntimeDirectory(GuestRoom.TMPFS.resolve("remus-" + shortDigest(stateRoot)));
        try {
            Files.createDirectories(
                    directory.root, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            for (Path leftover : directory.leftovers()) {
                LOG.info("clearing away what a former daemon has left in {}", leftover);
                clear(leftover);
            }
            return directory;
        } catch (IOException e) {
            throw new OperationException(
                    Kind.FAILED,
                    "%s can't be used for guest memory: %s".formatted(directory.root, e),
                    "mount a tmpfs at " + GuestRoom.TMPFS,
                    e);
        }
    }

    private static String shortDigest(Path path) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256")
                    .digest(path.toAbsolutePath().normalize().toString().getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest, 0, 4);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }

    /** Where the QEMU of {@code vm} keeps its files; {@code generation} tells a VM's QEMUs of different times apart. */
    Path of(String vm, long generation) {
        return root.resolve(vm + "." + generation);
    }

    /** Writes down which process uses {@code directory}. */
    static void noteProcess(Path directory, long pid) throws IOException {
        ProcessIdentity process =
                ProcessIdentity.of(pid).orElseThrow(() -> new IOException("QEMU " + pid + " has ended already"));
        Files.writeString(directory.resolve(IDENTITY), process.toString());
    }

    /** Ends the process that is noted in {@code directory}, if it lives, and removes all files. */
    static void clear(Path directory) throws IOException {
        Path identity = directory.resolve(IDENTITY);
        if (Files.exists(identity)) {
            kill(identity);
        }
        if (Files.isDirectory(directory)) {
            try (Stream<Path> files = Files.walk(directory)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(file);
                }
            }
        }
    }

    private static void kill(Path identity) throws IOException {
        try {
            ProcessIdentity process =
                    ProcessIdentity.parse(Files.readString(identity).strip());
            if (process.kill()) {
                LOG.warn("ended {}, which a former daemon has left", process);
            }
        } catch (LinuxException | IllegalArgumentException e) {
            throw new IOException(identity + ": " + e.getMessage(), e);
        }
    }

    private List<Path> leftovers() throws IOException {
        if (!Files.isDirectory(root)) {
            return List.of();
        }
        try (Stream<Path> entries = Files.list(root)) {
            return entries.toList();
        }
    }

    /** Ends and removes what an earlier daemon with that state directory has left, where no other daemon follows. */
    static void clearFor(Path stateRoot) throws IOException {
        RuntimeDirectory directory = new RuntimeDirectory(GuestRoom.TMPFS.resolve("remus-" + shortDigest(stateRoot)));
        for (Path leftover : directory.leftovers()) {
            clear(leftover);
        }
        directory.close();
    }

    /**
     * Refuses a VM whose memory this host can't hold.
     *
     * @param what the VM and its part, for the message
     * @param present the VMs already here, whether their memory is filled yet or not
     */
    void admit(String what, MemoryNeed need, VmRegistry present) throws OperationException {
        try {
            GuestRoom room = GuestRoom.read().after(present.memoryBytes());
            // How much of their staging is in use can't be told: it is kept free once more.
            long available = room.availableBytes() - present.stagingBytes();
            if (room.tmpfsFreeBytes() < need.guest().bytes()) {
                throw new OperationException(
                        Kind.REFUSED,
                        "%s needs %s of guest memory but %s has %s left"
                                .formatted(what, need.guest(), GuestRoom.TMPFS, new ByteSize(room.tmpfsFreeBytes())),
                        "give it less memory, or enlarge the tmpfs by mount -o remount,size=…");
            }
            if (available < need.total().bytes()) {
                throw new OperationException(
                        Kind.REFUSED,
                        "%s needs %s (%s) but this host has %s of memory available"
                                .formatted(what, need.total(), need, new ByteSize(Math.max(0, available))),
                        "give it less memory, or free some");
            }
        } catch (IOException e) {
            throw new OperationException(Kind.FAILED, "free memory can't be read: " + e, "", e);
        }
    }

    @Override
    public void close() throws IOException {
        // There are some only where a VM did not end in time.
        for (Path leftover : leftovers()) {
            clear(leftover);
        }
        Files.deleteIfExists(root);
    }
}
