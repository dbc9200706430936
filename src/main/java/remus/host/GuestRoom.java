package remus.host;

import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * How much room this host has for guests' memory, which lies in files on a tmpfs.
 *
 * @param isTmpfs whether it is one
 * @param tmpfsBytes size of that file system
 * @param tmpfsFreeBytes of it, what is not written to
 * @param availableBytes what new processes can have without swapping, by the kernel's estimate
 */
public record GuestRoom(boolean isTmpfs, long tmpfsBytes, long tmpfsFreeBytes, long availableBytes) {
    /** Where guests' memory is. */
    public static final Path TMPFS = Path.of("/dev/shm");

    /** Memory of a QEMU besides its guest's RAM, for admission; 55 MB were measured. */
    public static final long QEMU_OVERHEAD_BYTES = 64L << 20;

    /** Reads how it is now. */
    public static GuestRoom read() throws IOException {
        FileStore store = Files.getFileStore(TMPFS);
        return new GuestRoom(
                store.type().equals("tmpfs"),
                store.getTotalSpace(),
                store.getUsableSpace(),
                MemoryInformation.read().availableBytes());
    }

    /**
     * The room that is left when the VMs here fill what they have been promised and not yet written to.
     *
     * @param presentBytes guest RAM of the VMs here, whether it is filled yet or not
     * @param stagingBytes what is kept for checkpoints that are on their way here: how much of it is in use can't be told,
     *     so it is kept free once more
     */
    public GuestRoom after(long presentBytes, long stagingBytes) {
        long promisedBytes = Math.max(0, presentBytes - (tmpfsBytes - tmpfsFreeBytes));
        return new GuestRoom(
                isTmpfs,
                tmpfsBytes,
                Math.max(0, tmpfsFreeBytes - promisedBytes),
                Math.max(0, availableBytes - promisedBytes - stagingBytes));
    }

    /** Memory of the largest VM that would be admitted to run here. */
    public long largestRunningBytes() {
        return MemoryNeed.largestRunning(tmpfsFreeBytes, availableBytes);
    }

    /** Memory of the largest VM that would be admitted to be backed up here, whatever disks it has. */
    public long largestStandbyBytes() {
        return MemoryNeed.largestStandby(tmpfsFreeBytes, availableBytes);
    }
}
