package remus.linux;

/** System call numbers of this machine's architecture (arch/x86/entry/syscalls/syscall_64.tbl; asm-generic/unistd.h). */
final class SyscallNumbers {
    private static final boolean ARM64 = System.getProperty("os.arch").equals("aarch64");

    static final int READ = ARM64 ? 63 : 0;
    static final int WRITE = ARM64 ? 64 : 1;
    static final int CLOSE = ARM64 ? 57 : 3;
    static final int LSEEK = ARM64 ? 62 : 8;
    static final int PREAD64 = ARM64 ? 67 : 17;
    static final int PWRITE64 = ARM64 ? 68 : 18;
    static final int PREADV2 = ARM64 ? 286 : 327;
    static final int FDATASYNC = ARM64 ? 83 : 75;
    static final int FLOCK = ARM64 ? 32 : 73;
    static final int IOCTL = ARM64 ? 29 : 16;
    static final int SOCKET = ARM64 ? 198 : 41;
    static final int CONNECT = ARM64 ? 203 : 42;
    static final int SENDTO = ARM64 ? 206 : 44;
    static final int SHUTDOWN = ARM64 ? 210 : 48;
    static final int SETSOCKOPT = ARM64 ? 208 : 54;
    static final int WAIT4 = ARM64 ? 260 : 61;
    static final int KILL = ARM64 ? 129 : 62;
    static final int PTRACE = ARM64 ? 117 : 101;
    static final int OPENAT = ARM64 ? 56 : 257;
    static final int PPOLL = ARM64 ? 73 : 271;
    static final int FALLOCATE = ARM64 ? 47 : 285;
    static final int EVENTFD2 = ARM64 ? 19 : 290;
    static final int SETNS = ARM64 ? 268 : 308;
    static final int SCHED_SETSCHEDULER = ARM64 ? 119 : 144;
    static final int SCHED_GETSCHEDULER = ARM64 ? 120 : 145;
    static final int USERFAULTFD = ARM64 ? 282 : 323;
    static final int CLOCK_GETTIME = ARM64 ? 113 : 228;
    static final int ADJTIMEX = ARM64 ? 171 : 159;
    static final int TGKILL = ARM64 ? 131 : 234;
    static final int STATX = ARM64 ? 291 : 332;
    static final int PIDFD_SEND_SIGNAL = 424;
    static final int PIDFD_OPEN = 434;
    static final int PIDFD_GETFD = 438;

    private SyscallNumbers() {}
}
