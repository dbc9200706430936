package remus.disk;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.linux.Errno;

/**
 * The image of a VM that is about to come here together with it: another host still writes to that very file. Until
 * {@link #open} the file is not touched at all, not even read, so that nothing stale is kept of it in this host's cache; a
 * reader sees zeros, which is what a standby's QEMU looks at when it starts, and every change fails. From then on all goes
 * to the file.
 *
 * <p>Whoever opens it knows that the other host has made durable what it wrote, and writes no more. On a network file system
 * that is what makes its last writes visible here: a file that is opened after they were flushed has them (close-to-open).
 *
 * <p>Thread-safe. Closed by whoever {@link #open} has given the file to.
 */
public final class AwaitedImage implements BlockImage {
    private final Path path;
    private final long bytes;
    private volatile @Nullable RawImage opened;

    /** @param bytes its size, by the host that has it now */
    public AwaitedImage(Path path, long bytes) {
        this.path = path;
        this.bytes = bytes;
    }

    /**
     * The image is this host's to read, and to write as soon as it owns the VM. Not locked: its former host holds the lock
     * until its QEMU is gone.
     *
     * @return what is to be locked and closed by the caller; the same at each call
     */
    public synchronized RawImage open() throws DiskException {
        RawImage present = opened;
        if (present != null) {
            return present;
        }
        RawImage image = RawImage.openUnlocked(path);
        if (image.bytes() != bytes) {
            image.close();
            throw DiskException.unusable(
                    "image %s has %d bytes here, and %d on the host that it comes from"
                            .formatted(path, image.bytes(), bytes),
                    null);
        }
        opened = image;
        return image;
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public long bytes() {
        return bytes;
    }

    @Override
    public void read(long offset, MemorySegment target, long at, long length) throws DiskException {
        if (!readCached(offset, target, at, length)) {
            present().read(offset, target, at, length);
        }
    }

    @Override
    public boolean readCached(long offset, MemorySegment target, long at, long length) throws DiskException {
        RawImage image = opened;
        if (image == null) {
            target.asSlice(at, length).fill((byte) 0);
            return true;
        }
        return image.readCached(offset, target, at, length);
    }

    @Override
    public void write(long offset, MemorySegment source, long at, long length) throws DiskException {
        present().write(offset, source, at, length);
    }

    @Override
    public void zero(long offset, long length) throws DiskException {
        present().zero(offset, length);
    }

    @Override
    public void trim(long offset, long length) throws DiskException {
        present().trim(offset, length);
    }

    @Override
    public void reserve(long offset, long length) throws DiskException {
        present().reserve(offset, length);
    }

    @Override
    public void sync() throws DiskException {
        present().sync();
    }

    /** All of it counts as data before it is open: nobody is to remember a hole that is none. */
    @Override
    public long nextData(long offset) throws DiskException {
        RawImage image = opened;
        return image == null ? offset : image.nextData(offset);
    }

    @Override
    public long nextHole(long offset) throws DiskException {
        RawImage image = opened;
        return image == null ? bytes : image.nextHole(offset);
    }

    private RawImage present() throws DiskException {
        RawImage image = opened;
        if (image == null) {
            throw new DiskException(
                    ErrorCategory.DEGRADE, "image " + path + " is still another host's", Errno.EPERM, null);
        }
        return image;
    }

    /** Of no effect: the file is its owner's to close. */
    @Override
    public void close() {}
}
