package remus.memory;

import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.base.RemusException;

/** Writes to a VM's memory can't be tracked on this system; the message says what is missing. */
public final class DirtyTrackingException extends RemusException {
    private static final long serialVersionUID = 1L;

    DirtyTrackingException(String message, @Nullable Throwable cause) {
        super(ErrorCategory.FATAL, message, cause);
    }
}
