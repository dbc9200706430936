package remus.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Write protection of another process's memory (userfaultfd(2), ioctl_userfaultfd(2)): the first write to a protected
 * page either is let through and noted by the kernel (asynchronous, read by {@link PagemapScan}), or waits until it is
 * let through here (synchronous). Closing ends all protection and lets waiting writers go on.
 *
 * <p>Threads: {@link #readWriteFaults} on one thread, everything else under a lock of the caller's.
 */
public final class Userfaultfd implements AutoCloseable {
    /** Most faults that one {@link #readWriteFaults} returns. */
    public static final int MAX_FAULTS = 64;

    private static final int MAX_ATTEMPTS = 10_000;

    static final int UFFD_USER_MODE_ONLY = 1;
    static final int O_CLOEXEC_NONBLOCK = 0x80000 | 0x800;
    static final long UFFD_API = 0xAA;
    static final long UFFDIO_API = 0xc018aa3fL;
    static final long UFFDIO_REGISTER = 0xc020aa00L;
    static final long UFFDIO_WRITEPROTECT = 0xc018aa06L;
    static final long UFFDIO_REGISTER_MODE_WP = 2;
    static final long UFFDIO_WRITEPROTECT_MODE_WP = 1;
    static final long UFFD_FEATURE_PAGEFAULT_FLAG_WP = 1;
    static final long UFFD_FEATURE_WP_HUGETLBFS_SHMEM = 1 << 12;
    static final long UFFD_FEATURE_WP_UNPOPULATED = 1 << 13;
    static final long UFFD_FEATURE_WP_ASYNC = 1 << 15;
    static final int MESSAGE_BYTES = 32;
    static final int MESSAGE_FLAGS_OFFSET = 8;
    static final int MESSAGE_ADDRESS_OFFSET = 16;
    static final byte UFFD_EVENT_PAGEFAULT = 0x12;
    static final long UFFD_PAGEFAULT_FLAG_WP = 2;
    static final int API_BYTES = 24;
    static final int REGISTER_BYTES = 32;
    static final int WRITEPROTECT_BYTES = 24;

    private final FileDescriptor descriptor;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment argument = arena.allocate(REGISTER_BYTES, 8);
    private final MemorySegment messages = arena.allocate((long) MAX_FAULTS * MESSAGE_BYTES, 8);

    Userfaultfd(FileDescriptor descriptor) {
        this.descriptor = descriptor;
    }

    /**
     * Makes one for the memory of process {@code pid}; nothing stays behind in the process.
     *
     * @param userModeOnly asks for less: needs no privilege, but the synchronous mode then misses the kernel's own
     *     writes (a disk read into guest memory)
     */
    public static Userfaultfd ofProcess(long pid, boolean userModeOnly) throws LinuxException {
        int flags = O_CLOEXEC_NONBLOCK | (userModeOnly ? UFFD_USER_MODE_ONLY : 0);
        return new Userfaultfd(RemoteDescriptors.userfaultfdIn(pid, flags));
    }

    /**
     * Makes one for this process' own memory, to ask the kernel what it has: nothing is to be registered with it.
     *
     * @param userModeOnly as {@link #ofProcess}
     */
    public static Userfaultfd ofThisProcess(boolean userModeOnly) throws LinuxException {
        int flags = O_CLOEXEC_NONBLOCK | (userModeOnly ? UFFD_USER_MODE_ONLY : 0);
        // SAFETY: plain numbers only.
        long number = Syscalls.check("userfaultfd()", Syscalls.call(SyscallNumbers.USERFAULTFD, flags));
        return new Userfaultfd(new FileDescriptor((int) number, "userfaultfd of this process"));
    }

    /**
     * Chooses the asynchronous mode (Linux 6.7 and later).
     *
     * @return false where this kernel does not have it; another mode may then be chosen
     */
    public boolean chooseAsynchronous() throws LinuxException {
        return choose(UFFD_FEATURE_PAGEFAULT_FLAG_WP
                | UFFD_FEATURE_WP_HUGETLBFS_SHMEM
                | UFFD_FEATURE_WP_UNPOPULATED
                | UFFD_FEATURE_WP_ASYNC);
    }

    /**
     * Chooses the synchronous mode for shared memory (Linux 5.19 and later).
     *
     * @return false where this kernel does not have it
     */
    public boolean chooseSynchronous() throws LinuxException {
        // Pages not there yet need no feature of their own: in shared memory they can always be protected.
        return choose(UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM);
    }

    boolean choose(long features) throws LinuxException {
        argument.fill((byte) 0);
        argument.set(JAVA_LONG, 0, UFFD_API);
        argument.set(JAVA_LONG, 8, features);
        // SAFETY: struct uffdio_api has 24 bytes, the segment 32; it lives as long as this object.
        long result = ioctl(UFFDIO_API);
        if (result == -Errno.EINVAL) {
            return false;
        }
        Syscalls.check("ioctl(UFFDIO_API)", result);
        return true;
    }

    /** Takes the range under its wing; nothing is protected yet. */
    public void register(long start, long bytes) throws LinuxException {
        argument.fill((byte) 0);
        argument.set(JAVA_LONG, 0, start);
        argument.set(JAVA_LONG, 8, bytes);
        argument.set(JAVA_LONG, 16, UFFDIO_REGISTER_MODE_WP);
        // SAFETY: struct uffdio_register has 32 bytes, as the segment; it lives as long as this object.
        long result = ioctl(UFFDIO_REGISTER);
        if (result == -Errno.EBUSY) {
            throw new LinuxException(
                    "ioctl(UFFDIO_REGISTER)", Errno.EBUSY, "somebody tracks the memory of this process already");
        }
        Syscalls.check("ioctl(UFFDIO_REGISTER)", result);
    }

    /**
     * Makes sure that the process still had its memory when this was called; what was found out before then holds.
     * Without it a {@link PagemapScan} of a process that has just ended finds no written pages and no error.
     *
     * @param start a range that is registered already, with {@code bytes}
     * @throws LinuxException with ESRCH where the process has ended
     */
    public void checkProcessLives(long start, long bytes) throws LinuxException {
        // Registering the same again changes nothing, and fails from the moment the process gives up its memory.
        register(start, bytes);
    }

    /** Protects the pages of the range. */
    public void protect(long start, long bytes) throws LinuxException {
        writeProtect(start, bytes, UFFDIO_WRITEPROTECT_MODE_WP);
    }

    /** Ends the protection of the range until it is protected again, and wakes the writers that wait for it. */
    public void unprotect(long start, long bytes) throws LinuxException {
        writeProtect(start, bytes, 0);
    }

    private void writeProtect(long start, long bytes, long mode) throws LinuxException {
        long result = -Errno.EAGAIN;
        // EAGAIN: the process is changing its mappings just now.
        for (int attempt = 0; attempt < MAX_ATTEMPTS && result == -Errno.EAGAIN; attempt++) {
            argument.set(JAVA_LONG, 0, start);
            argument.set(JAVA_LONG, 8, bytes);
            argument.set(JAVA_LONG, 16, mode);
            // SAFETY: struct uffdio_writeprotect has 24 bytes, the segment 32; it lives as long as this object.
            result = ioctl(UFFDIO_WRITEPROTECT);
        }
        Syscalls.check("ioctl(UFFDIO_WRITEPROTECT)", result);
    }

    private long ioctl(long request) {
        return Syscalls.call(SyscallNumbers.IOCTL, descriptor.number(), request, argument.address());
    }

    /**
     * Reads the writes that wait, without waiting itself.
     *
     * @param addresses gets the addresses written to; at least {@link #MAX_FAULTS} long
     * @return how many there were, 0 for none
     */
    public int readWriteFaults(long[] addresses) throws LinuxException {
        int bytes = descriptor.read(messages, 0, MAX_FAULTS * MESSAGE_BYTES);
        int count = 0;
        for (int at = 0; at + MESSAGE_BYTES <= bytes; at += MESSAGE_BYTES) {
            boolean isFault = messages.get(JAVA_BYTE, at) == UFFD_EVENT_PAGEFAULT;
            boolean isWrite = (messages.get(JAVA_LONG, at + MESSAGE_FLAGS_OFFSET) & UFFD_PAGEFAULT_FLAG_WP) != 0;
            // Nothing else was asked for; were it to come, nobody would wait for an answer to it.
            if (isFault && isWrite) {
                addresses[count++] = messages.get(JAVA_LONG, at + MESSAGE_ADDRESS_OFFSET);
            }
        }
        return count;
    }

    /** For waiting in a {@link Poller}. */
    public FileDescriptor descriptor() {
        return descriptor;
    }

    @Override
    public void close() {
        descriptor.close();
        arena.close();
    }
}
