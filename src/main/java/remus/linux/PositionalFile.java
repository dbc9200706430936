package remus.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.StampedLock;

/**
 * A file or block device that several threads read and write at once: each call names its position (pread(2),
 * pwrite(2)), so there is nothing to share but the descriptor. Unlike the JDK's channels it survives an interrupted
 * thread, and it knows about holes, space and the exclusive lock.
 *
 * <p>Thread-safe. Every range is checked by the kernel only; segments must be native. The descriptor is closed when no call
 * is under way any more, so that none ever meets a descriptor that has come to mean something else; a call after
 * {@link #close} throws {@link IllegalStateException}.
 */
public final class PositionalFile implements AutoCloseable {
    /** What {@link #readCached} returns where the call would have to wait for the disk. */
    public static final int WOULD_WAIT = -1;

    /** How long closing waits for calls that are under way. */
    public static final Duration CLOSE_LIMIT = Duration.ofSeconds(2);

    static final int O_EXCL = 0x80;
    static final int LOCK_EXCLUSIVE_NOW = 2 | 4;
    static final int SEEK_END = 2;
    static final int FALLOC_FL_ZERO_RANGE = 0x10;
    static final int RWF_NOWAIT = 8;

    private static final int IOVEC_BYTES = 16;
    // One vector per thread, freed by the collector with the thread.
    private static final ThreadLocal<MemorySegment> VECTOR =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(IOVEC_BYTES, 8));

    private final FileDescriptor descriptor;
    private final StampedLock use = new StampedLock();
    private volatile boolean isClosing;

    private PositionalFile(FileDescriptor descriptor) {
        this.descriptor = descriptor;
    }

    /**
     * Opens an existing file for reading and writing.
     *
     * @param exclusive for a block device: fails with {@link Errno#EBUSY} while the system uses it, such as mounted
     *     (O_EXCL, open(2)); of no meaning for a regular file
     */
    public static PositionalFile open(Path path, boolean exclusive) throws LinuxException {
        return new PositionalFile(FileDescriptor.open(path, FileDescriptor.O_RDWR | (exclusive ? O_EXCL : 0)));
    }

    /**
     * Takes the exclusive lock (flock(2)), which goes with the descriptor; false when another opening of the same file,
     * in this process or another, holds it.
     */
    public boolean tryLock() throws LinuxException {
        long stamp = beginCall();
        try {
            long result = Syscalls.call(SyscallNumbers.FLOCK, descriptor.number(), LOCK_EXCLUSIVE_NOW, 0);
            if (result == -Errno.EAGAIN) {
                return false;
            }
            Syscalls.check("flock(" + descriptor + ")", result);
            return true;
        } finally {
            endCall(stamp);
        }
    }

    /** Size in bytes, of a block device too (lseek(2) with SEEK_END). */
    public long size() throws LinuxException {
        return seek("SEEK_END", 0, SEEK_END);
    }

    /** Reads at most {@code length} bytes at {@code position}; returns how many, 0 at or behind the end. */
    public long read(long position, MemorySegment target, long at, long length) throws LinuxException {
        return transfer("pread", SyscallNumbers.PREAD64, position, target, at, length);
    }

    /** Writes at most {@code length} bytes at {@code position}; returns how many. */
    public long write(long position, MemorySegment source, long at, long length) throws LinuxException {
        return transfer("pwrite", SyscallNumbers.PWRITE64, position, source, at, length);
    }

    private long transfer(String name, int call, long position, MemorySegment segment, long at, long length)
            throws LinuxException {
        long address = addressOf(segment, at, length);
        long stamp = beginCall();
        try {
            long result;
            do {
                // SAFETY: the range was checked against the segment, which is native and, as our parameter, reachable
                // until the call returns; the descriptor is open while the lock is held.
                result = Syscalls.call(call, descriptor.number(), address, length, position, 0, 0);
            } while (result == -Errno.EINTR);
            if (result < 0) {
                throw new LinuxException(
                        name + "(" + descriptor + ", " + length + " bytes at " + position + ")", (int) -result);
            }
            return result;
        } finally {
            endCall(stamp);
        }
    }

    /**
     * As {@link #read}, but only what is in the page cache (preadv2(2) with RWF_NOWAIT): {@link #WOULD_WAIT} where nothing
     * of it is, or where the file system can't tell.
     */
    public long readCached(long position, MemorySegment target, long at, long length) throws LinuxException {
        long address = addressOf(target, at, length);
        MemorySegment vector = VECTOR.get();
        vector.set(JAVA_LONG, 0, address);
        vector.set(JAVA_LONG, 8, length);
        long stamp = beginCall();
        try {
            // SAFETY: one iovec of this thread's own, pointing to a range that was checked against its segment; both
            // are
            // reachable until the call returns. The descriptor is open while the lock is held.
            long result = Syscalls.call(
                    SyscallNumbers.PREADV2, descriptor.number(), vector.address(), 1, position, 0, RWF_NOWAIT);
            if (result == -Errno.EAGAIN || result == -Errno.EOPNOTSUPP || result == -Errno.EINTR) {
                return WOULD_WAIT;
            }
            return Syscalls.check("preadv2(" + descriptor + ", " + length + " bytes at " + position + ")", result);
        } finally {
            endCall(stamp);
        }
    }

    private static long addressOf(MemorySegment segment, long at, long length) {
        Objects.checkFromIndexSize(at, length, segment.byteSize());
        if (!segment.isNative()) {
            throw new IllegalArgumentException("a segment on the heap has no address: " + segment);
        }
        return segment.address() + at;
    }

    /** Returns when all that was written is on the disk (fdatasync(2)). */
    public void sync() throws LinuxException {
        long stamp = beginCall();
        try {
            long result;
            do {
                result = Syscalls.call(SyscallNumbers.FDATASYNC, descriptor.number());
            } while (result == -Errno.EINTR);
            Syscalls.check("fdatasync(" + descriptor + ")", result);
        } finally {
            endCall(stamp);
        }
    }

    /** Makes the range read as zero without giving its space back; false where that is not supported. */
    public boolean zeroRange(long position, long length) throws LinuxException {
        return allocate("ZERO_RANGE", FALLOC_FL_ZERO_RANGE | SparseFile.FALLOC_FL_KEEP_SIZE, position, length);
    }

    /** Makes the range read as zero and gives its space back; false where that is not supported. */
    public boolean punchHole(long position, long length) throws LinuxException {
        return allocate(
                "PUNCH_HOLE", SparseFile.FALLOC_FL_PUNCH_HOLE | SparseFile.FALLOC_FL_KEEP_SIZE, position, length);
    }

    /** Makes sure of space for the range without changing its content; false where that is not supported. */
    public boolean reserve(long position, long length) throws LinuxException {
        return allocate("KEEP_SIZE", SparseFile.FALLOC_FL_KEEP_SIZE, position, length);
    }

    private boolean allocate(String name, int mode, long position, long length) throws LinuxException {
        long stamp = beginCall();
        try {
            long result;
            do {
                result = Syscalls.call(SyscallNumbers.FALLOCATE, descriptor.number(), mode, position, length, 0, 0);
            } while (result == -Errno.EINTR);
            if (result == -Errno.EOPNOTSUPP || result == -Errno.ENOSYS) {
                return false;
            }
            Syscalls.check(
                    "fallocate(" + name + ", " + descriptor + ", " + length + " bytes at " + position + ")", result);
            return true;
        } finally {
            endCall(stamp);
        }
    }

    /** Position of the first data at or after {@code position}, {@link SparseFile#NONE} where a hole reaches the end. */
    public long nextData(long position) throws LinuxException {
        return seek("SEEK_DATA", position, SparseFile.SEEK_DATA);
    }

    /** Position of the first hole at or after {@code position}, which lies in the file; its end counts as one. */
    public long nextHole(long position) throws LinuxException {
        return seek("SEEK_HOLE", position, SparseFile.SEEK_HOLE);
    }

    private long seek(String name, long position, int whence) throws LinuxException {
        long stamp = beginCall();
        try {
            // That it moves the descriptor's own position is of no matter: nobody here uses that.
            long result = Syscalls.call(SyscallNumbers.LSEEK, descriptor.number(), position, whence);
            return result == -Errno.ENXIO
                    ? SparseFile.NONE
                    : Syscalls.check("lseek(" + name + ", " + descriptor + ")", result);
        } finally {
            endCall(stamp);
        }
    }

    /** The descriptor stays open until {@link #endCall}. */
    long beginCall() {
        if (isClosing) {
            throw new IllegalStateException(descriptor + " is closed");
        }
        return use.readLock();
    }

    void endCall(long stamp) {
        use.unlockRead(stamp);
    }

    /** As {@link #closeWithin}, with {@link #CLOSE_LIMIT}. */
    @Override
    public void close() {
        closeWithin(CLOSE_LIMIT);
    }

    /**
     * Closes the file when the calls under way have ended. Where that takes longer than {@code limit}, which means that a
     * device does not answer, the file stays open and locked until they have, and is closed by a thread that waits for
     * them. An interrupt is kept for later.
     *
     * @return whether it is closed
     */
    public boolean closeWithin(Duration limit) {
        isClosing = true;
        long stamp = awaitNoCall(limit);
        if (stamp == 0) {
            Thread.ofPlatform().daemon().name("close-" + descriptor).start(() -> closeNow(use.writeLock()));
            return false;
        }
        closeNow(stamp);
        return true;
    }

    private long awaitNoCall(Duration limit) {
        boolean interrupted = false;
        long deadline = System.nanoTime() + limit.toNanos();
        try {
            while (true) {
                try {
                    return use.tryWriteLock(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void closeNow(long stamp) {
        try {
            descriptor.close();
        } finally {
            use.unlockWrite(stamp);
        }
    }

    @Override
    public String toString() {
        return descriptor.toString();
    }
}
