package remus.host;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import remus.disk.BlockImage;

/** An image of zeros of one MiB, whose writes a test can hold up and count. */
final class HungImage implements BlockImage {
    final CountDownLatch letGo = new CountDownLatch(1);
    final CountDownLatch reached = new CountDownLatch(1);
    final AtomicInteger writes = new AtomicInteger();

    /** One whose writes are done at once. */
    static HungImage thatWorks() {
        HungImage image = new HungImage();
        image.letGo.countDown();
        return image;
    }

    private void change() {
        reached.countDown();
        try {
            letGo.await();
        } catch (InterruptedException e) {
            throw new AssertionError("nobody interrupts a write", e);
        }
        writes.incrementAndGet();
    }

    @Override
    public Path path() {
        return Path.of("hung.raw");
    }

    @Override
    public long bytes() {
        return 1 << 20;
    }

    @Override
    public void read(long offset, MemorySegment target, long at, long length) {
        target.asSlice(at, length).fill((byte) 0);
    }

    @Override
    public boolean readCached(long offset, MemorySegment target, long at, long length) {
        return false;
    }

    @Override
    public void write(long offset, MemorySegment source, long at, long length) {
        change();
    }

    @Override
    public void zero(long offset, long length) {
        change();
    }

    @Override
    public void trim(long offset, long length) {
        change();
    }

    @Override
    public void reserve(long offset, long length) {}

    @Override
    public void sync() {}

    @Override
    public long nextData(long offset) {
        return bytes();
    }

    @Override
    public long nextHole(long offset) {
        return bytes();
    }

    @Override
    public void close() {}
}
