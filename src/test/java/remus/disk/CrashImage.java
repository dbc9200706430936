package remus.disk;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.IntUnaryOperator;
import remus.base.ErrorCategory;
import remus.linux.Errno;
import remus.linux.LinuxException;

/**
 * An image in memory whose power can fail: what was written since the last sync lies in a page cache, of which a power loss
 * keeps any sector in any of its versions, in no order. Operations can be made to fail with an error, and after a failed
 * sync the cache counts as clean, as Linux has it. Safe for many threads.
 */
final class CrashImage implements BlockImage {
    static final int SECTOR_BYTES = 512;

    /** Changes and syncs wait until this is closed, by the thread that asked for it. */
    interface Stall extends AutoCloseable {
        @Override
        void close();
    }

    /** Counts the operations of all images that share it, and cuts the power before, or within, one of them. */
    static final class Power {
        private long left = Long.MAX_VALUE;
        private boolean isOff;

        synchronized void cutAfter(long operations) {
            left = operations;
            isOff = false;
        }

        synchronized boolean isOff() {
            return isOff;
        }

        private synchronized boolean isLastOperation() {
            if (isOff) {
                throw new PowerLoss();
            }
            left--;
            isOff = left < 0;
            return isOff;
        }
    }

    /** The machine stops here. */
    static final class PowerLoss extends Error {
        private static final long serialVersionUID = 1L;

        PowerLoss() {
            super("power loss", null, false, false);
        }
    }

    enum Operation {
        WRITE,
        SYNC,
        READ
    }

    private final Path path;
    private final Power power;
    private final byte[] durable;
    private byte[] cached;
    /** Per sector, what it held since the last sync, oldest first. */
    private final Map<Integer, List<byte[]>> versions = new TreeMap<>();

    private final ReentrantReadWriteLock stalls = new ReentrantReadWriteLock();
    private Operation failing = Operation.READ;
    private int failuresLeft;
    private int failureErrno = Errno.EIO;
    private long reservedBytes;
    private long syncCount;
    private final List<Long> reads = new ArrayList<>();

    CrashImage(String path, int bytes, Power power) {
        this(path, new byte[bytes], power);
    }

    CrashImage(String path, byte[] content, Power power) {
        this.path = Path.of(path);
        this.power = power;
        this.durable = content.clone();
        this.cached = content.clone();
    }

    /** What a read would give now. */
    synchronized byte[] content() {
        return cached.clone();
    }

    synchronized long syncCount() {
        return syncCount;
    }

    synchronized long reservedBytes() {
        return reservedBytes;
    }

    /** Offsets that were read. */
    synchronized List<Long> reads() {
        return List.copyOf(reads);
    }

    Stall stall() {
        stalls.writeLock().lock();
        return stalls.writeLock()::unlock;
    }

    synchronized void failNext(Operation operation, int times, int errno) {
        failing = operation;
        failuresLeft = times;
        failureErrno = errno;
    }

    /** The machine starts again: each sector holds what {@code choose}, given the number of its versions, picks. */
    synchronized void restart(IntUnaryOperator choose) {
        versions.forEach((sector, list) -> {
            int choice = choose.applyAsInt(list.size() + 1);
            if (choice > 0) {
                byte[] version = list.get(choice - 1);
                System.arraycopy(version, 0, durable, sector * SECTOR_BYTES, SECTOR_BYTES);
            }
        });
        versions.clear();
        cached = durable.clone();
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public boolean readCached(long offset, MemorySegment target, long at, long length) {
        return false;
    }

    @Override
    public long nextHole(long offset) {
        return bytes();
    }

    @Override
    public long bytes() {
        return durable.length;
    }

    @Override
    public synchronized void read(long offset, MemorySegment target, long at, long length) throws DiskException {
        check(offset, length);
        if (power.isOff()) {
            throw new PowerLoss();
        }
        reached(Operation.READ);
        reads.add(offset);
        MemorySegment.copy(MemorySegment.ofArray(cached), offset, target, at, length);
    }

    @Override
    public void write(long offset, MemorySegment source, long at, long length) throws DiskException {
        byte[] bytes = new byte[(int) length];
        MemorySegment.copy(source, at, MemorySegment.ofArray(bytes), 0, length);
        change(offset, bytes);
    }

    @Override
    public void zero(long offset, long length) throws DiskException {
        change(offset, new byte[(int) length]);
    }

    @Override
    public void trim(long offset, long length) throws DiskException {
        change(offset, new byte[(int) length]);
    }

    private void change(long offset, byte[] bytes) throws DiskException {
        stalls.readLock().lock();
        try {
            changeNow(offset, bytes);
        } finally {
            stalls.readLock().unlock();
        }
    }

    private synchronized void changeNow(long offset, byte[] bytes) throws DiskException {
        check(offset, bytes.length);
        boolean isLast = power.isLastOperation();
        // A write that the power loss falls into has got half-way.
        int length = isLast ? bytes.length / 2 : bytes.length;
        boolean fails = isFailing(Operation.WRITE);
        length = fails ? length / 2 : length;
        System.arraycopy(bytes, 0, cached, (int) offset, length);
        for (long sector = offset / SECTOR_BYTES; sector * SECTOR_BYTES < offset + length; sector++) {
            int from = (int) sector * SECTOR_BYTES;
            versions.computeIfAbsent((int) sector, key -> new ArrayList<>())
                    .add(Arrays.copyOfRange(cached, from, from + SECTOR_BYTES));
        }
        if (isLast) {
            throw new PowerLoss();
        }
        if (fails) {
            throw failure(Operation.WRITE);
        }
    }

    @Override
    public synchronized void reserve(long offset, long length) throws DiskException {
        check(offset, length);
        reached(Operation.WRITE);
        reservedBytes += length;
    }

    @Override
    public void sync() throws DiskException {
        stalls.readLock().lock();
        try {
            syncNow();
        } finally {
            stalls.readLock().unlock();
        }
    }

    private synchronized void syncNow() throws DiskException {
        if (power.isLastOperation()) {
            throw new PowerLoss();
        }
        syncCount++;
        if (isFailing(Operation.SYNC)) {
            // Nothing got to the disk, and nothing will: the pages count as clean from here on.
            versions.clear();
            throw failure(Operation.SYNC);
        }
        versions.forEach(
                (sector, list) -> System.arraycopy(list.getLast(), 0, durable, sector * SECTOR_BYTES, SECTOR_BYTES));
        versions.clear();
    }

    @Override
    public synchronized long nextData(long offset) {
        int at = (int) offset;
        while (at < cached.length && cached[at] == 0) {
            at++;
        }
        return at;
    }

    private void reached(Operation operation) throws DiskException {
        if (isFailing(operation)) {
            throw failure(operation);
        }
    }

    private boolean isFailing(Operation operation) {
        boolean fails = failing == operation && failuresLeft > 0;
        failuresLeft -= fails ? 1 : 0;
        return fails;
    }

    private DiskException failure(Operation operation) {
        return new DiskException(
                ErrorCategory.DEGRADE,
                "%s of %s failed: %s".formatted(operation, path, Errno.describe(failureErrno)),
                failureErrno,
                new LinuxException("test", failureErrno));
    }

    private void check(long offset, long length) {
        Objects.checkFromIndexSize(offset, length, bytes());
    }

    @Override
    public void close() {
        // Nothing is open.
    }
}
