package remus.host;

import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.base.RemusException;

/** A VM's standby could not be made, kept or activated. */
final class StandbyException extends RemusException {
    private static final long serialVersionUID = 1L;

    StandbyException(String message, @Nullable Throwable cause) {
        super(ErrorCategory.RETRY, message, cause);
    }
}
