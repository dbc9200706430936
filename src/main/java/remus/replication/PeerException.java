package remus.replication;

import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.base.RemusException;

/** Another host could not be asked or measured. */
public final class PeerException extends RemusException {
    private static final long serialVersionUID = 1L;

    /** What came in between. */
    public enum Kind {
        /** A host is there, but nobody listens on the port. */
        NOBODY_LISTENS,
        /** Nothing came back in time, or the way there is cut. */
        UNREACHABLE,
        /** What answers is no Remus of this release. */
        FOREIGN,
        /** The host does not want to, now. */
        REFUSED
    }

    private final Kind kind;

    PeerException(Kind kind, String message, @Nullable Throwable cause) {
        super(kind == Kind.FOREIGN ? ErrorCategory.FATAL : ErrorCategory.RETRY, message, cause);
        this.kind = kind;
    }

    public Kind kind() {
        return kind;
    }
}
