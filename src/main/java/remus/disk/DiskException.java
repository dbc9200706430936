package remus.disk;

import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.base.RemusException;
import remus.linux.Errno;
import remus.linux.LinuxException;

/**
 * A disk's image can't be used, or an operation on it failed. FATAL: it can't be opened as it is; DEGRADE: it is open and
 * goes on to be, but this operation did not succeed.
 */
public final class DiskException extends RemusException {
    private static final long serialVersionUID = 1L;

    private final int errno;

    /** @param errno the system's error number ({@link Errno}), 0 where none is the cause */
    DiskException(ErrorCategory category, String message, int errno, @Nullable Throwable cause) {
        super(category, message, cause);
        this.errno = errno;
    }

    /** An image that can't be used; {@code message} says why, and what to do about it. */
    static DiskException unusable(String message, @Nullable Throwable cause) {
        return new DiskException(ErrorCategory.FATAL, message, errnoOf(cause), cause);
    }

    /** An operation on an open image failed: {@code what} names both. */
    static DiskException failed(String what, LinuxException cause) {
        return new DiskException(ErrorCategory.DEGRADE, what + " failed: " + cause.getMessage(), cause.errno(), cause);
    }

    /** The system's error number, such as {@link Errno#ENOSPC} or {@link Errno#EIO}; 0 where none is the cause. */
    public int errno() {
        return errno;
    }

    private static int errnoOf(@Nullable Throwable cause) {
        return cause instanceof LinuxException failure ? failure.errno() : 0;
    }
}
