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
     * The room that is left when the VMs here fill what they have been promised.
     *
     * @param unfilledBytes guest RAM of the VMs here that is not written to yet
     * @param stagingBytes what is kept for checkpoints that are on their way here: how much of it is in use can't be told,
     *     so it is kept free once more
     */
    public GuestRoom after(long unfilledBytes, long stagingBytes) {
        return new GuestRoom(
                isTmpfs,
                tmpfsBytes,
                Math.max(0, tmpfsFreeBytes - unfilledBytes),
                Math.max(0, availableBytes - unfilledBytes - stagingBytes));
    }

    /** Memory of the largest VM that would be admitted to run here. */
    public long largestRunningBytes() {
        return MemoryNeed.largestRunning(tmpfsFreeBytes, availableBytes);
    }

    /** Memory of the largest VM that would be admitted to be backed up here, warm and with one disk. */
    public long largestStandbyBytes() {
        return MemoryNeed.largestStandby(tmpfsFreeBytes, availableBytes);
    }

    /** As {@link #largestStandbyBytes}, of which there would be room enough even where all its pages change all the time. */
    public long largestBusyStandbyBytes() {
        return MemoryNeed.largestBusyStandby(tmpfsFreeBytes, availableBytes);
    }
}
