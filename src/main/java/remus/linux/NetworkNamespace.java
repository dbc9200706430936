package remus.linux;

import java.nio.file.Path;

/** Moves a thread between network namespaces (setns(2)). */
public final class NetworkNamespace {
    static final int CLONE_NEWNET = 0x40000000;

    private NetworkNamespace() {}

    /**
     * Puts the calling thread, and no other, into the namespace at {@code path}, such as {@code /run/netns/alpha} or
     * {@code /proc/1/ns/net}. Sockets and TAPs that the thread opens from then on belong to it; those open already stay
     * where they are. Threads started later by this one begin in it too.
     *
     * @throws IllegalStateException on a virtual thread, whose carrier would be moved and then serve others
     * @throws LinuxException where there is no such namespace, or CAP_SYS_ADMIN is missing
     */
    public static void enter(Path path) throws LinuxException {
        if (Thread.currentThread().isVirtual()) {
            throw new IllegalStateException("a virtual thread can't enter a network namespace: its carrier would");
        }
        FileDescriptor namespace = FileDescriptor.open(path, FileDescriptor.O_RDONLY);
        try {
            long result = Syscalls.call(SyscallNumbers.SETNS, namespace.number(), CLONE_NEWNET, 0);
            if (result == -Errno.EPERM) {
                throw new LinuxException(
                        "setns(" + path + ")", Errno.EPERM, "entering a network namespace needs CAP_SYS_ADMIN");
            }
            Syscalls.check("setns(" + path + ")", result);
        } finally {
            namespace.close();
        }
    }
}
