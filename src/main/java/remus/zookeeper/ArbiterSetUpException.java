package remus.zookeeper;

import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.base.RemusException;

/** The arbiter can't be set up as it was asked for; the message says what is wrong and what to do. */
public final class ArbiterSetUpException extends RemusException {
    private static final long serialVersionUID = 1L;

    ArbiterSetUpException(String message, @Nullable Throwable cause) {
        super(ErrorCategory.FATAL, message, cause);
    }
}
