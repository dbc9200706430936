package remus.memory;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import remus.linux.LinuxException;
import remus.linux.SparseFile;

/**
 * A VM's RAM as this process sees it: the shared file that QEMU has mapped too. What the guest writes is here at once.
 * Reading a hole through the mapping would fill it with memory, so whoever reads much asks {@link #file} first.
 *
 * <p>Confined to one thread at a time. If the file is cut short under the mapping, reading fails with an
 * {@link InternalError}.
 */
public final class GuestMemory implements AutoCloseable {
    /** Size of a page as tracked and sent, on all machines. */
    public static final int PAGE_BYTES = 4096;

    private final Arena arena = Arena.ofShared();
    private final MemorySegment segment;
    private final SparseFile file;

    private GuestMemory(SharedRamFile ram, boolean writable) throws GuestMemoryException {
        Path path = ram.path();
        boolean mapped = false;
        try (FileChannel channel = open(path, writable)) {
            if (channel.size() != ram.bytes()) {
                throw new GuestMemoryException(
                        "RAM file " + path + " has " + channel.size() + " bytes, expected " + ram.bytes(), null);
            }
            FileChannel.MapMode mode = writable ? FileChannel.MapMode.READ_WRITE : FileChannel.MapMode.READ_ONLY;
            segment = channel.map(mode, 0, ram.bytes(), arena);
            file = SparseFile.open(path, writable);
            mapped = true;
        } catch (IOException | LinuxException e) {
            throw new GuestMemoryException("RAM file " + path + " can't be mapped: " + e.getMessage(), e);
        } finally {
            if (!mapped) {
                arena.close();
            }
        }
    }

    private static FileChannel open(Path path, boolean writable) throws IOException {
        return writable
                ? FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)
                : FileChannel.open(path, StandardOpenOption.READ);
    }

    /** Maps the RAM file of a running VM for reading. */
    public static GuestMemory forReading(SharedRamFile ram) throws GuestMemoryException {
        return new GuestMemory(ram, false);
    }

    /** Maps the RAM file of a standby for reading and writing. */
    public static GuestMemory forWriting(SharedRamFile ram) throws GuestMemoryException {
        return new GuestMemory(ram, true);
    }

    /** All of guest RAM; page <i>n</i> begins at byte <i>n</i> × {@link #PAGE_BYTES}. */
    public MemorySegment segment() {
        return segment;
    }

    /** The file behind it, to tell data from holes. */
    public SparseFile file() {
        return file;
    }

    public long bytes() {
        return segment.byteSize();
    }

    public long pageCount() {
        return segment.byteSize() / PAGE_BYTES;
    }

    /** A fingerprint of all guest RAM, see {@link MemoryDigest}. */
    public byte[] digest() throws LinuxException {
        return MemoryDigest.of(segment, file);
    }

    @Override
    public void close() {
        file.close();
        arena.close();
    }
}
