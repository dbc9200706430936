package remus.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.locks.LockSupport;

/**
 * A connected, non-blocking UNIX stream socket with a bare descriptor: unlike the JDK's channels it can be waited for
 * in one {@link Poller} beside a TAP, and asked how much the other end has not read yet. Used by one thread at a time; may
 * be handed over to another.
 */
public final class UnixStreamSocket implements AutoCloseable {
    /** Longest path of a UNIX socket: {@code sun_path} less its terminating zero (unix(7)). */
    public static final int MAX_PATH_BYTES = 107;

    private static final int AF_UNIX = 1;
    private static final int SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0x800 | 0x80000;
    private static final long SIOCOUTQ = 0x5411;
    private static final int SHUT_WR = 1;
    private static final int SOL_SOCKET = 1;
    private static final int SO_SNDBUF = 7;
    private static final int SO_RCVBUF = 8;
    private static final int MSG_NOSIGNAL = 0x4000;

    private static final long RETRY_NANOS = 1_000_000;

    private final FileDescriptor descriptor;
    private final MemorySegment number = Arena.ofAuto().allocate(JAVA_INT);

    private UnixStreamSocket(FileDescriptor descriptor) {
        this.descriptor = descriptor;
    }

    /**
     * Connects to the socket that listens at {@code path}.
     *
     * @throws LinuxException with ENOENT or ECONNREFUSED while nobody listens there
     */
    public static UnixStreamSocket connect(Path path) throws LinuxException {
        byte[] name = path.toString().getBytes(StandardCharsets.UTF_8);
        if (name.length > MAX_PATH_BYTES) {
            throw new IllegalArgumentException(
                    "socket path of " + name.length + " bytes exceeds " + MAX_PATH_BYTES + ": " + path);
        }
        FileDescriptor descriptor = new FileDescriptor(
                (int) Syscalls.check(
                        "socket(AF_UNIX)",
                        Syscalls.call(SyscallNumbers.SOCKET, AF_UNIX, SOCK_STREAM_NONBLOCK_CLOEXEC, 0)),
                "socket " + path);
        boolean connected = false;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = arena.allocate(2 + MAX_PATH_BYTES + 1);
            address.set(JAVA_SHORT, 0, (short) AF_UNIX);
            MemorySegment.copy(name, 0, address, JAVA_BYTE, 2, name.length);
            // SAFETY: struct sockaddr_un is 110 bytes, zero-filled and alive until the arena closes after the call.
            long result =
                    Syscalls.call(SyscallNumbers.CONNECT, descriptor.number(), address.address(), address.byteSize());
            Syscalls.check("connect(" + path + ")", result);
            connected = true;
        } finally {
            if (!connected) {
                descriptor.close();
            }
        }
        return new UnixStreamSocket(descriptor);
    }

    /**
     * Connects as soon as somebody listens at {@code path}, which a process that has just started may not do yet.
     *
     * @throws LinuxException with ENOENT or ECONNREFUSED when nobody does within {@code limit}
     */
    public static UnixStreamSocket connectWithin(Path path, Duration limit) throws LinuxException {
        long deadline = System.nanoTime() + limit.toNanos();
        while (true) {
            try {
                return connect(path);
            } catch (LinuxException e) {
                boolean mayCome = e.errno() == Errno.ENOENT || e.errno() == Errno.ECONNREFUSED;
                if (!mayCome
                        || System.nanoTime() - deadline > 0
                        || Thread.currentThread().isInterrupted()) {
                    throw e;
                }
                LockSupport.parkNanos(RETRY_NANOS);
            }
        }
    }

    /** The descriptor, for a {@link Poller}; reading and closing stay with this object. */
    public FileDescriptor descriptor() {
        return descriptor;
    }

    /** As {@link FileDescriptor#read}. */
    public int read(MemorySegment target, long offset, int length) throws LinuxException {
        return descriptor.read(target, offset, length);
    }

    /** As {@link FileDescriptor#write}, but a closed other end is {@link Errno#EPIPE} and never a signal. */
    public int write(MemorySegment source, long offset, int length) throws LinuxException {
        Objects.checkFromIndexSize(offset, length, source.byteSize());
        long result;
        do {
            // SAFETY: bounds checked above; the segment is our parameter and so alive; no address is passed on.
            result = Syscalls.call(
                    SyscallNumbers.SENDTO, descriptor.number(), source.address() + offset, length, MSG_NOSIGNAL, 0, 0);
        } while (result == -Errno.EINTR);
        if (result == -Errno.EAGAIN) {
            return FileDescriptor.WOULD_BLOCK;
        }
        return (int) Syscalls.check("send(" + descriptor + ")", result);
    }

    /**
     * An upper bound, in bytes, of what was written here and not yet read by the other end (SIOCOUTQ, unix(7)): the
     * kernel counts its buffers, which are at least as large as the data in them. 0 means that all was read.
     */
    public int unreadBytes() throws LinuxException {
        // SAFETY: the kernel writes one int into a segment of that size that lives as long as this socket.
        long result = Syscalls.call(SyscallNumbers.IOCTL, descriptor.number(), SIOCOUTQ, number.address());
        Syscalls.check("ioctl(SIOCOUTQ, " + descriptor + ")", result);
        return number.get(JAVA_INT, 0);
    }

    /** Asks for send and receive buffers of {@code bytes}; the system may give less (net.core.wmem_max). */
    public void requestBuffers(int bytes) throws LinuxException {
        for (int option : new int[] {SO_SNDBUF, SO_RCVBUF}) {
            number.set(JAVA_INT, 0, bytes);
            // SAFETY: the kernel reads one int from a segment of that size that lives as long as this socket.
            long result = Syscalls.call(
                    SyscallNumbers.SETSOCKOPT,
                    descriptor.number(),
                    SOL_SOCKET,
                    option,
                    number.address(),
                    Integer.BYTES,
                    0);
            Syscalls.check("setsockopt(" + descriptor + ")", result);
        }
    }

    /** Tells the other end that nothing more comes; reading goes on. */
    public void shutdownOutput() throws LinuxException {
        Syscalls.check(
                "shutdown(" + descriptor + ")",
                Syscalls.call(SyscallNumbers.SHUTDOWN, descriptor.number(), SHUT_WR, 0));
    }

    @Override
    public void close() {
        descriptor.close();
    }
}
