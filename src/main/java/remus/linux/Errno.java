package remus.linux;

/** Error numbers of Linux on x86-64 and arm64 (include/uapi/asm-generic/errno*.h) that the project tells apart. */
public final class Errno {
    public static final int EPERM = 1;
    public static final int ENOENT = 2;
    public static final int ESRCH = 3;
    public static final int EINTR = 4;
    public static final int EIO = 5;
    public static final int ENXIO = 6;
    public static final int EBADF = 9;
    public static final int EAGAIN = 11;
    public static final int ENOMEM = 12;
    public static final int EACCES = 13;
    public static final int EBUSY = 16;
    public static final int EEXIST = 17;
    public static final int ENODEV = 19;
    public static final int EINVAL = 22;
    public static final int ENOTTY = 25;
    public static final int EFBIG = 27;
    public static final int ENOSPC = 28;
    public static final int EPIPE = 32;
    public static final int ENOSYS = 38;
    public static final int EOPNOTSUPP = 95;
    public static final int EDQUOT = 122;
    public static final int ENOBUFS = 105;
    public static final int ECONNRESET = 104;
    public static final int ESHUTDOWN = 108;
    public static final int ECONNREFUSED = 111;

    private Errno() {}

    /** The error as people search for it, {@code ENOSPC (no space left on device)}; unknown ones as {@code errno 123}. */
    public static String describe(int errno) {
        return switch (errno) {
            case EPERM -> "EPERM (operation not permitted)";
            case ENOENT -> "ENOENT (no such file or directory)";
            case ESRCH -> "ESRCH (no such process)";
            case EINTR -> "EINTR (interrupted)";
            case EIO -> "EIO (input/output error)";
            case ENXIO -> "ENXIO (no such device or address)";
            case EBADF -> "EBADF (bad descriptor)";
            case EAGAIN -> "EAGAIN (would block)";
            case ENOMEM -> "ENOMEM (out of memory)";
            case EACCES -> "EACCES (permission denied)";
            case EBUSY -> "EBUSY (device or resource busy)";
            case EEXIST -> "EEXIST (exists already)";
            case ENODEV -> "ENODEV (no such device)";
            case EINVAL -> "EINVAL (invalid argument)";
            case ENOTTY -> "ENOTTY (this kernel does not know the request)";
            case EFBIG -> "EFBIG (file too large)";
            case ENOSPC -> "ENOSPC (no space left on device)";
            case EPIPE -> "EPIPE (the other end is closed)";
            case ENOSYS -> "ENOSYS (this kernel has no such call)";
            case EOPNOTSUPP -> "EOPNOTSUPP (not supported)";
            case EDQUOT -> "EDQUOT (quota exceeded)";
            case ENOBUFS -> "ENOBUFS (no buffer space)";
            case ECONNRESET -> "ECONNRESET (connection reset)";
            case ESHUTDOWN -> "ESHUTDOWN (shut down)";
            case ECONNREFUSED -> "ECONNREFUSED (connection refused)";
            default -> "errno " + errno;
        };
    }
}
