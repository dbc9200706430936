package remus.wire;

import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.base.RemusException;

/**
 * What the other side sent breaks the protocol. The connection that carried it is closed: after a corrupt frame no
 * later one can be trusted to start where it seems to. RETRY: damaged on the way, an authentic peer connects again;
 * FATAL: the peer speaks another protocol and will do so again.
 */
public final class WireException extends RemusException {
    private static final long serialVersionUID = 1L;

    public WireException(ErrorCategory category, String message, @Nullable Throwable cause) {
        super(category, message, cause);
    }

    /** What arrived can't be right. */
    public static WireException corrupt(String message) {
        return new WireException(ErrorCategory.RETRY, message, null);
    }

    /** What arrived is well-formed but not what this version of the protocol understands. */
    public static WireException foreign(String message) {
        return new WireException(ErrorCategory.FATAL, message, null);
    }
}
