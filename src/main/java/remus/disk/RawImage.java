package remus.disk;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import remus.linux.Errno;
import remus.linux.LinuxException;
import remus.linux.PositionalFile;
import remus.linux.SparseFile;

/**
 * A guest's disk on this host: a raw image, which is a regular file or a block device. Holes of a file stay holes until
 * they are written. While it is open nobody else who asks can have it: it holds the exclusive flock(2), which ends with
 * this process at the latest; a block device that the system uses is refused.
 *
 * <p>Thread-safe: every operation names its place, and several may run at once. What two that overlap leave behind is for
 * the caller to put in order. Ranges must lie within {@link #bytes()}, segments must be native
 * ({@link IndexOutOfBoundsException}, {@link IllegalArgumentException} otherwise). An operation that fails may have been
 * done in part, and the image stays open.
 */
public final class RawImage implements BlockImage {
    /** The size of an image is a multiple of this; it is what guests call a sector. */
    public static final int SECTOR_BYTES = ImageFormat.SECTOR_BYTES;

    /** Largest image, in bytes: what the NBD protocol and lseek(2) can address, rounded to a mebibyte. */
    public static final long MAX_BYTES = Long.MAX_VALUE & -(1L << 20);

    private static final int ZEROS_BYTES = 1 << 20;
    private static final MemorySegment ZEROS =
            Arena.ofAuto().allocate(ZEROS_BYTES, 8).asReadOnly();
    private static final int FILE_TYPE_MASK = 0xf000;
    private static final int REGULAR_FILE = 0x8000;
    private static final int BLOCK_DEVICE = 0x6000;

    private static final Logger LOG = LoggerFactory.getLogger(RawImage.class);

    private final Path path;
    private final PositionalFile file;
    private final long bytes;
    private final boolean device;
    private final ImageFault.@Nullable Plan fault;

    private RawImage(Path path, PositionalFile file, long bytes, boolean device) {
        this.path = path;
        this.file = file;
        this.bytes = bytes;
        this.device = device;
        fault = ImageFault.planned(path);
    }

    /**
     * Opens an image for reading and writing.
     *
     * @throws DiskException where it does not exist, is in use, is of another format than raw or of no usable size
     */
    public static RawImage open(Path path) throws DiskException {
        return open(path, false, true);
    }

    /**
     * As {@link #open(Path)}, but without the lock, for whoever takes the image over from a process that still holds it:
     * that process must not change it any more, and {@link #tryLock} follows as soon as it has let go.
     */
    public static RawImage openUnlocked(Path path) throws DiskException {
        return open(path, false, false);
    }

    /** As {@link #open(Path)}, for a redo log. */
    static RawImage openLog(Path path) throws DiskException {
        return open(path, true, true);
    }

    private static RawImage open(Path path, boolean isLog, boolean locks) throws DiskException {
        boolean device = isDevice(path);
        @Nullable PositionalFile file = null;
        boolean opened = false;
        try {
            file = PositionalFile.open(path, device);
            if (locks && !file.tryLock()) {
                throw inUse(path, isLog, null);
            }
            long bytes = file.size();
            // The format first: what is not raw may well have an odd size.
            if (bytes >= SECTOR_BYTES) {
                checkFormat(path, file, bytes);
            }
            checkSize(path, bytes);
            opened = true;
            return new RawImage(path, file, bytes, device);
        } catch (LinuxException e) {
            throw e.errno() == Errno.EBUSY
                    ? inUse(path, isLog, e)
                    : DiskException.unusable("image " + path + " can't be opened: " + e.getMessage(), e);
        } finally {
            if (!opened && file != null) {
                file.close();
            }
        }
    }

    /**
     * Takes the exclusive lock of an image that was opened without; of no effect where it is held already.
     *
     * @return false while somebody else holds it
     */
    public boolean tryLock() throws DiskException {
        try {
            return file.tryLock();
        } catch (LinuxException e) {
            throw DiskException.failed("locking image " + path, e);
        }
    }

    /**
     * Makes a new image, all holes, readable by its owner only, and opens it.
     *
     * @param bytes its size, a multiple of {@link #SECTOR_BYTES}, more than 0
     * @throws DiskException where there is such a file already, or it can't be made
     */
    public static RawImage create(Path path, long bytes) throws DiskException {
        checkSize(path, bytes);
        try {
            Files.createFile(path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        } catch (FileAlreadyExistsException e) {
            throw DiskException.unusable("image " + path + " exists already", e);
        } catch (IOException e) {
            throw DiskException.unusable("image " + path + " can't be made: " + e, e);
        }
        try (RandomAccessFile created = new RandomAccessFile(path.toFile(), "rw")) {
            created.setLength(bytes);
        } catch (IOException e) {
            deleteAfter(e, path);
            throw DiskException.unusable("image " + path + " can't be made: " + e.getMessage(), e);
        }
        return open(path);
    }

    private static void deleteAfter(IOException cause, Path path) {
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            cause.addSuppressed(e);
        }
    }

