package remus.host;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.host.OperationException.Kind;
import remus.linux.LinuxException;
import remus.linux.ProcessIdentity;
import remus.linux.SparseFile;
import remus.qemu.QemuPaths;

/**
 * Where this daemon's QEMUs keep their RAM and sockets: a directory on tmpfs named after the state directory, with one
 * directory for each QEMU and, in it, that process' identity and what is to be known of its VM ({@link RunningNote}). It is
 * all that a killed daemon leaves behind, so the next one finds everything there: VMs that run, to be adopted, and the
 * rest, standbys and QEMUs that never came up, which it clears away. Owned by whoever holds the state directory's lock.
 */
final class RuntimeDirectory implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(RuntimeDirectory.class);
    private static final String IDENTITY = "qemu.pid";
    private static final String QMP_SOCKET = "qmp";

    private final Path root;
    private final List<Found> found = new ArrayList<>();
    private final Set<Path> left = ConcurrentHashMap.newKeySet();

    /** A VM that a former daemon has left running. */
    record Found(Path directory, ProcessIdentity process, RunningVm vm) {}

    private RuntimeDirectory(Path root) {
        this.root = root;
    }

    /**
     * Opens the directory and ends what an earlier daemon with the same state directory has left, but not VMs that run:
     * they are {@link #found}.
     *
     * @throws OperationException when a VM runs of which it can't be told what it is; then nothing has been ended
     */
    static RuntimeDirectory open(Path stateRoot) throws OperationException {
        RuntimeDirectory directory = new RuntimeDirectory(pathFor(stateRoot));
        try {
            Files.createDirectories(
                    directory.root, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            List<Path> rest = new ArrayList<>();
            for (Path leftover : directory.directories()) {
                Optional<Found> running = running(leftover);
                running.ifPresentOrElse(directory::findsRunning, () -> rest.add(leftover));
            }
            for (Path leftover : rest) {
                LOG.info("clearing away what a former daemon has left in {}", leftover);
                clear(leftover);
            }
            return directory;
        } catch (IOException e) {
            throw new OperationException(
                    Kind.FAILED,
                    "%s, where guests' memory lies, can't be used: %s".formatted(directory.root, e),
                    "see that a tmpfs is mounted at %s, and what is in that directory".formatted(GuestRoom.TMPFS),
                    e);
        }
    }

    /** Until somebody owns it, it outlives this daemon, whatever becomes of that. */
    private void findsRunning(Found vm) {
        found.add(vm);
        leave(vm.directory());
    }

    /** A QEMU whose process is not on record had not come up, so nothing has left it yet. */
    private static Optional<Found> running(Path directory) throws IOException, OperationException {
        if (!RunningNote.isIn(directory) || Files.notExists(directory.resolve(IDENTITY))) {
            return Optional.empty();
        }
        ProcessIdentity process = identity(directory.resolve(IDENTITY));
        if (!process.isAlive()) {
            return Optional.empty();
        }
        try {
            return Optional.of(new Found(directory, process, RunningNote.read(directory)));
        } catch (IllegalArgumentException e) {
            throw new OperationException(
                    Kind.REFUSED,
                    "QEMU %d runs a VM that a former daemon has left in %s, and what that wrote of it can't be used: %s"
                            .formatted(process.pid(), directory, e.getMessage()),
                    "start the daemon that left it, or end the VM: kill %d".formatted(process.pid()),
                    e);
        }
    }

    private static ProcessIdentity identity(Path file) throws IOException {
        try {
            return ProcessIdentity.parse(Files.readString(file).strip());
        } catch (IllegalArgumentException e) {
            throw new IOException(file + ": " + e.getMessage(), e);
        }
    }

    /** VMs that a former daemon has left running; whoever adopts one is to {@link #own} it. */
    List<Found> found() {
        return List.copyOf(found);
    }

    /** What is in there outlives this daemon. */
    void leave(Path directory) {
        left.add(directory);
    }

    /** What was left in there is this daemon's now, and does not outlive it unless it is left again. */
    void own(Path directory) {
        left.remove(directory);
    }

    /** The directory of a daemon with that state directory. */
    static Path pathFor(Path stateRoot) {
        return GuestRoom.TMPFS.resolve("remus-" + shortDigest(stateRoot));
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

    /** The generation that {@code directory} was made for; 0 where it was made by none. */
    static long generation(Path directory) {
        String name = String.valueOf(directory.getFileName());
        try {
            return Long.parseLong(name.substring(name.lastIndexOf('.') + 1));
        } catch (NumberFormatException e) {
            return 0;
        }
    }

    /** Writes down which process uses {@code directory}. */
    static void noteProcess(Path directory, long pid) throws IOException {
        ProcessIdentity process =
                ProcessIdentity.of(pid).orElseThrow(() -> new IOException("QEMU " + pid + " has ended already"));
        Path partial = directory.resolve(IDENTITY + ".new");
        Files.writeString(partial, process.toString());
        Files.move(partial, directory.resolve(IDENTITY), StandardCopyOption.ATOMIC_MOVE);
    }

    /** Ends the process that is noted in {@code directory}, if it lives, and removes all files. */
    static void clear(Path directory) throws IOException {
        Path identity = directory.resolve(IDENTITY);
        if (Files.exists(identity)) {
            end(identity(identity));
        } else {
            for (ProcessIdentity process : unnoted(directory)) {
                end(process);
            }
        }
        if (Files.isDirectory(directory)) {
            try (Stream<Path> files = Files.walk(directory)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(file);
                }
            }
        }
    }

    private static void end(ProcessIdentity process) throws IOException {
        try {
            if (process.kill()) {
                LOG.warn("ended QEMU {}, which a former daemon has left", process);
            }
        } catch (LinuxException e) {
            throw new IOException("QEMU " + process + " can't be ended: " + e.getMessage(), e);
        }
    }

    /** QEMUs of that directory whose daemon was killed before it could write down which process they are. */
    private static List<ProcessIdentity> unnoted(Path directory) throws IOException {
        String argument = "path=" + directory.resolve(QMP_SOCKET) + ",";
        List<ProcessIdentity> processes = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(Path.of("/proc"), "[1-9]*")) {
            for (Path entry : entries) {
                if (isStartedWith(entry.resolve("cmdline"), argument)) {
                    ProcessIdentity.of(Long.parseLong(String.valueOf(entry.getFileName())))
                            .ifPresent(processes::add);
                }
            }
        }
        return processes;
    }

    private static boolean isStartedWith(Path commandLine, String argument) {
        try {
            return Files.readString(commandLine, StandardCharsets.ISO_8859_1).contains(argument);
        } catch (IOException e) {
            return false; // ended meanwhile
        }
    }

    private List<Path> directories() throws IOException {
        if (!Files.isDirectory(root)) {
            return List.of();
        }
        try (Stream<Path> entries = Files.list(root)) {
            return entries.toList();
        }
    }

    /** Ends and removes what an earlier daemon with that state directory has left, where no other daemon follows. */
    static void clearFor(Path stateRoot) throws IOException {
        RuntimeDirectory directory = new RuntimeDirectory(pathFor(stateRoot));
        directory.close();
    }

    /** Guest memory that is filled, in bytes: what lies behind the RAM files here. */
    long filledBytes() throws IOException {
        long bytes = 0;
        for (Path directory : directories()) {
            Path ram = directory.resolve(QemuPaths.RAM_FILE);
            if (Files.exists(ram)) {
                bytes += filledBytes(ram);
            }
        }
        return bytes;
    }

    private static long filledBytes(Path ram) throws IOException {
        try (SparseFile file = SparseFile.open(ram, false)) {
            return file.allocatedBytes();
        } catch (LinuxException e) {
            if (Files.notExists(ram)) {
                return 0; // ended meanwhile
            }
            throw new IOException("how much of a guest's memory is filled can't be told: " + e.getMessage(), e);
        }
    }

    @Override
    public void close() throws IOException {
        // There are some only where a VM did not end in time, or was left on purpose.
        for (Path leftover : directories()) {
            if (!left.contains(leftover)) {
                clear(leftover);
            }
        }
        if (directories().isEmpty()) {
            Files.deleteIfExists(root);
        }
    }
}
