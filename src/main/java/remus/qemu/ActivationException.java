package remus.qemu;

import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.base.RemusException;

/**
 * A standby could not be prepared or did not come to run. RETRY: a fresh standby may load the same checkpoint. FATAL:
 * the checkpoint itself can't be loaded.
 */
public final class ActivationException extends RemusException {
    private static final long serialVersionUID = 1L;

    public ActivationException(ErrorCategory category, String message, @Nullable Throwable cause) {
        super(category, message, cause);
    }
}
