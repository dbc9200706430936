package remus.bench;

import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.base.RemusException;

/** A bench could not be run to its end; the message says what is missing or failed. */
public final class BenchException extends RemusException {
    private static final long serialVersionUID = 1L;

    BenchException(String message, @Nullable Throwable cause) {
        super(ErrorCategory.FATAL, message, cause);
    }

    /** @param what what could not be done */
    static BenchException because(String what, RemusException cause) {
        return new BenchException(what + ": " + cause.getMessage(), cause);
    }
}
