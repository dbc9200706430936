package remus.zookeeper;

import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.base.RemusException;

/** What a node holds is no record of its VM; the message says why. Such a node is never overwritten. */
final class UnreadableRecordException extends RemusException {
    private static final long serialVersionUID = 1L;

    UnreadableRecordException(String message, @Nullable Throwable cause) {
        super(ErrorCategory.FATAL, message, cause);
    }
}
