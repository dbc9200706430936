package remus.memory;

import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.base.RemusException;

/** A VM's RAM file can't be made or mapped. */
public final class GuestMemoryException extends RemusException {
    private static final long serialVersionUID = 1L;

    GuestMemoryException(String message, @Nullable Throwable cause) {
        super(ErrorCategory.FATAL, message, cause);
    }
}
