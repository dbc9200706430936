package remus.qemu;

import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.base.RemusException;

/** QEMU is not installed as needed, could not be started, or could not be ended. */
public final class QemuException extends RemusException {
    private static final long serialVersionUID = 1L;

    public QemuException(ErrorCategory category, String message, @Nullable Throwable cause) {
        super(category, message, cause);
    }
}
