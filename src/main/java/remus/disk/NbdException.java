package remus.disk;

import remus.base.ErrorCategory;
import remus.base.RemusException;

/** A client broke the NBD protocol so that what it sends next can't be told any more; its connection is closed. */
final class NbdException extends RemusException {
    private static final long serialVersionUID = 1L;

    NbdException(String message) {
        super(ErrorCategory.FATAL, message, null);
    }
}
