package remus.host;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.api.Json;
import remus.base.Term;
import remus.host.OperationException.Kind;
import remus.qemu.VmDefinition;

/**
 * The directory that outlives the daemon: the terms of its VMs, the kernels and initrds that it was sent, consoles and
 * logs.
 *
 * <pre>
 * lock                     held by the living daemon
 * events.jsonl             see {@link EventLog}
 * files/SHA256             kernels and initrds received from primaries
 * vms/NAME/ownership.json  {@link Ownership}
 * vms/NAME/images.json     where the images are that the VM ran with here: {@link Images}
 * vms/NAME/disks/DISK.raw  images of a VM that this host backs up, or ran as a former backup
 * vms/NAME/redo.log        the backup's writes that are on their way into its images
 * vms/NAME/console.log     serial console of a VM that runs here as a former backup
 * vms/NAME/qemu.log        what its QEMU wrote
 * </pre>
 *
 * <p>Safe for many threads: files are replaced as a whole.
 */
final class StateDirectory implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(StateDirectory.class);

    /**
     * What this host last knew of a VM's ownership; kept so that a restarted daemon neither uses a term twice nor
     * forgets that it has taken a VM over.
     *
     * @param term the highest term seen or used here
     * @param activated whether this host took the VM over in that term
     */
    record Ownership(long term, boolean activated) {
        static final Ownership NONE = new Ownership(0, false);
    }

    /**
     * Where a VM's images are on this host, when it ran here with images of its user's.
     *
     * @param images absolute paths, by the disks' names
     */
    record Images(Map<String, String> images) {}

    private final Path root;
    private final FileChannel lockChannel;

    private StateDirectory(Path root, FileChannel lockChannel) {
        this.root = root;
        this.lockChannel = lockChannel;
    }

    /** Opens the directory, making it if need be, and locks it against a second daemon. */
    static StateDirectory open(Path root) throws OperationException {
        try {
            Files.createDirectories(root.resolve("vms"));
            Files.createDirectories(root.resolve("files"));
            FileChannel channel =
                    FileChannel.open(root.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            if (!locked(channel)) {
                channel.close();
                throw new OperationException(
                        Kind.CONFLICT,
                        "state: another host daemon uses " + root,
                        "stop it, or give this one a directory of its own by --state");
            }
            return new StateDirectory(root, channel);
        } catch (IOException e) {
            throw new OperationException(
                    Kind.FAILED,
                    "state: %s can't be used: %s".formatted(root, e),
                    "choose a directory that can be written",
                    e);
        }
    }

    private static boolean locked(FileChannel channel) throws IOException {
        try {
            @Nullable FileLock lock = channel.tryLock();
            return lock != null;
        } catch (OverlappingFileLockException e) {
            return false; // held by a daemon within this process
        }
    }

    Path root() {
        return root;
    }

    /** The directory of a VM's own files, made if need be. */
    Path vm(String name) throws IOException {
        return Files.createDirectories(root.resolve("vms").resolve(name));
    }

    /** Where a received file with that digest (hexadecimal SHA-256) belongs. */
    Path receivedFile(String sha256) {
        return root.resolve("files").resolve(sha256);
    }

    /** Where this host keeps the image of a disk that it was sent. */
    Path ownImage(String vm, String disk) {
        return root.resolve("vms").resolve(vm).resolve("disks").resolve(disk + ".raw");
    }

    Path redoLog(String vm) {
        return root.resolve("vms").resolve(vm).resolve("redo.log");
    }

    /** Notes where the images are that the VM runs with here. */
    synchronized void noteImages(VmDefinition definition) throws IOException {
        Map<String, String> images = new TreeMap<>();
        definition.disks().forEach(disk -> images.put(disk.name(), disk.image().toString()));
        replace(vm(definition.name()), "images.json", Json.write(new Images(images)));
    }

    /** Where the image of a disk was when the VM ran here last, or null. */
    @Nullable
    Path formerImage(String vm, String disk) {
        Path file = root.resolve("vms").resolve(vm).resolve("images.json");
        try {
            String path = Files.exists(file)
                    ? Json.read(Files.readString(file), Images.class).images().get(disk)
                    : null;
            return path == null ? null : Path.of(path);
        } catch (IOException | RuntimeException e) {
            LOG.warn("{} can't be read, so the VM's disks are copied in full: {}", file, e.toString());
            return null;
        }
    }

    Ownership ownership(String vm) {
        Path file = root.resolve("vms").resolve(vm).resolve("ownership.json");
        try {
            return Files.exists(file) ? Json.read(Files.readString(file), Ownership.class) : Ownership.NONE;
        } catch (IOException | RuntimeException e) {
            // Forgetting would allow a term to be used twice: better not to start at all.
            throw new IllegalStateException(file + " can't be read: " + e.getMessage(), e);
        }
    }

    /** Notes a term; on disk when this returns. Terms never go back. */
    synchronized void note(String vm, Term term, boolean activated) throws IOException {
        if (term.value() < ownership(vm).term()) {
            return;
        }
        replace(vm(vm), "ownership.json", Json.write(new Ownership(term.value(), activated)));
    }

    /** Replaces a file as a whole; on disk when this returns. */
    private static void replace(Path directory, String name, String text) throws IOException {
        Path file = directory.resolve(name);
        Path next = directory.resolve(name + ".new");
        Files.writeString(next, text);
        try (FileChannel channel = FileChannel.open(next, StandardOpenOption.WRITE)) {
            channel.force(true);
        }
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        // The new name is on disk only with its directory.
        try (FileChannel parent = FileChannel.open(directory, StandardOpenOption.READ)) {
            parent.force(true);
        }
    }

    @Override
    public void close() throws IOException {
        lockChannel.close();
    }
}
