package remus.linux;

import remus.base.ErrorCategory;
import remus.base.RemusException;

/** A system call failed. Carries the call's name and errno; the message names both and the object concerned. */
public final class LinuxException extends RemusException {
    private static final long serialVersionUID = 1L;

    private final int errno;

    /**
     * @param call what was attempted and on what, such as {@code "ioctl(TUNSETIFF, tap0)"}
     * @param errno the error number, positive
     */
    public LinuxException(String call, int errno) {
        super(category(errno), call + ": " + Errno.describe(errno), null);
        this.errno = errno;
    }

    /** As {@link #LinuxException(String, int)}, with a sentence that says what a person can do about it. */
    public LinuxException(String call, int errno, String advice) {
        super(category(errno), call + ": " + Errno.describe(errno) + "; " + advice, null);
        this.errno = errno;
    }

    public int errno() {
        return errno;
    }

    private static ErrorCategory category(int errno) {
        return switch (errno) {
            case Errno.EAGAIN, Errno.EINTR, Errno.EBUSY, Errno.ENOBUFS -> ErrorCategory.RETRY;
            default -> ErrorCategory.FATAL;
        };
    }
}
