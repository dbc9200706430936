package remus.memory;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import remus.base.ByteSize;

/**
 * The file behind a VM's RAM, for QEMU's {@code memory-backend-file} with {@code share=on}. It lies on a tmpfs: its
 * pages are memory, and only of a memory file can the writes be tracked. Its memory is taken page by page as the guest
 * writes. Immutable.
 *
 * @param path where it lies
 * @param bytes its size, a multiple of {@link GuestMemory#PAGE_BYTES}
 */
public record SharedRamFile(Path path, long bytes) {
    private static final String TMPFS = "tmpfs";
    private static final Path MEMORY_INFO = Path.of("/proc/meminfo");
    private static final String AVAILABLE = "MemAvailable:";

    public SharedRamFile {
        if (bytes <= 0
                || bytes % GuestMemory.PAGE_BYTES != 0
                || bytes / GuestMemory.PAGE_BYTES > DirtyPages.MAX_PAGES) {
            throw new IllegalArgumentException("bytes=" + bytes + " is no size of guest RAM");
        }
    }

    /**
     * Makes a new RAM file, readable by its owner only, all zeros.
     *
     * @throws GuestMemoryException where the directory is not on a tmpfs, the tmpfs or the machine has too little free
     *     memory for all of it, or the file exists
     */
    public static SharedRamFile create(Path path, long bytes) throws GuestMemoryException {
        SharedRamFile file = new SharedRamFile(path, bytes);
        try {
            checkRoom(path, bytes);
            Files.createFile(path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            try (RandomAccessFile opened = new RandomAccessFile(path.toFile(), "rw")) {
                opened.setLength(bytes);
            }
            return file;
        } catch (FileAlreadyExistsException e) {
            throw new GuestMemoryException("RAM file " + path + " exists already", e);
        } catch (IOException e) {
            throw new GuestMemoryException("RAM file " + path + " can't be made: " + e.getMessage(), e);
        }
    }

    private static void checkRoom(Path path, long bytes) throws IOException, GuestMemoryException {
        Path directory = path.toAbsolutePath().getParent();
        if (directory == null || !Files.isDirectory(directory)) {
            throw new GuestMemoryException("RAM file " + path + " has no directory to lie in", null);
        }
        FileStore store = Files.getFileStore(directory);
        if (!store.type().equals(TMPFS)) {
            throw new GuestMemoryException(
                    directory + " is on " + store.type() + ": guest RAM must lie on a tmpfs, such as /dev/shm", null);
        }
        if (store.getUsableSpace() < bytes) {
            throw new GuestMemoryException(
                    "the tmpfs of " + directory + " has " + new ByteSize(store.getUsableSpace())
                            + " free, the VM needs " + new ByteSize(bytes)
                            + ": free some, or enlarge it (mount -o remount,size=…)",
                    null);
        }
        long available = availableMemoryBytes();
        if (available < bytes) {
            throw new GuestMemoryException(
                    "this host has " + new ByteSize(available) + " of memory available, the VM needs "
                            + new ByteSize(bytes),
                    null);
        }
    }

    /** What the kernel thinks can be had without swapping (proc_meminfo(5)). */
    private static long availableMemoryBytes() throws IOException {
        for (String line : Files.readAllLines(MEMORY_INFO, StandardCharsets.US_ASCII)) {
            if (line.startsWith(AVAILABLE)) {
                String kibibytes =
                        line.substring(AVAILABLE.length()).replace("kB", "").strip();
                return Long.parseLong(kibibytes) << 10;
            }
        }
        throw new IOException(MEMORY_INFO + " has no " + AVAILABLE);
    }

    /** Removes the file; its memory is free as soon as nobody has it mapped. */
    public void delete() throws GuestMemoryException {
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            throw new GuestMemoryException("RAM file " + path + " can't be removed: " + e.getMessage(), e);
        }
    }
}
