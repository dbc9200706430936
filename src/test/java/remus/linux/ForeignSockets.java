package remus.linux;

/** Sockets of other processes, for tests that break connections from outside. */
public final class ForeignSockets {
    private static final int SHUT_RDWR = 2;

    private ForeignSockets() {}

    /** Ends both directions of a connection of process {@code pid}, as if its other end had gone. */
    public static void shutDown(long pid, int descriptor) throws LinuxException {
        long process = Syscalls.check("pidfd_open(" + pid + ")", Syscalls.call(SyscallNumbers.PIDFD_OPEN, pid, 0, 0));
        try {
            long socket = Syscalls.check(
                    "pidfd_getfd(" + descriptor + ")",
                    Syscalls.call(SyscallNumbers.PIDFD_GETFD, process, descriptor, 0));
            try {
                Syscalls.check("shutdown", Syscalls.call(SyscallNumbers.SHUTDOWN, socket, SHUT_RDWR, 0));
            } finally {
                Syscalls.call(SyscallNumbers.CLOSE, socket);
            }
        } finally {
            Syscalls.call(SyscallNumbers.CLOSE, process);
        }
    }
}
