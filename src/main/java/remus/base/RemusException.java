package remus.base;

import org.jspecify.annotations.Nullable;

/**
 * Root of the project's checked exceptions. The message says what failed, why, and with which values
 * ({@code epoch=42 expected=41}); where a person can mend it, it says how.
 */
public abstract class RemusException extends Exception {
    private static final long serialVersionUID = 1L;

    private final ErrorCategory category;

    protected RemusException(ErrorCategory category, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.category = category;
    }

    public final ErrorCategory category() {
        return category;
    }
}