    private static boolean isDevice(Path path) throws DiskException {
        int type;
        try {
            type = (int) Files.getAttribute(path, "unix:mode") & FILE_TYPE_MASK;
        } catch (IOException e) {
            String why = Files.exists(path) ? e.toString() : "there is no such file";
            throw DiskException.unusable("image " + path + " can't be opened: " + why, e);
        }
        if (type != REGULAR_FILE && type != BLOCK_DEVICE) {
            throw DiskException.unusable("image " + path + " is neither a file nor a block device", null);
        }
        return type == BLOCK_DEVICE;
    }

    private static DiskException inUse(Path path, boolean isLog, @Nullable LinuxException cause) {
        return DiskException.unusable(
                isLog
                        ? "redo log " + path + " is in use by another process: end that first"
                        : "image " + path
                                + " is in use by another VM or process: end that first, or give this VM its own image",
                cause);
    }

    private static void checkSize(Path path, long bytes) throws DiskException {
        if (bytes <= 0 || bytes > MAX_BYTES || bytes % SECTOR_BYTES != 0) {
            throw DiskException.unusable(
                    "image " + path + " has " + bytes + " bytes: a disk has a multiple of " + SECTOR_BYTES
                            + ", and more than none (truncate --size=%" + SECTOR_BYTES + " mends it)",
                    null);
        }
    }

