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

    private final boolean hasRun;

    public ActivationException(ErrorCategory category, String message, @Nullable Throwable cause) {
        this(category, message, cause, false);
    }

    /** @param hasRun the guest ran before it failed: its memory is not the checkpoint's any more */
    public ActivationException(ErrorCategory category, String message, @Nullable Throwable cause, boolean hasRun) {
        super(category, message, cause);
        this.hasRun = hasRun;
    }

    /** Whether the guest has run, so that the memory is not the checkpoint's any more. */
    public boolean hasRun() {
        return hasRun;
    }
}
