package remus.disk;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import remus.linux.Errno;
import remus.linux.LinuxException;

/** A raw image in a file whose fdatasync a test can hold up, and whose operations it can have fail. */
final class TestImage implements BlockImage {
    private final RawImage image;
    private boolean syncsAreHeld;
    private int syncsLetThrough;
    final AtomicInteger syncsBegun = new AtomicInteger();
    volatile @Nullable ImageFault failing;
    private volatile @Nullable Hang hanging;
    private volatile boolean met;
    volatile @Nullable Error broken;

    TestImage(Path path, long bytes) throws DiskException {
        image = RawImage.create(path, bytes);
    }

    /** From now on each fdatasync waits for a {@link #letOneSyncEnd} of its own. */
    synchronized void holdSyncs() {
        syncsAreHeld = true;
    }

    synchronized void letOneSyncEnd() {
        syncsLetThrough++;
        notifyAll();
    }

    synchronized void letSyncsEnd() {
        syncsAreHeld = false;
        notifyAll();
    }

    private synchronized void awaitSyncLetThrough() {
        try {
            while (syncsAreHeld && syncsLetThrough == 0) {
                wait();
            }
        } catch (InterruptedException e) {
            throw new AssertionError("nobody interrupts a flusher", e);
        }
        syncsLetThrough = Math.max(0, syncsLetThrough - 1);
    }

    byte[] content() throws DiskException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment all = arena.allocate(image.bytes());
            image.read(0, all, 0, image.bytes());
            return all.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    /** From now on operations of that kind do not come back, until the latch that is returned is counted down. */
    CountDownLatch hang(ImageFault operation) {
        CountDownLatch end = new CountDownLatch(1);
        hanging = new Hang(operation, end);
        return end;
    }

    /** Whether somebody has met the {@link #hang}. */
    boolean hangs() {
        return met;
    }

    private record Hang(ImageFault operation, CountDownLatch end) {}

    private void awaitEndOfHang(ImageFault operation) {
        Hang hang = hanging;
        if (hang != null && hang.operation() == operation) {
            met = true;
            while (hang.end().getCount() > 0) {
                try {
                    hang.end().await();
                } catch (InterruptedException e) {
                    // As a call to the kernel that can't be interrupted.
                }
            }
        }
    }

    private void reached(ImageFault operation) throws DiskException {
        awaitEndOfHang(operation);
        if (failing == operation) {
            throw DiskException.failed(operation + " of image " + image.path(), new LinuxException("test", Errno.EIO));
        }
    }

    @Override
    public Path path() {
        return Path.of("test.raw");
    }

    @Override
    public void reserve(long offset, long length) {
        // All of it is there.
    }

    @Override
    public long bytes() {
        return image.bytes();
    }

    @Override
    public void read(long offset, MemorySegment target, long at, long length) throws DiskException {
        reached(ImageFault.READ);
        image.read(offset, target, at, length);
    }

    @Override
    public boolean readCached(long offset, MemorySegment target, long at, long length) throws DiskException {
        reached(ImageFault.READ);
        return image.readCached(offset, target, at, length);
    }

    @Override
    public void write(long offset, MemorySegment source, long at, long length) throws DiskException {
        reached(ImageFault.WRITE);
        image.write(offset, source, at, length);
    }

    @Override
    public void zero(long offset, long length) throws DiskException {
        reached(ImageFault.WRITE);
        image.zero(offset, length);
    }

    @Override
    public void trim(long offset, long length) throws DiskException {
        reached(ImageFault.WRITE);
        image.trim(offset, length);
    }

    @Override
    public void sync() throws DiskException {
        syncsBegun.incrementAndGet();
        awaitSyncLetThrough();
        reached(ImageFault.SYNC);
        Error defect = broken;
        if (defect != null) {
            throw defect;
        }
        image.sync();
    }

    @Override
    public long nextData(long offset) throws DiskException {
        return image.nextData(offset);
    }

    @Override
    public long nextHole(long offset) throws DiskException {
        return image.nextHole(offset);
    }

    @Override
    public void close() {
        image.close();
    }
}
