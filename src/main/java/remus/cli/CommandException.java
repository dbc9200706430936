package remus.cli;

import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.base.RemusException;

/** A command was refused or failed; the message is the one line that the user sees: what, why, what to do. */
final class CommandException extends RemusException {
    private static final long serialVersionUID = 1L;

    CommandException(String message) {
        this(message, null);
    }

    CommandException(String message, @Nullable Throwable cause) {
        super(ErrorCategory.FATAL, message, cause);
    }
}
