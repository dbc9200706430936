package remus.replication;

import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.base.RemusException;

/** The replication port could not be opened. */
public final class ReplicationException extends RemusException {
    private static final long serialVersionUID = 1L;

    ReplicationException(ErrorCategory category, String message, @Nullable Throwable cause) {
        super(category, message, cause);
    }
}