    private static void checkFormat(Path path, PositionalFile file, long bytes) throws LinuxException, DiskException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment start = arena.allocate(SECTOR_BYTES);
            MemorySegment end = arena.allocate(SECTOR_BYTES);
            file.read(0, start, 0, SECTOR_BYTES);
            file.read(bytes - SECTOR_BYTES, end, 0, SECTOR_BYTES);
            Optional<String> format = ImageFormat.of(start, end);
            if (format.isPresent()) {
                throw DiskException.unusable(
                        "image " + path + " is " + format.get() + ", a disk must be raw; run: qemu-img convert -f "
                                + format.get() + " -O raw " + path + " " + path + ".raw",
                        null);
            }
        }
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public long bytes() {
        return bytes;
    }

    /** Reads {@code length} bytes at {@code offset} to {@code at} of {@code target}; holes are zeros. */
    @Override
    public void read(long offset, MemorySegment target, long at, long length) throws DiskException {
        check(offset, length);
        try {
            reached(ImageFault.READ);
            long done = 0;
            while (done < length) {
                long count = file.read(offset + done, target, at + done, length - done);
                if (count == 0) {
                    throw new LinuxException(
                            "read at " + (offset + done) + ": the image has become shorter", Errno.EIO);
                }
                done += count;
            }
        } catch (LinuxException e) {
            throw failed("reading", offset, length, e);
        }
    }

    /**
     * As {@link #read}, but only if that needs no waiting for the disk.
     *
     * @return false where it would, or where the file system can't tell; {@code target} may then hold a part
     */
    @Override
    public boolean readCached(long offset, MemorySegment target, long at, long length) throws DiskException {
        check(offset, length);
        try {
            reached(ImageFault.READ);
            return file.readCached(offset, target, at, length) == length;
        } catch (LinuxException e) {
            throw failed("reading", offset, length, e);
        }
    }

    /** Writes {@code length} bytes from {@code at} of {@code source}; on the disk only after {@link #sync}. */
    @Override
    public void write(long offset, MemorySegment source, long at, long length) throws DiskException {
        check(offset, length);
        try {
            reached(ImageFault.WRITE);
            if (fault != null && fault.isDue(ImageFault.TEAR)) {
                writeAll(offset, source, at, length / 2);
                Runtime.getRuntime().halt(ImageFault.KILLED);
            }
            writeAll(offset, source, at, length);
        } catch (LinuxException e) {
            throw failed("writing", offset, length, e);
        }
    }

    private void writeAll(long offset, MemorySegment source, long at, long length) throws LinuxException {
        long done = 0;
        while (done < length) {
            done += file.write(offset + done, source, at + done, length - done);
        }
    }

    /** The range reads as zero and stays allocated; where the file system can't, zeros are written. */
    @Override
    public void zero(long offset, long length) throws DiskException {
        change("zeroing", offset, length, () -> zeroed(offset, length));
    }

    /** The range reads as zero and its space is given back; where the file system can't, as {@link #zero}. */
    @Override
    public void trim(long offset, long length) throws DiskException {
        change("trimming", offset, length, () -> {
            if (!attempt(() -> file.punchHole(offset, length))) {
                zeroed(offset, length);
            }
        });
    }

    private void zeroed(long offset, long length) throws LinuxException {
        if (attempt(() -> file.zeroRange(offset, length))) {
            return;
        }
        for (long done = 0; done < length; done += ZEROS_BYTES) {
            writeAll(offset + done, ZEROS, 0, Math.min(ZEROS_BYTES, length - done));
        }
    }

    /**
     * Makes sure of space for a later write of the range; its content does not change. Where the file system can't make
     * sure, nothing happens.
     *
     * @throws DiskException with {@link Errno#ENOSPC} where there is no space
     */
    @Override
    public void reserve(long offset, long length) throws DiskException {
        allocate("reserving", offset, length, () -> attempt(() -> file.reserve(offset, length)));
    }

    /** Returns when all that was written before is on the disk (fdatasync(2)). */
    @Override
    public void sync() throws DiskException {
        try {
            reached(ImageFault.SYNC);
            if (fault != null) {
                fault.awaitNoHang();
            }
            file.sync();
        } catch (LinuxException e) {
            throw DiskException.failed("bringing image " + path + " to the disk", e);
        }
    }

    /** Offset of the first data at or after {@code offset}, {@link #bytes()} where a hole reaches the end. */
    @Override
    public long nextData(long offset) throws DiskException {
        Objects.checkIndex(offset, bytes + 1);
        long found = offset == bytes ? bytes : seek(offset, () -> file.nextData(offset), offset);
        return found == SparseFile.NONE ? bytes : Math.min(found, bytes);
    }

    /** Offset of the first hole at or after {@code offset}, {@link #bytes()} where data reaches the end. */
    @Override
    public long nextHole(long offset) throws DiskException {
        Objects.checkIndex(offset, bytes + 1);
        long found = offset == bytes ? bytes : seek(offset, () -> file.nextHole(offset), bytes);
        return found == SparseFile.NONE ? bytes : Math.min(found, bytes);
    }

    private long seek(long offset, Seek seek, long withoutHoles) throws DiskException {
        try {
            return seek.run();
        } catch (LinuxException e) {
            if (e.errno() == Errno.EINVAL || e.errno() == Errno.EOPNOTSUPP) {
                return withoutHoles;
            }
            throw failed("looking for holes of", offset, 0, e);
        }
    }

    private void change(String verb, long offset, long length, Change change) throws DiskException {
        allocate(verb, offset, length, () -> {
            reached(ImageFault.WRITE);
            change.run();
        });
    }

    private void allocate(String verb, long offset, long length, Change change) throws DiskException {
        check(offset, length);
        if (length == 0) {
            return;
        }
        try {
            change.run();
        } catch (LinuxException e) {
            throw failed(verb, offset, length, e);
        }
    }

    /** A block device takes ranges of its own blocks only and calls others invalid: as good as unsupported. */
    private boolean attempt(Attempt attempt) throws LinuxException {
        try {
            return attempt.run();
        } catch (LinuxException e) {
            if (device && e.errno() == Errno.EINVAL) {
                return false;
            }
            throw e;
        }
    }

    private void check(long offset, long length) {
        Objects.checkFromIndexSize(offset, length, bytes);
    }

    private void reached(ImageFault operation) throws LinuxException {
        if (fault != null) {
            fault.reached(operation);
        }
    }

    private DiskException failed(String verb, long offset, long length, LinuxException cause) {
        return DiskException.failed(verb + " " + length + " bytes at " + offset + " of image " + path, cause);
    }

    /**
     * Lets go of the image when the operations under way are done; what was not synced is left to the kernel. Where that
     * takes longer than {@link PositionalFile#CLOSE_LIMIT}, the image stays open and locked until they are.
     */
    @Override
    public void close() {
        if (!file.closeWithin(PositionalFile.CLOSE_LIMIT)) {
            LOG.error(
                    "image {} is still in use {} s after its end: its disk does not answer, and nobody else can open it "
                            + "until that does; see the kernel's log (dmesg), and mend the disk or the way to it",
                    path,
                    PositionalFile.CLOSE_LIMIT.toSeconds());
        }
    }

    @FunctionalInterface
    private interface Change {
        void run() throws LinuxException;
    }

    @FunctionalInterface
    private interface Attempt {
        boolean run() throws LinuxException;
    }

    @FunctionalInterface
    private interface Seek {
        long run() throws LinuxException;
    }
}
