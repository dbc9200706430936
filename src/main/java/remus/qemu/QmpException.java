package remus.qemu;

import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.base.RemusException;

/**
 * A QMP command failed or the QMP connection is unusable. RETRY: QEMU refused this one command and goes on. FATAL: the
 * connection is gone, talks nonsense or is silent; nothing more can be asked of this QEMU.
 */
public final class QmpException extends RemusException {
    private static final long serialVersionUID = 1L;

    public QmpException(ErrorCategory category, String message, @Nullable Throwable cause) {
        super(category, message, cause);
    }

    static QmpException unusable(String message, @Nullable Throwable cause) {
        return new QmpException(ErrorCategory.FATAL, message, cause);
    }

    static QmpException refused(String command, String errorClass, String description) {
        return new QmpException(
                ErrorCategory.RETRY,
                "QEMU refused the command " + command + ": " + description + " (" + errorClass + ")",
                null);
    }
}
