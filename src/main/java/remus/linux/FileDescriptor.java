package remus.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Objects;

/**
 * One open descriptor of this process, owned by whoever holds the object. Reads and writes are those of the system;
 * with {@code O_NONBLOCK} set they return {@link #WOULD_BLOCK} instead of waiting. Confined to one thread at a time;
 * {@link #close} may be called repeatedly, and nothing else after it.
 */
public final class FileDescriptor implements AutoCloseable {
    /** What {@link #read} and {@link #write} return where the call would have to wait. */
    public static final int WOULD_BLOCK = -1;

    static final int O_RDONLY = 0;
    static final int O_RDWR = 2;
    static final int O_NONBLOCK = 0x800;

    private static final int O_CLOEXEC = 0x80000;
    private static final int AT_FDCWD = -100;

    private final String name;
    private int number;

    /**
     * @param number the descriptor, from here on closed by this object
     * @param name what it is, for messages
     */
    FileDescriptor(int number, String name) {
        this.number = number;
        this.name = name;
    }

    /**
     * Opens {@code path} (open(2)); the descriptor is not inherited by child processes.
     *
     * @param flags such as {@code O_RDWR | O_NONBLOCK}, without {@code O_CREAT}
     */
    static FileDescriptor open(Path path, int flags) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocateFrom(path.toString());
            // SAFETY: a zero-terminated string that lives until the arena closes after the call.
            long result = Syscalls.call(SyscallNumbers.OPENAT, AT_FDCWD, name.address(), flags | O_CLOEXEC);
            return new FileDescriptor((int) Syscalls.check("open(" + path + ")", result), path.toString());
        }
    }

    public int number() {
        if (number < 0) {
            throw new IllegalStateException(name + " is closed");
        }
        return number;
    }

    /**
     * Reads at most {@code length} bytes to {@code offset} of {@code target}.
     *
     * @return the number of bytes read, 0 at the end of the stream, {@link #WOULD_BLOCK} when there is nothing yet
     */
    public int read(MemorySegment target, long offset, int length) throws LinuxException {
        Objects.checkFromIndexSize(offset, length, target.byteSize());
        long result;
        do {
            // SAFETY: offset and length were checked against the segment just above, and the segment is native and
            // reachable (it is our parameter) until the call returns.
            result = Syscalls.call(SyscallNumbers.READ, number(), target.address() + offset, length);
        } while (result == -Errno.EINTR);
        if (result == -Errno.EAGAIN) {
            return WOULD_BLOCK;
        }
        return (int) Syscalls.check("read(" + name + ")", result);
    }

    /** Writes at most {@code length} bytes; returns how many were taken, or {@link #WOULD_BLOCK}. */
    public int write(MemorySegment source, long offset, int length) throws LinuxException {
        Objects.checkFromIndexSize(offset, length, source.byteSize());
        long result;
        do {
            // SAFETY: as in read: checked bounds, and the segment lives while it is our parameter.
            result = Syscalls.call(SyscallNumbers.WRITE, number(), source.address() + offset, length);
        } while (result == -Errno.EINTR);
        if (result == -Errno.EAGAIN) {
            return WOULD_BLOCK;
        }
        return (int) Syscalls.check("write(" + name + ")", result);
    }

    @Override
    public void close() {
        if (number >= 0) {
            // Linux releases the descriptor whatever close returns; there is nothing to be done about an error.
            Syscalls.call(SyscallNumbers.CLOSE, number);
            number = -1;
        }
    }

    @Override
    public String toString() {
        return name;
    }
}
